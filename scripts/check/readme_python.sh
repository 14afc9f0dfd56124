#!/usr/bin/env bash
# Runs README's Python block as its reader does who has the bug that it shows, and looks for the bug's name in pytest's report.
#   scripts/check/readme_python.sh [PYTHON]       PYTHON (python3) has torch and pytest
# Exit 77 where it lacks one of them. SEQGRAD_BUILD: where the executable is, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-python3}
"$python" -c 'import torch, pytest' 2>/dev/null || { echo "skipped: $python lacks torch or pytest"; exit 77; }
SEQGRAD_EXECUTABLE=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
export SEQGRAD_EXECUTABLE PYTHONPATH=$PWD/apps/python/src PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '$0 == "```python" { inside = 1; text = ""; next } /^```/ { if (inside && text ~ /^# test_loss.py/) printf "%s", text; inside = 0 }
  inside { text = text $0 "\n" }' README.md >"$work/test_loss.py"
lines=$(grep -c . "$work/test_loss.py")
begin=$SECONDS code=0
(cd "$work" && "$python" -m pytest -p seqgrad.pytest_plugin -p no:cacheprovider test_loss.py) >"$work/log" 2>&1 || code=$?
[[ $code -eq 1 ]] || { tail -n 20 "$work/log"; echo "error: pytest ended with $code, and 1 was expected"; exit 1; }
for text in 'not torch.mean: Σ ωℓ / (B·T), all cells, padding included' 'divisor:positions: ' '1 failed'; do
  grep -qF "$text" "$work/log" || { tail -n 20 "$work/log"; echo "error: the report does not say '$text'"; exit 1; }
done
echo "$lines lines, named divisor:positions in $((SECONDS - begin)) s"
[[ $lines -le 10 && $((SECONDS - begin)) -le 300 ]]
