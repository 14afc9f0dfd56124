#!/usr/bin/env bash
# How easy the code is to follow, in numbers (measures.py says which); fails when a walk or the list of globals in
# engine/README.md does not hold, a function is too long, or there are too many globals or jumps.
#   scripts/check/measures.sh [TREE]
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is not installed (scripts/setup.sh check)"; exit 77; }
exec python3 -B "$(dirname "$0")/measures.py" "$@"
