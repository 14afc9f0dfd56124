#!/usr/bin/env bash
# Configures build/ in Release and builds the given targets; quiet unless something fails.
#   scripts/build.sh TARGET…        (SEQGRAD_TESTS=ON to build tests; SEQGRAD_CUDA=AUTO, ON or OFF, see CMakeLists.txt)
set -euo pipefail
cd "$(dirname "$0")/.."

tests=${SEQGRAD_TESTS:-OFF}
if grep -qs '^SEQGRAD_TESTS:BOOL=ON' build/CMakeCache.txt; then tests=ON; fi  # a tree that has tests keeps them
options=()
if [[ -n ${SEQGRAD_CUDA:-} ]]; then options=(-DSEQGRAD_CUDA="$SEQGRAD_CUDA"); fi
if command -v ccache >/dev/null; then  # copies of the tree, as the script tests make them, share objects
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEQGRAD_TESTS="$tests" "${options[@]}" && cmake --build build --target "$@"; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "error: the build failed" >&2
  exit 3
fi
