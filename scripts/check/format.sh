#!/usr/bin/env bash
# Formats the C++ files; with --check only says which are not, and exits 1. Exit 77 (skipped) without clang-format.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v clang-format >/dev/null; then
  echo "skipped: clang-format is not installed (scripts/setup.sh check)"
  exit 77
fi
mapfile -t files < <(find engine models apps scripts tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' | sort)
if [[ ${1:-} == --check ]]; then
  clang-format --dry-run --Werror "${files[@]}"
else
  clang-format -i "${files[@]}"
fi
