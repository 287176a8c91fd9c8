#!/usr/bin/env bash
# Two devices distil from the same start and see the same batches; then one of them does it again.
#   tests/gpu/parity.sh PROGRAM DEVICE REFERENCE OUT [--tiny]    e.g. build/release/apps/graphflow cuda cpu /tmp/parity
# TF32 is off. Writes OUT/parity.json: losses of the first 20 steps within 1e-3, mean loss of steps 151-200 within 2 %,
# DEVICE twice to the bit. --tiny: six steps of narrow networks, for devices as slow as simt. $DATA: folder of the brain data,
# found by itself where it is installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[[ $# -ge 4 ]] || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }
program=$1 device=$2 reference=$3 out=$4 tiny=${5:-}
configs=$here/configs  # of the bundle
[[ -d $configs ]] || configs=$here/../../apps/configs

steps=200 teacher_steps=60 pretrain=20 compare=(--first 20 --mean 151 200)
narrow=()
if [[ $tiny == --tiny ]]; then
  steps=6 teacher_steps=3 pretrain=2 compare=(--first 6 --mean 4 6)
  narrow=(--set data.shrink=4 --set train.batch_size=2)
fi
common=("${narrow[@]}" --set data.root="${DATA:-}" --set train.log_every=1 --set train.eval_every=0 --overwrite --quiet)
student=(); teacher=()
[[ $tiny == --tiny ]] && { student=(--set model.width=0.15 --set optim.lr=1e-4); teacher=(--set model.width=0.05); }
mkdir -p "$out"
exec 3>&1 >"$out/programs.log"  # what the programs print

"$program" train -c "$configs/brain_teacher.toml" -o "$out/teacher" --device "$reference" "${common[@]}" "${teacher[@]}" \
  --set train.max_iterations=$teacher_steps
distil=(-c "$configs/brain_graph_flow.toml" --teacher "$out/teacher/checkpoints/final.gfm" "${common[@]}" "${student[@]}")
"$program" paraphrase "${distil[@]}" -o "$out/start" --device "$reference" --set paraphrase.max_iterations=$pretrain
paraphrasers=$(find "$out/start" -name final.gfm | head -1)
run() {  # DEVICE FOLDER
  local graph=()  # a step that cannot be captured must fail here
  [[ $1 == cpu ]] || graph=(--set train.step_graph=on)
  "$program" distill "${distil[@]}" -o "$out/$2" --device "$1" --paraphrasers "$paraphrasers" --set train.max_iterations=$steps "${graph[@]}"
}
run "$reference" reference
run "$device" device
run "$device" again

rc=0
python3 "$here/compare_runs.py" "$out/device" "$out/reference" "${compare[@]}" >"$out/close.json" || rc=1
python3 "$here/compare_runs.py" "$out/device" "$out/again" --same-bits >"$out/bits.json" || rc=1
printf '{"device": "%s", "reference": "%s",\n"close": %s,\n"same_bits": %s}\n' "$device" "$reference" \
  "$(cat "$out/close.json")" "$(cat "$out/bits.json")" >"$out/parity.json"
cat "$out/parity.json" >&3
exit $rc
