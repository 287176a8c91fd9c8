#!/bin/sh
# Compiles the oneDNN wall against the 3.x headers of PyPI's onednn-devel (Debian 12 has 2.6). Compiles only: that
# package's library is built for another runtime than the OpenMP one used here.
#
#     tests/bench/check_onednn3.sh [DIRECTORY that already holds oneapi/dnnl/dnnl.hpp]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
headers=${1:-}
if [ -z "$headers" ]; then
  echo "downloading onednn-devel from PyPI"
  python3 -m pip download --quiet --no-deps --dest "$work" 'onednn-devel>=2025'
  python3 -m zipfile -e "$work"/onednn_devel-*.whl "$work/wheel"
  headers=$(dirname "$(find "$work/wheel" -path '*include/oneapi' -type d | head -n 1)")
fi
if [ ! -f "$headers/oneapi/dnnl/dnnl.hpp" ]; then
  echo "check_onednn3: no oneapi/dnnl/dnnl.hpp in $headers" >&2
  exit 1
fi
awk '/define DNNL_VERSION_(MAJOR|MINOR|PATCH)/ {print $2, $3}' "$headers/oneapi/dnnl/dnnl_version.h"
"${CXX:-g++}" -std=c++20 -O1 -march=x86-64-v3 -Wall -Wextra -Werror -isystem "$headers" -I "$root" \
  -c "$root/kernels/cpu/onednn.cpp" -o "$work/onednn.o"
echo "kernels/cpu/onednn.cpp compiles"
