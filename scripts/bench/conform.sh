#!/usr/bin/env bash
# Times `seqgrad conform` with all properties on 40 batches: the adapters in C++ and numpy as programs, from start to end;
# losses of PyTorch, Keras and JAX through the Python package, after the import, the first round of each shape apart (it
# compiles a function of JAX). Medians of three; exit 1 above 2 s (C++, numpy) or 3 s (the others).
#   scripts/bench/conform.sh [PYTHON]…
# Each PYTHON (python3) is asked for all of them. SEQGRAD_BUILD: where the executables are, else build.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${SEQGRAD_BUILD:-build}")
export SEQGRAD_EXECUTABLE=$build/seqgrad TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow PYTHONDONTWRITEBYTECODE=1
pythons=("$@")
[[ ${#pythons[@]} -gt 0 ]] || pythons=(python3)
python_with() {  # MODULE
  local python
  for python in "${pythons[@]}"; do
    if "$python" -c "import numpy, $1" >/dev/null 2>&1; then echo "$python"; return; fi
  done
}
missed=0
show() {  # NAME MOST, and on standard input seconds a run, perhaps with those of first rounds
  sort -g | awk -v name="$1" -v most="$2" '
    {v[NR] = $1; first[NR] = $2}
    END {printf "%-6s %5.2f s, at most %g%s\n", name, v[2], most, first[2] ? sprintf("; first rounds %.2f s apart", first[2]) : ""
         exit !(NR == 3 && v[2] <= most)}' || missed=1
}
program() {  # NAME COMMAND…
  local name=$1 start
  shift
  for _ in 1 2 3; do
    start=$EPOCHREALTIME
    "$build/seqgrad" conform --seed 7 --means token_mean -- "$@" >/dev/null
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}'
  done | show "$name" 2
}
program C++ "$build/tests/conform_reference"
python=$(python_with numpy)
[[ -z $python ]] || program numpy "$python" tests/conform/adapter.py
for framework in torch keras jax; do
  python=$(python_with "$framework")
  [[ -n $python ]] || { echo "$framework  skipped: in none of ${pythons[*]}"; continue; }
  for _ in 1 2 3; do
    "$python" tests/conform/planted/check_framework.py "$framework" token_mean --seed 7 2>/dev/null |
      sed -n 's/^ok token_mean (seed 7, \([0-9.]*\) s and \([0-9.]*\) s.*/\1 \2/p'
  done | show "$framework" 3
done
exit $missed
