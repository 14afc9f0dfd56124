#!/usr/bin/env bash
# Builds and runs every test; installs what is missing. Arguments go to ctest, e.g. scripts/test.sh -R test_loss
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test
SEQGRAD_TESTS=ON scripts/build.sh all
exec ctest --test-dir build --output-on-failure -j "$(nproc)" "$@"
