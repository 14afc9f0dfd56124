#!/usr/bin/env bash
# Configures build/ in Release and builds the given targets; quiet unless something fails.
#   scripts/build.sh TARGET…        (SEQGRAD_TESTS=ON to build tests)
set -euo pipefail
cd "$(dirname "$0")/.."

tests=${SEQGRAD_TESTS:-OFF}
if grep -qs '^SEQGRAD_TESTS:BOOL=ON' build/CMakeCache.txt; then tests=ON; fi  # a tree that has tests keeps them
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEQGRAD_TESTS="$tests" && cmake --build build --target "$@"; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "error: the build failed" >&2
  exit 3
fi
