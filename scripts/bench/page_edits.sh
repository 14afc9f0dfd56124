#!/usr/bin/env bash
# Edits masks and weights of explain's page in headless Chromium as a person does, and asks the engine for the same batches:
# every value, numerator, divisor and gradient of every mode must agree. Then screenshots, as scripts/bench/pages.sh takes them.
#   scripts/bench/page_edits.sh [SEED]
# Exit 77 when Chromium is missing (Debian: chromium). Needs python3 for the browser's protocol.
set -euo pipefail
cd "$(dirname "$0")/../.."
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[[ -n $browser ]] || { echo "not run: chromium is not installed"; exit 77; }
command -v python3 >/dev/null || { echo "not run: python3 is not installed"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad >&2
mkdir -p build/pages
exec python3 -B scripts/bench/page_edits.py "$browser" build/seqgrad build/pages "${1:-$RANDOM}"
