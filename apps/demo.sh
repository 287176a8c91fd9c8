#!/usr/bin/env bash
# Installs what is missing, builds graphflow, and runs the whole method on a real brain volume.
#   apps/demo.sh          about ten minutes on two cores
#   apps/demo.sh --full   six times the training steps; further arguments go to `graphflow demo`
set -euo pipefail
cd "$(dirname "$0")/.."
source apps/setup.sh

case ${1:-} in
  -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
graphflow_setup release
say "running the demo"
exec build/release/apps/graphflow demo "$@"
