#!/usr/bin/env bash
# Grows one size of ref8k at a time and holds time and peak memory against the formulas: a cliff is an axis on which the
# share of the limit that a step reaches falls by more than a quarter, or memory beside the model's formula grows.
#   scripts/bench/scale.sh [--threads N] [--steps N] [AXIS=N…]        default: V=16000 V=32000 V=64000 H=1024 T=100 B=256
# Limit: GFLOP of the step at the rate of a matrix product, and the bytes of Adam at the rate of a copy, both measured in
# the same process. Exit 1 when an axis reaches less than 0.75 of ref8k's share, or more than 1.25 times its memory.
set -euo pipefail
cd "$(dirname "$0")/../.."
threads=2 steps=4 axes=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --threads) threads=$2; shift 2 ;;
    --steps) steps=$2; shift 2 ;;
    -*) echo "error: unknown option $1" >&2; exit 2 ;;
    *) axes+=("$1"); shift ;;
  esac
done
[[ ${#axes[@]} -gt 0 ]] || axes=(V=16000 V=32000 V=64000 H=1024 T=100 B=256)
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
work=$(mktemp)
trap 'rm -f "$work"' EXIT
for axis in V=8000 "${axes[@]}"; do  # V=8000 is ref8k itself
  echo "measuring $axis" >&2
  build/seqgrad bench step --preset ref8k --axis "$axis" --threads "$threads" --steps "$steps" --warmup 2 --json |
    jq -c --arg axis "$axis" '. + {axis: $axis}' >>"$work"
done
jq -rs '
  def limit: 1000 * (.gflop / .gemm_gflops + .update_bytes / .copy_gb_per_s / 1e9);
  def two: . * 100 | round / 100;
  (.[0] | limit / .ms_per_step.min) as $share | (.[0] | .peak_bytes / .formula_bytes) as $memory
  | map(. + {share: (limit / .ms_per_step.min), memory: (.peak_bytes / .formula_bytes)})
  | (.[] | "\(.axis): \(.ms_per_step.min | two) ms, \(.share * 100 | round) % of the limit \(limit | two) ms; \(.peak_bytes / 1048576 | round) MiB, \(.memory | two) times the formula"),
    ([.[] | select(.share < 0.75 * $share or .memory > 1.25 * $memory)] as $cliffs
     | if $cliffs == [] then "no cliff on \(length - 1) axes: at least \(map(.share) | min / $share * 100 | round) % of the share of ref8k, at most \(map(.memory) | max / $memory * 100 | round) % of its memory by formula"
       else "cliff: \($cliffs | map(.axis) | join(", "))" end)' "$work" | tee "$work.out"
trap 'rm -f "$work" "$work.out"' EXIT
grep -q '^no cliff' "$work.out"
