#!/usr/bin/env bash
# Builds and runs every test; installs what is missing. Arguments go to ctest, e.g. scripts/test.sh -R test_loss
# Without arguments the tests of time are left out (they need a quiet machine: -L timing), and a skipped test that
# tests/skips.txt does not name is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test
SEQGRAD_TESTS=ON scripts/build.sh all
options=("$@")
[[ $# -gt 0 ]] || options=(-LE timing)
log=build/ctest.log
code=0
ctest --test-dir build --output-on-failure -j "$(nproc)" "${options[@]}" | tee "$log" || code=$?
scripts/check/skips.sh "$log" || code=$((code == 0 ? 1 : code))
exit "$code"
