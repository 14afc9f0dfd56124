#!/usr/bin/env bash
# Holds the training step against the matrix products it is made of, on one thread, by CPU time, so that neither this
# machine's speed nor its other work is in the figure: CPU time of the fastest step of five processes over (GFLOP of the
# step / the rate of a product in the same process).
#   scripts/bench/step_gate.sh [--at-most SMALL REF8K]      exit 1 when one is above (3.0 and 1.6)
set -euo pipefail
cd "$(dirname "$0")/../.."
declare -A most=([small]=3.0 [ref8k]=1.6)
if [[ ${1:-} == --at-most ]]; then
  [[ $# -eq 3 ]] || { echo "error: --at-most needs two numbers" >&2; exit 2; }
  most=([small]=$2 [ref8k]=$3)
fi
command -v jq >/dev/null || { echo "skipped: jq is not installed"; exit 77; }
binary=${SEQGRAD_BINARY:-build/seqgrad}
missed=0 line=""
for preset in small ref8k; do
  steps=$([[ $preset == small ]] && echo 30 || echo 2)
  best=$(for i in 1 2 3 4 5; do
    "$binary" bench step --preset "$preset" --threads 1 --steps "$steps" --warmup 1 --json | jq .step_over_gemm.min
  done | sort -g | head -n 1)
  line+="$preset $(awk -v b="$best" 'BEGIN {printf "%.2f", b}') (at most ${most[$preset]}); "
  awk -v b="$best" -v m="${most[$preset]}" 'BEGIN {exit b <= m}' && missed=1
done
echo "step over product, one thread, best of five: ${line%; }"
exit $missed
