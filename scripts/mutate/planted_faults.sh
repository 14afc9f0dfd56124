#!/usr/bin/env bash
# Builds faults that people make in a sequence loss into a copy of the source; each must fail a recorded case.
#   scripts/mutate/planted_faults.sh [FAULT]… [--dry] [--jobs N] [--wide FOLDER]      (--dry: only see that every fault applies to the source;
#   --wide: cases of wide vocabularies too, see scripts/check/right_losses.sh)
# SEQGRAD_RUN_PREFIX is a command that builds and checks run under, e.g. nice.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is not installed (scripts/setup.sh check)"; exit 77; }
exec python3 -B "$(dirname "$0")/planted_faults.py" "$@"
