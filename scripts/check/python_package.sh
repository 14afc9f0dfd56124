#!/usr/bin/env bash
# The tests of the Python package (apps/python), with this build's executable.
# Exit 77 without a python3 that has numpy (Debian: python3-numpy). SEQGRAD_BUILD: where the executable is, else build.
# With SEQGRAD_INSTALLED=1 the package that $SEQGRAD_PYTHON has installed is tried, with the executable that is in it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib/python.sh
if [[ -n ${SEQGRAD_INSTALLED:-} ]]; then
  python=$(realpath -s "$python")
  unset SEQGRAD_EXECUTABLE PYTHONPATH
else
  SEQGRAD_EXECUTABLE=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
  export SEQGRAD_EXECUTABLE
fi
export PYTHONDONTWRITEBYTECODE=1
cd apps/python/tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" -W error::ResourceWarning -m unittest -v >"$log" 2>&1 || { grep -vE ' ok$| skipped ' "$log"; exit 1; }
{ grep -oE " skipped .*" "$log" || true; } | sort | uniq -c | sed -E "s/^ *([0-9]+) +skipped '(.*)'/\1 skipped: \2/"
grep -E '^(Ran|OK)' "$log" | paste -sd' '
