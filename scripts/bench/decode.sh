#!/usr/bin/env bash
# Translates the test sentences of a trained run here and in PyTorch, greedy and with beam 5, together and one at a time:
# first checks that both write the same, then prints the rows of compare_cpu.sh.
#   scripts/bench/decode.sh [--run DIR] [options of compare_cpu.sh]
# Without --run a model of Multi30k is trained for two epochs, from the files in configs/multi30k (SEQGRAD_MULTI30K names another
# folder), and kept in build/bench/runs/decode. Exit 1 when translations differ or a target is missed, 77 without PyTorch or the text.
set -euo pipefail
cd "$(dirname "$0")/../.."
run=build/bench/runs/decode pythons=()
if [[ ${1:-} == --run && $# -gt 1 ]]; then run=$2; shift 2; fi
build=${SEQGRAD_BUILD:-build} tok=${SEQGRAD_MULTI30K:-configs/multi30k}
[[ -x $build/seqgrad ]] || scripts/build.sh seqgrad
if [[ ! -d $run ]]; then
  [[ -f $tok/train.lc.norm.tok.de ]] || { echo "not run: $tok/train.lc.norm.tok.de is not there (scripts/data/get_multi30k.sh)"; exit 77; }
  tok=$(realpath "$tok") files=()
  for split in train:train dev:val test:test_2016_flickr; do
    files+=(--set "data.${split%%:*}={src: $tok/${split#*:}.lc.norm.tok.de, trg: $tok/${split#*:}.lc.norm.tok.en}")
  done
  mkdir -p "$(dirname "$run")"
  "$build/seqgrad" train configs/multi30k_de_en.yaml "${files[@]}" --set train.epochs=2 --run-dir "$run.part" >"$run.log" 2>&1 ||
    { tail -n 3 "$run.log" >&2; exit 3; }
  mv "$run.part" "$run"
fi
IFS=: read -ra pythons <<<"${SEQGRAD_PEERS:-${SEQGRAD_PYTHON:-python3}}"
unset OPENBLAS_CORETYPE
export PYTHONDONTWRITEBYTECODE=1
torch=""
for python in "${pythons[@]}"; do
  if "$python" -c 'import torch' 2>/dev/null; then torch=$python; break; fi
done
[[ -n $torch ]] || { echo "not run: no python with torch (SEQGRAD_PYTHON)"; exit 77; }

# Float32 rounds differently in both: a tie to the last digit may go the other way, in one sentence of a hundred at most.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for beam in 1 5; do
  "$build/seqgrad" bench decode --run "$run" --beam "$beam" --steps 1 --warmup 0 --out "$work/ours" >/dev/null
  "$torch" scripts/bench/peers/torch_decode.py "$run" --beam "$beam" --steps 1 --warmup 0 --out "$work/theirs" >/dev/null
  paste -d '\t' "$work/ours" "$work/theirs" | awk -F '\t' -v beam="$beam" '
    {m = split($1, a, " "); n = split($2, b, " "); same = m == n && a[m] - b[n] < 0.002 && b[n] - a[m] < 0.002
     for (i = 1; i < n; ++i) same = same && a[i] == b[i]
     differ += !same}
    END {printf "beam %d: %d of %d translations are those of PyTorch\n", beam, NR - differ, NR; exit NR == 0 || differ > NR / 100}' >&2 ||
    { echo "error: beam $beam: the translations of PyTorch are others" >&2; exit 1; }
done
exec scripts/bench/compare_cpu.sh --run "$run" "$@" decode
