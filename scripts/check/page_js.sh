#!/usr/bin/env bash
# Runs the script of explain's page in Node and edits masks and weights at random: losses, gradients and judged guesses
# must be the engine's.
#   scripts/check/page_js.sh [SEED]
# Exit 77 when Node is missing (Debian: nodejs). SEQGRAD_BUILD: where the executable is, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v node >/dev/null || { echo "skipped: node is not installed (Debian: nodejs)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node tests/page/edits.js "${SEQGRAD_BUILD:-build}/seqgrad" "$work" "${1:-$RANDOM}" configs/lessons
