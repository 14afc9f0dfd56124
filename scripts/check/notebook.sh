#!/usr/bin/env bash
# Runs the notebook of the Python package from its first cell to its last, as a reader does, and looks at the pages in it, in
# headless Chromium where that is installed.
#   scripts/check/notebook.sh [PYTHON]       PYTHON (python3) has torch, nbconvert and ipykernel
# Exit 77 where it lacks one of them. SEQGRAD_BUILD: where the executable is, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-python3}
"$python" -c 'import torch, nbconvert, ipykernel' 2>/dev/null || { echo "skipped: $python lacks torch, nbconvert or ipykernel"; exit 77; }
SEQGRAD_EXECUTABLE=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
export SEQGRAD_EXECUTABLE PYTHONPATH=$PWD/apps/python/src PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m nbconvert --execute --to html --output-dir "$work" apps/python/notebooks/first_lesson.ipynb >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log"; exit 1; }
for text in 'it is torch.mean' 'divisor:positions' 'numbers computed again in this page'; do
  grep -qF "$text" "$work/first_lesson.html" || { echo "error: the notebook does not show '$text'"; exit 1; }
done
"$python" - "$work" <<'PYTHON'
import html, pathlib, re, sys

work = pathlib.Path(sys.argv[1])
pages = re.findall(r'<iframe[^>]* srcdoc="([^"]*)"', (work / "first_lesson.html").read_text(encoding="utf-8"))
for number, page in enumerate(pages, 1):
    (work / f"page-{number}.html").write_text(html.unescape(page), encoding="utf-8")
PYTHON
pages=("$work"/page-*.html)
[[ -e ${pages[0]} ]] || { echo "error: the notebook shows no page"; exit 1; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
seen="not looked at: chromium is not installed"
[[ -z $browser ]] || seen=$(scripts/bench/look_at_pages.py "$browser" "$work" "${pages[@]}") || { echo "$seen"; exit 1; }
echo "first_lesson.ipynb ran; ${seen%% in /*}"
