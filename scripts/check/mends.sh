#!/usr/bin/env bash
# The PyTorch of `seqgrad info --findings`: what mends a loss is run, and is right.
#   scripts/check/mends.sh [PYTHON]     (one that has PyTorch; exit 77 without)
set -euo pipefail
cd "$(dirname "$0")/../.."
"${1:-${SEQGRAD_PYTHON:-python3}}" scripts/check/mends.py "${SEQGRAD:-build/seqgrad}"
