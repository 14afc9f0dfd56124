#!/usr/bin/env bash
# Tries an installed Python package: BIN is the folder of its `seqgrad` and `python`.
#   scripts/package/try_wheel.sh BIN
set -euo pipefail
bin=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$(dirname "$0")/../../configs/copy.yaml" "$scratch"
cd "$scratch"
unset SEQGRAD_EXECUTABLE PYTHONPATH
export PATH=$bin:/usr/bin:/bin
seqgrad --version
start() { local begin=$EPOCHREALTIME; "$@" >/dev/null; local end=$EPOCHREALTIME; echo "$(((${end/./} - ${begin/./}) / 1000)) ms: $*"; }
start "$(python -c 'import seqgrad; print(seqgrad.executable())')" --version
start seqgrad --version
seqgrad train copy.yaml --max-steps 20 --run-dir run --quiet
cat >loss.py <<'PYTHON'
import numpy as np, seqgrad


def my_loss(row_loss, mask):
    return (row_loss * mask).mean(), mask / mask.size


print(seqgrad.which(my_loss))
print(seqgrad.load_run("run", "last").translate("a b c") is not None)
PYTHON
python loss.py
