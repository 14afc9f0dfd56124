#!/usr/bin/env bash
# The numpy twins of planted bugs and right losses (tests/conform/planted) give what the frameworks gave.
# Exit 77 without a python3 that has numpy (Debian: python3-numpy).
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib/python.sh
export PYTHONDONTWRITEBYTECODE=1
"$python" tests/conform/planted/test_answers.py
