#!/usr/bin/env bash
# The tests of the Python package (apps/python), with this build's executable.
# Exit 77 without a python3 that has numpy (Debian: python3-numpy). SEQGRAD_BUILD: where the executable is, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib/python.sh
SEQGRAD_EXECUTABLE=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
export SEQGRAD_EXECUTABLE PYTHONDONTWRITEBYTECODE=1
cd apps/python/tests
"$python" -W error::ResourceWarning -m unittest
