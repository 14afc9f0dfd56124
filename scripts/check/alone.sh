#!/usr/bin/env bash
# Compiles by itself each file that a build with SEQGRAD_UNITY compiles as one with the others of its folder: there nobody
# misses a header that another file includes.
#   scripts/check/alone.sh [--tests]
# --tests: those of tests/, which take another minute, instead of the program's. The build is SEQGRAD_BUILD (build); one without
# SEQGRAD_UNITY has no such files.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${SEQGRAD_BUILD:-build}") which=not
if [[ ${1:-} == --tests ]]; then which=.; fi
[[ -e $build/compile_commands.json ]] || { echo "error: $build has no compile_commands.json (scripts/build.sh)" >&2; exit 2; }
command -v jq >/dev/null || { echo "jq is not installed (scripts/setup.sh check)"; exit 77; }

commands=$(mktemp)
trap 'rm -f "$commands"' EXIT
jq -r ".[] | select((.file | contains(\"/Unity/\")) and (.file | contains(\"/tests/\") | $which)) | .file, .command" "$build/compile_commands.json" |
  while read -r folder && read -r command; do
    for file in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$folder"); do
      printf '%s -fsyntax-only -c %q\0' "${command%% -o *}" "$file"
    done
  done >"$commands"
cd "$build"
xargs -0 -r -P "${SEQGRAD_JOBS:-$(nproc)}" -n 1 bash -c <"$commands" || { echo "files do not compile alone"; exit 1; }
echo "$(tr -cd '\0' <"$commands" | wc -c) files compile alone"
