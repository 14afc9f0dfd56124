#!/usr/bin/env bash
# Times loss and gradient, on logits (default) or with the output projection, beside PyTorch's, interleaved; prints
# medians, ratios and memory, and for logits the share of the bandwidth of a copy in the same run.
#   scripts/bench/loss.sh [--rounds N] [--vocab V]… [--hidden D] [--masked F] [--at-most MS] [--peer TORCH_CE.PY]
# --at-most (logits): exit 1 unless the fastest round's median is that fast; busy neighbours only ever slow. The share of
# copy beside it says what this machine's memory allows.
# PyTorch: a python with torch in SEQGRAD_PYTHON (default python3); without it only ours is timed.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=3 peer=scripts/bench/peers/torch_ce.py hidden=0 masked=0 at_most="" vocabs=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --vocab) vocabs+=("$2"); shift 2 ;;
    --hidden) hidden=$2; shift 2 ;;
    --masked) masked=$2; shift 2 ;;
    --at-most) at_most=$2; shift 2 ;;
    --peer) peer=$2; shift 2 ;;
    *) echo "error: unknown option $1" >&2; exit 2 ;;
  esac
done
[[ ${#vocabs[@]} -gt 0 ]] || vocabs=(8000 32000)
[[ -z $at_most || $hidden -eq 0 ]] || { echo "error: --at-most is for logits; leave --hidden out" >&2; exit 2; }
python=${SEQGRAD_PYTHON:-python3}
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
unset OPENBLAS_CORETYPE
with_peer=1
{ [[ -f $peer ]] && "$python" -c 'import torch' 2>/dev/null; } || with_peer=0
linear=()
[[ $hidden -eq 0 ]] || linear=(--linear --hidden "$hidden")
median() { jq -s "map($1) | sort | .[length / 2 | floor]" "$2"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missed=0
for vocab in "${vocabs[@]}"; do
  rm -f "$work"/*
  for ((i = 0; i < rounds; ++i)); do
    build/seqgrad bench loss --vocab "$vocab" --hidden "$hidden" --masked "$masked" --threads 2 --json >>"$work/ours"
    [[ $with_peer -eq 1 ]] || continue
    torch=("$python" "$peer" --rows 1600 --vocab "$vocab" "${linear[@]}" --pad-frac "$masked" --threads 2)
    "${torch[@]}" --keep-heap --drop-pad 2>/dev/null >>"$work/tuned"
    "${torch[@]}" 2>/dev/null >>"$work/installed"
  done
  line=$(jq -rs --arg v "$vocab" '
    (map(.total_ms.median) | sort | .[length / 2 | floor]) as $ms | min_by(.total_ms.median) as $best
    | "V=\($v): seqgrad \($ms * 100 | round / 100) ms, best round \($best.total_ms.median * 100 | round / 100) ms"
      + (if $best.share_of_copy then " at \($best.share_of_copy * 100 | round) % of copy (\($best.copy_gb_per_s | round) GB/s)"
         else " at \($best.gflop / $best.total_ms.median * 1000 | round) of \($best.gemm_gflops | round) GFLOP/s" end)
      + ", +\(map(.extra_bytes) | max / 1048576 | round) MiB"' "$work/ours")
  if [[ $with_peer -eq 1 ]]; then
    ours=$(median .total_ms.median "$work/ours")
    for kind in tuned installed; do
      line+=$(jq -rns --arg k "$kind" --argjson a "$ours" --argjson b "$(median .total_ms.median "$work/$kind")" \
        '"; PyTorch \($k) \($b * 10 | round / 10) ms (\($b / $a * 100 | round / 100)x)"')
    done
  else
    line+="; PyTorch not run"
  fi
  echo "$line"
  [[ -z $at_most ]] || jq -es --argjson bar "$at_most" \
    '(map(.total_ms.median) | min) <= $bar' "$work/ours" >/dev/null || missed=1
done
exit $missed
