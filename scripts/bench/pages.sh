#!/usr/bin/env bash
# Opens the pages of a run in headless Chromium, at 1280 and 400 pixels, light, dark and as printed: report.html and, where
# `translate` has it, the attention page. Fails on any console message or network request, and leaves screenshots to look at.
#   scripts/bench/pages.sh [RUN]        (default: a small phrases run under build/pages)
# Exit 77 when Chromium is missing (Debian: chromium). Needs python3 for the browser's log.
set -euo pipefail
cd "$(dirname "$0")/../.."
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[[ -n $browser ]] || { echo "not run: chromium is not installed"; exit 77; }
command -v python3 >/dev/null || { echo "not run: python3 is not installed"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad >&2
out=build/pages
mkdir -p "$out"
run=${1:-$out/run}
if [[ ! -f $run/report.html ]]; then
  rm -rf "$out/run"
  build/seqgrad train configs/phrases.yaml -q --run-dir "$run" --set data.sizes.train=4000 --set train.epochs=6 \
    --set train.validate_every=100 --set train.log_every=10 --set 'loss.compare=[sentence_mean, batch_mean]' >&2
fi
cp "$run/report.html" "$out/report.html"
pages=("$out/report.html")
if build/seqgrad translate --help | grep -q -- --attention; then
  printf '%s\n' 'Die Frau liest das Buch.' 'Der alte Mann ruft die Frau nicht an.' '' '<b>Hund</b> & "Katze"' |
    build/seqgrad translate "$run" --attention "$out/attention.html" -q >/dev/null
  pages+=("$out/attention.html")
fi
scripts/bench/look_at_pages.py "$browser" "$out" "${pages[@]}"
