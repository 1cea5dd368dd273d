#!/usr/bin/env bash
# Installs what the build needs and the machine lacks, on Debian 12 or a system like it. Does nothing, fast, where all is there.
#
# usage: scripts/setup.sh [GROUP]...
#   build    compiler, CMake, Ninja and the libraries (the default)
#   tests    GoogleTest, and the libraries that read images
#   python   Python with headers, and a virtual environment in ./.venv
#   clang    clang with its sanitizers: the fuzz targets
#   all      all of these
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

packages_build=(g++ cmake ninja-build libprotozero-dev libfmt-dev libcli11-dev nlohmann-json3-dev libxxhash-dev zlib1g-dev)
packages_tests=(libgtest-dev libgmock-dev libturbojpeg0 libopenjp2-7 libpng16-16 libtiff6 libwebp7)  # the images: for ImageDecoder
packages_python=(python3 python3-venv python3-dev)
packages_clang=(clang-14 libclang-rt-14-dev)

# A Python of one's own (pyenv, conda) is as good as Debian's.
has_python() {
  command -v python3 >/dev/null && python3 - <<'PY' 2>/dev/null
import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PY
}

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install() {
  local missing=() package as_root=()
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0
  if [[ $(id -u) != 0 ]]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      say "These packages are missing, and installing them takes root's rights. Please run this command, then try again:" >&2
      die "  sudo apt-get update && sudo apt-get install -y ${missing[*]}"
    fi
    as_root=(sudo -n)
  fi
  export DEBIAN_FRONTEND=noninteractive
  quietly "reading the list of Debian packages" "$logs/apt-update.log" "${as_root[@]}" apt-get -q update
  quietly "installing ${missing[*]}" "$logs/apt-install.log" \
    "${as_root[@]}" apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}"
}

# Elsewhere only the commands can be looked for; CMake names a library that is missing.
check_elsewhere() {
  local command lacking=()
  for command in "$@"; do command -v "$command" >/dev/null || lacking+=("$command"); done
  ((${#lacking[@]} == 0)) || die "This is no Debian: please install ${lacking[*]}; docs/tour.md lists the libraries."
}

wanted=() commands=()
for group in "${@:-build}"; do
  case $group in
    build | all) wanted+=("${packages_build[@]}") commands+=(g++ cmake ninja) ;;&
    tests | all) wanted+=("${packages_tests[@]}") ;;&
    python | all)
      commands+=(python3)
      has_python || wanted+=("${packages_python[@]}")
      ;;&
    clang | all) wanted+=("${packages_clang[@]}") commands+=(clang++-14) ;;&
    build | tests | python | clang | all) ;;
    *) die "There is no group '$group', there are: build tests python clang all" ;;
  esac
done

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  install "${wanted[@]}"
else
  check_elsewhere "${commands[@]}"
fi

if [[ " $* " == *" python "* || " $* " == *" all "* ]] && [[ ! -x $root/.venv/bin/pip ]]; then
  quietly "creating .venv" "$logs/venv.log" python3 -m venv "$root/.venv"
fi
