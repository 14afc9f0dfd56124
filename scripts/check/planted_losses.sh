#!/usr/bin/env bash
# Planted bugs and right losses (tests/conform/planted): their numpy twins give what the frameworks gave, and `seqgrad conform`
# names every bug and passes every right loss, those of every preset's formula too.
# Exit 77 without a python3 that has numpy (Debian: python3-numpy). SEQGRAD_BUILD: where the executable is, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib/python.sh
export PYTHONDONTWRITEBYTECODE=1
"$python" tests/conform/planted/test_answers.py
"$python" tests/conform/planted/run.py "${SEQGRAD_BUILD:-build}/seqgrad"
"$python" tests/conform/planted/run.py "${SEQGRAD_BUILD:-build}/seqgrad" --right --seeds 1
