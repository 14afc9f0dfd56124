#!/usr/bin/env bash
# Makes the pictures that README shows: the page of the first lesson, and the report of a run.
#   scripts/bench/pictures.sh RUN      (a run of configs/phrases.yaml)
# Exit 77 when Chromium is missing (Debian: chromium).
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ $# -eq 1 && -f $1/report.html ]] || { echo "usage: scripts/bench/pictures.sh RUN" >&2; exit 2; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[[ -n $browser ]] || { echo "not run: chromium is not installed"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad >&2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
picture() {  # PAGE HEIGHT FILE
  timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,"$2" \
    --screenshot="$3" "file://$(realpath "$1")" 2>/dev/null
  echo "$3"
}
build/seqgrad explain configs/lessons/01_padding.yaml --html "$scratch/page.html" >/dev/null
picture "$scratch/page.html" 800 configs/lessons/page.png
picture "$1/report.html" 900 configs/report.png
