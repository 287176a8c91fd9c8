#!/usr/bin/env bash
# Runs the checks that need a GPU, stage by stage. Each stage ends within eight minutes and writes OUT/STAGE.json; one
# table comes last. Works from inside the unpacked bundle, and from a checkout with a bundle or a build folder.
#   tests/gpu/run.sh smoke tests train                     with graphflow-gpu.tar.xz (tests/gpu/make_bundle.sh makes it)
#   tests/gpu/run.sh -b FILE -d cuda:1 -o results -t 120 all   no stage longer than 120 seconds
#   tests/gpu/run.sh -p build/release -d cpu all           the script itself, without a GPU and without a bundle
# Stages: smoke      device, libraries, one family of ops
#         tests      the kernel, engine and distillation tests on the device; the self-test, float32 and bf16
#         sanitizer  a tiny distillation under memcheck, racecheck, initcheck, synccheck
#         bench      kernels against copy and matrix ceilings; whole steps
#         pytorch    the same steps beside PyTorch ($PYTHON, or python3)
#         train      brain data: teacher, paraphrasers, Graph Flow
#         parity     200 steps of distillation against the CPU, and twice to the bit
# What cannot run is skipped with a line. Exit code: the number of stages that failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bundle=graphflow-gpu.tar.xz build='' device=cuda out=${OUT:-gpu-results} limit=480
all_stages=(smoke tests sanitizer bench pytorch train parity)
skipped=77

usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; }
while getopts "b:p:d:o:t:h" option; do
  case $option in
    b) bundle=$OPTARG ;;
    p) build=$OPTARG ;;
    d) device=$OPTARG ;;
    o) out=$OPTARG ;;
    t) limit=$OPTARG ;;
    h) usage; exit 0 ;;
    *) usage; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
stages=("$@")
[[ ${#stages[@]} -eq 0 ]] && { usage; exit 2; }
[[ ${stages[0]} == all ]] && stages=("${all_stages[@]}")
for s in "${stages[@]}"; do
  [[ " ${all_stages[*]} " == *" $s "* ]] || { echo "no such stage: $s (there are: ${all_stages[*]})" >&2; exit 2; }
done

say() { printf '\n== %s\n' "$*" >&2; }
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)

# ---- the program: of this bundle, of a build folder, or unpacked; bin/ and share/ below $root

lay_out_build() {  # as the bundle lies, from a checkout and its build folder
  local checkout
  build=$(cd "$build" && pwd) && checkout=$(cd "$here/../.." && pwd) || return 1
  mkdir -p "$root"/{bin,share/bench,share/data}
  ln -sf "$build"/apps/graphflow "$build"/tests/test_{kernels,engine,distill} "$root/bin/"
  ln -sfn "$checkout/tests/golden" "$root/share/golden"
  ln -sfn "$checkout/apps/configs" "$root/share/configs"
  ln -sf "$checkout"/tests/bench/{pytorch_step,pytorch_graph_flow,compare_step}.py "$root/share/bench/"
  ln -sf "$here"/{parity.sh,compare_runs.py} "$root/share/"
  ln -sf /usr/share/mricron/templates/{ch2.nii.gz,aal.nii.gz,aal.nii.txt} "$root/share/data/"
  git -C "$checkout" rev-parse HEAD >"$root/share/commit" 2>/dev/null
}
if [[ -n $build ]]; then
  root=$out/tree
  lay_out_build || { say "no build folder: $build"; exit 2; }
elif [[ -x $here/bin/graphflow ]]; then
  root=$here
else
  [[ -f $bundle ]] || { say "no bundle: $bundle; make it with tests/gpu/make_bundle.sh, name it with -b, or a build with -p"; exit 2; }
  root=$(mktemp -d)/graphflow-gpu
  mkdir -p "$root"
  tar -xJf "$bundle" -C "$root" --strip-components=1 || { say "cannot unpack $bundle"; exit 2; }
fi
program=$root/bin/graphflow
if ! loaded=$("$program" --version 2>&1); then
  # The loader names the symbol version it lacks: this system is older than the one the bundle was made on.
  say "the program does not start here: $(grep -o "version \`[^']*' not found" <<<"$loaded" | sort -u | tr '\n' ' ')"
  printf '%s\n' "$loaded" >&2
  source_dir=$(cd "$here/../.." 2>/dev/null && pwd)
  [[ -f $source_dir/CMakeLists.txt ]] || { say "no checkout beside this script to build from"; exit 2; }
  say "building it here"
  cmake -S "$source_dir" -B "$out/build" -DCMAKE_BUILD_TYPE=Release -DGF_TESTS=OFF -DGF_CUDA=ON &&
    cmake --build "$out/build" --parallel "$(nproc)" --target graphflow || exit 2
  program=$out/build/apps/graphflow
fi

# ---- cuDNN and cuBLAS: beside Python's packages, or in the toolkit

python=${PYTHON:-python3}
find_libraries() {
  local folders=()
  while read -r folder; do folders+=("$folder"); done < <(
    "$python" - 2>/dev/null <<'PY'
import glob, os, site, sys
for base in dict.fromkeys([*site.getsitepackages(), site.getusersitepackages(), *sys.path]):
    for folder in sorted(glob.glob(os.path.join(base, "nvidia", "*", "lib"))):
        print(folder)
PY
  )
  for folder in /usr/local/cuda/lib64 /usr/lib/x86_64-linux-gnu; do [[ -d $folder ]] && folders+=("$folder"); done
  local IFS=:
  echo "${folders[*]}"
}
export GF_CUDA_LIBS=${GF_CUDA_LIBS:-$(find_libraries)}
# Libraries of Python's packages find each other only this way.
export LD_LIBRARY_PATH=$GF_CUDA_LIBS${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1)
commit=$(cat "$root/share/commit" 2>/dev/null || echo unknown)
device_line=$("$program" info 2>/dev/null | grep -E "^ *${device%%:*}" | head -1 | tr -s ' ')

# ---- the stages: each prints to its log, and may leave NAME.*.detail.json with its own numbers. 77: skipped, the log's
# last line says why.

on_gpu() { [[ $device == cuda* ]]; }
skip() { echo "skipped: $*"; return $skipped; }
narrow=(--set data.shrink=4 --set train.batch_size=2 --set train.eval_every=0)  # with networks of a tenth: any device

stage_smoke() {
  "$program" info && "$program" selftest --device "$device" --values-only --family arithmetic \
    --json "$out/smoke.selftest.detail.json"
}
stage_tests() {  # side by side: most of the time is the CPU's, for reference values
  local rc=0 name names=() jobs=() cores
  local -A commands=([float32]="$program selftest --device $device --json $out/tests.float32.detail.json")
  [[ $device == cpu ]] || commands[bf16]="$program selftest --device $device --dtype bf16 --json $out/tests.bf16.detail.json"
  for name in kernels engine distill; do
    [[ -x $root/bin/test_$name ]] && commands[test_$name]=$root/bin/test_$name || echo "test_$name: not here"
  done
  names=("${!commands[@]}")
  cores=$(nproc)
  for name in "${names[@]}"; do
    # shellcheck disable=SC2086
    GF_TEST_DEVICE=$device OMP_NUM_THREADS=$((cores / ${#names[@]} > 1 ? cores / ${#names[@]} : 1)) \
      ${commands[$name]} >"$out/tests.$name.log" 2>&1 &
    jobs+=($!)
  done
  for i in "${!names[@]}"; do
    wait "${jobs[$i]}" || { rc=1; echo "-- ${names[$i]}: failed"; }
  done
  for name in "${names[@]}"; do
    echo "-- $name"
    cat "$out/tests.$name.log"
  done
  return $rc
}
stage_sanitizer() {
  on_gpu || { skip "compute-sanitizer needs a GPU, this is $device"; return; }
  command -v compute-sanitizer >/dev/null || { skip "compute-sanitizer is not on this machine"; return; }
  local tool only rc=0 state refused=0 rows=() folder=$out/sanitizer ours
  local common=("${narrow[@]}" --set data.root="$root/share/data" --overwrite --quiet)
  "$program" train -c "$root/share/configs/brain_teacher.toml" -o "$folder/teacher" --device cpu "${common[@]}" \
    --set model.width=0.05 --set train.max_iterations=2 || return 1
  local distil=(-c "$root/share/configs/brain_graph_flow.toml" --teacher "$folder/teacher/checkpoints/final.gfm" "${common[@]}"
    --set model.width=0.15 --set distill.adversarial.weight=0.1 --set distill.adversarial.width=0.1)
  "$program" paraphrase "${distil[@]}" -o "$folder/student" --device cpu --set paraphrase.max_iterations=2 || return 1
  local paraphrasers
  paraphrasers=$(find "$folder/student" -name final.gfm | head -1)
  local -A jobs
  for tool in memcheck racecheck initcheck synccheck; do  # side by side: each keeps one core busy
    # memcheck looks at the libraries' kernels too. initcheck must see what they write, or it counts as never written.
    only=(--kernel-regex kns=gf_)
    [[ $tool == memcheck || $tool == initcheck ]] && only=(--print-limit 100000)
    timeout --foreground "${GF_SANITIZER_LIMIT:-400}" compute-sanitizer --tool "$tool" --error-exitcode 9 "${only[@]}" "$program" distill \
      "${distil[@]}" -o "$folder/$tool" --device "$device" --paraphrasers "$paraphrasers" --set train.max_iterations=6 \
      --set train.step_graph=on >"$folder/$tool.log" 2>&1 &
    jobs[$tool]=$!
  done
  for tool in memcheck racecheck initcheck synccheck; do
    echo "-- $tool"
    wait "${jobs[$tool]}"
    tail -3 "$folder/$tool.log"
    # Some of the libraries' kernels read padding that nobody wrote, and do not use it.
    ours=$(grep -cE '^=+ +at .*gf_' "$folder/$tool.log")
    if grep -q 'SUMMARY: 0 ' "$folder/$tool.log"; then state=clean
    elif [[ $tool == initcheck && $ours -eq 0 ]] && grep -q 'SUMMARY: [1-9]' "$folder/$tool.log"; then
      state="clean but for reads in the libraries' kernels: $(grep -oE '^=+ +at [^<(]*' "$folder/$tool.log" | sed 's/.*at //; s/.*:://' | sort -u | head -3 | tr '\n' ' ')"
    elif grep -q 'SUMMARY: [1-9]' "$folder/$tool.log"; then state=findings rc=1
    elif state=$(grep -m1 -iE 'not supported|unable to|denied|not permitted|PERM' "$folder/$tool.log"); then
      state="refused by this machine: $(tr -d '"\\' <<<"$state")" refused=$((refused + 1))
    else state="no verdict: $(tail -1 "$folder/$tool.log" | tr -d '"\\')" rc=1; fi
    rows+=("\"$tool\": \"$state\"")
  done
  (IFS=,; echo "{${rows[*]}}") >"$out/sanitizer.tools.detail.json"
  ((refused < 4)) || { skip "this machine refuses compute-sanitizer: $state"; return; }
  return $rc
}
stage_bench() {
  local size=demo steps=3 task rc=0 switches=('')
  local step=(--classes 9)
  on_gpu && size=paper steps=30 step=(--batch 8 --size 256 --classes 2)
  [[ $device == simt* ]] && { skip "the executor's time says nothing"; return; }
  "$program" bench kernels --device "$device" --size $size --json "$out/bench.kernels.detail.json" || rc=1
  # "on", not "auto": a step that cannot be captured must fail here and not be timed launch by launch.
  on_gpu && switches=('--step-graph on' '--step-graph off' '--tf32 --step-graph on' '--amp bf16 --step-graph on'
    '--amp bf16 --step-graph off' '--amp bf16 --step-graph on --fold-bf16')
  for task in supervised distill graph_flow; do
    for switch in "${switches[@]}"; do
      # shellcheck disable=SC2086
      "$program" bench step --task $task --device "$device" "${step[@]}" --steps $steps $switch \
        --json "$out/bench.$task$(tr -d ' -' <<<"$switch").detail.json" || rc=1
    done
  done
  return $rc
}
stage_pytorch() {
  "$python" -c 'import torch' 2>/dev/null || { skip "$python has no torch"; return; }
  local options=(--size tiny --rounds 1 --steps 3)
  on_gpu && options=(--size paper --rounds 2 --steps 30 --limit 150 --total 420)
  "$python" "$root/share/bench/pytorch_step.py" --check &&
    "$python" "$root/share/bench/compare_step.py" "$program" --device "$device" "${options[@]}" --json "$out/pytorch.race.detail.json"
}
# The brain demo's stages: teacher, paraphrasers, student with Graph Flow, their report.
stage_train() {
  local common=(--set data.root="$root/share/data" --device "$device" --overwrite --quiet) wide=() student=() first=() steps=()
  on_gpu && common+=(--set train.step_graph=on)
  if ! on_gpu; then
    echo "not on a GPU: networks of a tenth, a few steps"
    common+=("${narrow[@]}"); wide=(--set model.width=0.1) student=(--set model.width=0.15)
    first=(--set paraphrase.max_iterations=2) steps=(--set train.max_iterations=4)
  fi
  local teacher=$out/train/teacher/checkpoints/best.gfm configs=$root/share/configs
  "$program" train -c "$configs/brain_teacher.toml" -o "$out/train/teacher" "${common[@]}" "${wide[@]}" "${steps[@]}" &&
    "$program" paraphrase -c "$configs/brain_graph_flow.toml" -o "$out/train/graph_flow" --teacher "$teacher" "${common[@]}" \
      "${student[@]}" "${first[@]}" &&
    "$program" distill -c "$configs/brain_graph_flow.toml" -o "$out/train/graph_flow" --teacher "$teacher" "${common[@]}" \
      "${student[@]}" "${steps[@]}" &&
    cp "$out/train/graph_flow/comparison.csv" "$out/train.csv"
}
stage_parity() {
  local rc=0
  export DATA=$root/share/data
  if on_gpu; then
    "$root/share/parity.sh" "$program" "$device" cpu "$out/parity" || rc=1
  else
    echo "not on a GPU: simt against cpu, tiny"
    "$root/share/parity.sh" "$program" simt cpu "$out/parity" --tiny || rc=1
  fi
  cp "$out/parity/parity.json" "$out/parity.runs.detail.json"
  return $rc
}

write_json() {  # STAGE STATE SECONDS
  "$python" - "$out" "$1" "$2" "$3" "$device" "$gpu" "$device_line" "$commit" <<'PY'
import datetime, glob, json, os, re, sys
out, stage, state, seconds, device, gpu, line, commit = sys.argv[1:]
document = {"stage": stage, "state": state, "seconds": int(seconds), "date": datetime.date.today().isoformat(), "device": device,
            "gpu_and_driver": gpu or None, "versions": line, "commit": commit, "command": f"run.sh -d {device} {stage}"}
log = open(os.path.join(out, stage + ".log"), errors="replace").read()
summaries = re.findall(r"^(-- .*|\[doctest\] test cases:.*|\d+ of \d+ checks passed.*|skipped:.*)$", log, re.M)
if summaries:
    document["summary"] = summaries
for path in sorted(glob.glob(os.path.join(out, stage + ".*.detail.json"))):
    name = os.path.basename(path)[len(stage) + 1 : -len(".detail.json")]
    document.setdefault("result", {})[name] = json.load(open(path))
    os.remove(path)
json.dump(document, open(os.path.join(out, stage + ".json"), "w"), indent=1)
PY
}

declare -A state seconds
failed=0
export program device out root python skipped
export -f on_gpu skip
for s in "${stages[@]}"; do
  say "$s"
  rm -f "$out/$s".*.detail.json
  start=$(date +%s)
  # Arrays are not exported: their definition goes along.
  timeout $limit bash -c "$(declare -p narrow); $(declare -f "stage_$s"); stage_$s" >"$out/$s.log" 2>&1
  rc=$?
  seconds[$s]=$(($(date +%s) - start))
  case $rc in
    0) state[$s]=ok ;;
    "$skipped") state[$s]=skipped; tail -1 "$out/$s.log" >&2 ;;
    124) state[$s]="over $limit s" ;;
    *) state[$s]="failed ($rc)" ;;
  esac
  [[ $rc -eq 0 || $rc -eq $skipped ]] || { failed=$((failed + 1)); tail -5 "$out/$s.log" >&2; }
  write_json "$s" "${state[$s]}" "${seconds[$s]}"
done

printf '\n%-12s %-16s %8s\n' stage state seconds
for s in "${stages[@]}"; do printf '%-12s %-16s %8s\n' "$s" "${state[$s]}" "${seconds[$s]}"; done
printf 'device %s, %s, commit %s; results in %s\n' "$device" "${gpu:-no NVIDIA GPU}" "$commit" "$out"
exit $failed
