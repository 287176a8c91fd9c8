#!/usr/bin/env bash
# Packs what a GPU machine needs into one relocatable archive: program, tests, golden files, the brain data, and
# every library that such a machine may lack. Not in it: glibc, libstdc++, the driver, CUDA, cuDNN, cuBLAS.
#   tests/gpu/make_bundle.sh                    graphflow-gpu.tar.xz for sm_90
#   tests/gpu/make_bundle.sh -a 80 -o FILE      for another architecture, to another file
set -euo pipefail
cd "$(dirname "$0")/../.."
source apps/setup.sh

arch=90 output=graphflow-gpu.tar.xz limit_mib=36
while getopts "a:o:h" option; do
  case $option in
    a) arch=$OPTARG ;;
    o) output=$OPTARG ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit $([[ $option == h ]] && echo 0 || echo 2) ;;
  esac
done

graphflow_install_packages
build=build/bundle-sm$arch
say "building ($build)"
# An old-style RPATH, because it also serves the libraries' own libraries.
cmake --preset release -B "$build" -DGF_CUDA=ON -DGF_CUDA_ARCHITECTURES="$arch" -DCMAKE_BUILD_RPATH='$ORIGIN/../lib' \
  -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags >/dev/null
cmake --build "$build" --parallel "$(nproc)" --target graphflow test_kernels test_engine test_distill

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/graphflow-gpu
mkdir -p "$root"/{bin,lib,share/bench}
for program in apps/graphflow tests/test_{kernels,engine,distill}; do
  strip -o "$root/bin/$(basename "$program")" "$build/$program"
done
# Everything the programs load, and what that loads, but for what belongs to the system.
ldd "$root"/bin/* | awk '/=> \//{print $3}' | sort -u |
  grep -Ev '/(ld-linux|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libcuda|libnvidia)[-.]' |
  while read -r library; do cp -L "$library" "$root/lib/"; done
cp -r tests/golden "$root/share/golden"
rm -rf "$root/share/golden/__pycache__"
cp tests/bench/{pytorch_step,pytorch_graph_flow,compare_step}.py "$root/share/bench/"
cp -r apps/configs "$root/share/configs"
mkdir -p "$root/share/data"
cp /usr/share/mricron/templates/{ch2.nii.gz,aal.nii.gz,aal.nii.txt} "$root/share/data/"
cp tests/gpu/run.sh "$root/"
cp tests/gpu/{parity.sh,compare_runs.py} "$root/share/"
git rev-parse HEAD >"$root/share/commit" 2>/dev/null || echo unknown >"$root/share/commit"

say "packing"
tar -C "$stage" -c graphflow-gpu | xz -T0 -9 >"$output.partial"
mv "$output.partial" "$output"
size=$(stat -c %s "$output")
printf '%s: %d.%d MiB\n' "$output" $((size >> 20)) $(((size & 1048575) * 10 >> 20))
if ((size > limit_mib << 20)); then
  say "larger than $limit_mib MiB: build for one architecture only, or look what grew with: tar tvf $output"
  exit 1
fi
