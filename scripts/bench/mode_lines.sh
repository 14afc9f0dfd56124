#!/usr/bin/env bash
# Runs the lines that `explain` prints for each mode in the frameworks themselves, on batches with weights, masks and
# class weights, and compares their values with the engine's.
#   scripts/bench/mode_lines.sh [CASE…]
# Needs a Python with torch in SEQGRAD_TORCH and one with tensorflow and keras in SEQGRAD_TF (default python3); else 77.
set -euo pipefail
cd "$(dirname "$0")/../.."
torch=${SEQGRAD_TORCH:-python3} tf=${SEQGRAD_TF:-python3}
"$torch" -c 'import torch' 2>/dev/null || { echo "not run: $torch has no torch (name one that has in SEQGRAD_TORCH)"; exit 77; }
"$tf" -c 'import tensorflow, keras' 2>/dev/null || { echo "not run: $tf has no tensorflow and keras (SEQGRAD_TF)"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad >&2
cases=("$@")
[[ ${#cases[@]} -gt 0 ]] || cases=(configs/lessons/01_padding.yaml configs/lessons/03_double_division.yaml
  configs/lessons/05_micro_batches.yaml tests/cases/tfa/flags_ttff_f64 tests/cases/pytorch/logits_f64_plain_class_weights_mean)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for i in "${!cases[@]}"; do
  [[ -e ${cases[$i]} ]] || { echo "error: ${cases[$i]}: there is no such case" >&2; exit 2; }
  build/seqgrad explain "${cases[$i]}" --json >"$work/$i.json"
done
"$torch" scripts/bench/mode_lines.py pytorch "$work"/*.json
"$torch" scripts/bench/mode_lines.py d2l "$work"/*.json
TF_CPP_MIN_LOG_LEVEL=3 "$tf" scripts/bench/mode_lines.py tensorflow "$work"/*.json 2>/dev/null
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$tf" scripts/bench/mode_lines.py keras "$work"/*.json 2>/dev/null
