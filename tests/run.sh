#!/usr/bin/env bash
# Installs what is missing, configures, builds and runs the tests.
#   tests/run.sh              optimised build, all tests
#   tests/run.sh --asan       AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/run.sh -R engine    further arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/setup.sh

preset=release
case ${1:-} in
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --asan) preset=asan; shift ;;
esac
graphflow_setup "$preset"
say "testing"
# Two threads each: the numbers of threads is part of what "the same bits" means. Most of a test is one thread's work, so
# as many run side by side as there are cores.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} ctest --test-dir "build/$preset" --output-on-failure --no-tests=error \
  --parallel "$(nproc)" "$@"
