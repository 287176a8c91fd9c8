#!/usr/bin/env bash
# Builds the fuzz targets with clang (AddressSanitizer, UndefinedBehaviorSanitizer, libFuzzer) and runs them.
#   tests/fuzz/run.sh                      every target, a million and a half executions each: ten million in all
#   tests/fuzz/run.sh -n 5000000 nifti     one target, five million
#   tests/fuzz/run.sh -t 240               every target for four minutes
# What is new in the corpus stays under build/fuzz/corpus; a finding ends the run and lies under build/fuzz/findings:
# mend it, then put the file into tests/fuzz/corpus/<target>, where every test run replays it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source apps/setup.sh

limit=-runs=1500000
while getopts "n:t:h" option; do
  case $option in
    n) limit=-runs=$OPTARG ;;
    t) limit=-max_total_time=$OPTARG ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  esac
done
shift $((OPTIND - 1))
graphflow_packages+=(clang-16 libclang-rt-16-dev libomp-16-dev)
graphflow_install_packages
[[ -f build/fuzz/build.ninja ]] || cmake --preset fuzz
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(nifti picture tables lists tensor_file checkpoint config)
cmake --build build/fuzz --target "${targets[@]/#/fuzz_}"
for target in "${targets[@]}"; do
  say "$target: ${limit#-}"
  mkdir -p "build/fuzz/corpus/$target" build/fuzz/findings
  OMP_NUM_THREADS=1 "build/fuzz/tests/fuzz/fuzz_$target" "$limit" -max_len=65536 -timeout=20 \
    -rss_limit_mb=4096 -malloc_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$target-" \
    "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" 2>&1 | tail -n 12
done
