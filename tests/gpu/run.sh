#!/usr/bin/env bash
# Runs the checks that need a GPU, stage by stage. Each stage ends within eight minutes and writes OUT/STAGE.json; one
# table comes last. Works from a checkout (with -b BUNDLE) and from inside the unpacked bundle.
#   tests/gpu/run.sh smoke selftest train                  from graphflow-gpu.tar.xz (tests/gpu/make_bundle.sh makes it)
#   tests/gpu/run.sh -b FILE -d cuda:1 -o results all
#   tests/gpu/run.sh -d cpu smoke                          the script itself, without a GPU
# Stages: smoke (device, libraries, one family of ops), selftest (every op against double, values and derivatives),
# sanitizer (compute-sanitizer over a small selftest), train (brain data: teacher, paraphrasers, Graph Flow). Exit code: the number of stages that failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bundle=graphflow-gpu.tar.xz device=cuda out=${OUT:-gpu-results} limit=480
all_stages=(smoke selftest sanitizer train)

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
while getopts "b:d:o:h" option; do
  case $option in
    b) bundle=$OPTARG ;;
    d) device=$OPTARG ;;
    o) out=$OPTARG ;;
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

# ---- the program

if [[ -x $here/bin/graphflow ]]; then
  root=$here
else
  [[ -f $bundle ]] || { say "no bundle: $bundle; make it with tests/gpu/make_bundle.sh or name it with -b"; exit 2; }
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

find_libraries() {
  local folders=()
  while read -r folder; do folders+=("$folder"); done < <(
    python3 - 2>/dev/null <<'PY'
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

# ---- the stages: each prints to its log, and may leave NAME.detail.json with its own numbers

stage_smoke() {
  "$program" info && "$program" selftest --device "$device" --values-only --family arithmetic \
    --json "$out/smoke.detail.json"
}
stage_selftest() { "$program" selftest --device "$device" --json "$out/selftest.detail.json"; }
stage_sanitizer() {
  local tool rc=0
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer: not on this machine"; return 1; }
  for tool in memcheck racecheck initcheck synccheck; do
    echo "-- $tool"
    timeout 110 compute-sanitizer --tool "$tool" --error-exitcode 9 --kernel-regex kns=gf_ \
      "$program" selftest --device "$device" --values-only --family losses --family graph || rc=1
  done
  return $rc
}
# The brain demo's stages: teacher, paraphrasers, student with Graph Flow, their report.
stage_train() {
  local common=(--set data.root="$root/share/data" --device "$device" --overwrite --quiet)
  local teacher=$out/train/teacher/checkpoints/best.gfm configs=$root/share/configs
  "$program" train -c "$configs/brain_teacher.toml" -o "$out/train/teacher" "${common[@]}" &&
    "$program" paraphrase -c "$configs/brain_graph_flow.toml" -o "$out/train/graph_flow" --teacher "$teacher" "${common[@]}" &&
    "$program" distill -c "$configs/brain_graph_flow.toml" -o "$out/train/graph_flow" --teacher "$teacher" "${common[@]}" &&
    cp "$out/train/graph_flow/comparison.csv" "$out/train.csv"
}

declare -A state seconds
failed=0
for s in "${stages[@]}"; do
  say "$s"
  start=$(date +%s)
  ( export -f stage_"$s"; export program device out root; timeout $limit bash -c "stage_$s" ) >"$out/$s.log" 2>&1
  rc=$?
  seconds[$s]=$(($(date +%s) - start))
  case $rc in 0) state[$s]=ok ;; 124) state[$s]="over $limit s" ;; *) state[$s]="failed ($rc)" ;; esac
  [[ $rc -eq 0 ]] || { failed=$((failed + 1)); tail -5 "$out/$s.log" >&2; }
  python3 - "$out/$s.json" "$out/$s.detail.json" <<PY 2>/dev/null || true
import json, os, sys
document = {"stage": "$s", "state": "${state[$s]}", "seconds": ${seconds[$s]}, "date": "$(date -I)", "device": "$device",
            "gpu and driver": "$gpu", "commit": "$commit", "command": "tests/gpu/run.sh -d $device $s"}
if os.path.exists(sys.argv[2]):
    document["result"] = json.load(open(sys.argv[2]))
    os.remove(sys.argv[2])
json.dump(document, open(sys.argv[1], "w"), indent=1)
PY
done

printf '\n%-12s %-16s %8s\n' stage state seconds
for s in "${stages[@]}"; do printf '%-12s %-16s %8s\n' "$s" "${state[$s]}" "${seconds[$s]}"; done
printf 'device %s, %s, commit %s; results in %s\n' "$device" "${gpu:-no NVIDIA GPU}" "$commit" "$out"
exit $failed
