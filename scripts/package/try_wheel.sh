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
start() {  # WHAT COMMAND…: the best of eleven
  local best=1000000000 i begin end
  for ((i = 0; i < 11; ++i)); do
    begin=$EPOCHREALTIME
    "${@:2}" >/dev/null
    end=$EPOCHREALTIME
    if [[ $((${end/./} - ${begin/./})) -lt $best ]]; then best=$((${end/./} - ${begin/./})); fi
  done
  echo "$1 starts in $((best / 1000)) ms"
}
start "the executable" "$(python -c 'import seqgrad; print(seqgrad.executable())')" --version
start "the console script" seqgrad --version
[[ -s $bin/../share/man/man1/seqgrad.1 && -s $bin/../share/bash-completion/completions/seqgrad ]] || { echo "error: no manual page or completion"; exit 1; }
seqgrad train copy.yaml --max-steps 20 --run-dir run --quiet
cat >loss.py <<'PYTHON'
import numpy as np, seqgrad


def my_loss(row_loss, mask):
    return (row_loss * mask).mean(), mask / mask.size


print(seqgrad.which(my_loss))
print(seqgrad.load_run("run", "last").translate("a b c") is not None)
PYTHON
python loss.py
