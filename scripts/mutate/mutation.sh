#!/usr/bin/env bash
# Mutates the kernels of the loss, or the parsers, and says how many of the faults their tests notice.
#   scripts/mutate/mutation.sh [loss|parsers] [-n 200] [--seed 1] [--jobs N] [--file PART] [--list] [--fresh]
# Each mutant is built in build-mutants/, a copy of the source; an interrupted run goes on where it stopped.
# SEQGRAD_RUN_PREFIX is a command that builds and tests run under, e.g. nice.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is not installed (scripts/setup.sh check)"; exit 77; }
exec python3 -B "$(dirname "$0")/mutation.py" "$@"
