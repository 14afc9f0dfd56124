#!/usr/bin/env bash
# Configures build/ in Release and builds the given targets; says how far it is, and the errors when it fails.
#   scripts/build.sh TARGET…        (SEQGRAD_TESTS=ON to build tests; SEQGRAD_CUDA=AUTO, ON or OFF, see CMakeLists.txt;
#                                    SEQGRAD_UNITY=ON for a new folder that is waited for;
#                                    SEQGRAD_BUILD: another folder than build, built as it is configured)
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib/progress.sh

build=${SEQGRAD_BUILD:-build}
tests=${SEQGRAD_TESTS:-OFF}
if grep -qs '^SEQGRAD_TESTS:BOOL=ON' "$build/CMakeCache.txt"; then tests=ON; fi  # a tree that has tests keeps them
options=()
if [[ ! -e $build/CMakeCache.txt ]]; then options=(-DSEQGRAD_UNITY="${SEQGRAD_UNITY:-OFF}"); fi
if [[ -n ${SEQGRAD_CUDA:-} ]]; then options+=(-DSEQGRAD_CUDA="$SEQGRAD_CUDA"); fi
if command -v ccache >/dev/null; then  # copies of the tree, as the script tests make them, share objects
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
fi
log=$(mktemp)
trap 'rm -f "$log" "$log.configure"' EXIT
failed() {
  # From the first line that says so: warnings of files that were compiled beside it come before and after.
  grep -m 1 -n -E '^FAILED|error:|Error at' "$1" | cut -d: -f1 | { read -r line && tail -n "+$line" "$1" || cat "$1"; } | head -n 40 >&2
  echo "error: the build failed" >&2
  exit 3
}
if [[ -z ${SEQGRAD_BUILD:-} || ! -e $build/CMakeCache.txt ]]; then
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEQGRAD_TESTS="$tests" "${options[@]}" >"$log.configure" 2>&1 ||
    failed "$log.configure"
fi
files=$(ninja -C "$build" -n "$@" 2>/dev/null | grep -c '^\[' || true)
if [[ $files -gt 20 ]]; then
  echo "build: $files steps, some $((files * 17 / 10 / $(nproc) / 60 + 1)) minutes on $(nproc) cores when nothing is cached" >&2
fi
cmake --build "$build" --target "$@" 2>&1 | progress build "$log" '^\[[0-9]+/[0-9]+\]' || failed "$log"
