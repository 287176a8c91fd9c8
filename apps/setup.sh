#!/usr/bin/env bash
# Shared by demo.sh and tests/run.sh: Debian packages, configure, build. Quick when repeated. Meant to be sourced.
# usage: graphflow_setup PRESET [cmake options...]

graphflow_packages=(
  build-essential cmake ninja-build
  libdnnl-dev ocl-icd-opencl-dev libboost-context-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev
  libnifti-dev libstb-dev libpng-dev libtiff-dev libhdf5-dev zlib1g-dev
  libonnx-dev libprotobuf-dev
  doctest-dev mricron-data
)

say() { printf '\n== %s\n' "$*" >&2; }

graphflow_install_packages() {
  local missing=() p
  for p in "${graphflow_packages[@]}"; do
    [[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" == installed ]] || missing+=("$p")
  done
  [[ ${#missing[@]} -eq 0 ]] && return
  if ! command -v apt-get >/dev/null; then
    say "apt-get not found: this script sets up Debian 12. Install by hand: ${missing[*]}"
    return 1
  fi
  local root=()
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || { say "not root and no sudo; run as root: apt-get install ${missing[*]}"; return 1; }
    root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

graphflow_setup() {
  local preset=$1
  shift
  graphflow_install_packages
  local dir=build/$preset
  if [[ ! -f $dir/build.ninja ]]; then
    say "configuring ($dir)"
    cmake --preset "$preset" "$@"
  fi
  say "building ($dir, $(nproc) jobs)"
  cmake --build "$dir" --parallel "$(nproc)"
}
