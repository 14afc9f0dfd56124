#!/usr/bin/env bash
# What an example weight of 0 saves when 30 % of the training targets are wrong: configs/noisy_labels.yaml with weight 0,
# with weight 1, and the clean pairs alone, all tested on clean pairs.    scripts/bench/noisy_labels.sh [SEEDS]
# Exit 1 unless the mean exact match at weight 0 is within 1 point of the clean pairs alone, and that at 1 is 3 lower.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-1}
[[ $seeds =~ ^[1-9][0-9]*$ ]] || { echo "error: expected a number of seeds, got '$seeds'" >&2; exit 2; }
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
config=configs/noisy_labels.yaml
mkdir -p build/bench
work=$(mktemp -d build/bench/noisy_labels-XXXX)
trap 'rm -rf "$work"' EXIT
right=(--set data.corrupt.share=0.0 --set data.corrupt.weight=1.0 --set loss.weights.example=false
  --set loss.reduce.divide=active)
pairs() { build/seqgrad data "$config" --seed "$seed" --split "$1" --all -q "${@:2}" | cut -f1,2; }  # without weights
exact() {  # NAME options of train -> exact match in percent
  build/seqgrad train "$config" --seed "$seed" --run-dir "$work/$1-$seed" "${@:2}" >"$work/log" 2>&1 ||
    { tail -n 3 "$work/log" >&2; exit 3; }
  build/seqgrad evaluate "$work/$1-$seed" --split test --json -q | jq '100 * .sequence_accuracy'
}
for seed in $(seq 1 "$seeds"); do
  pairs train >"$work/given"
  pairs train "${right[@]}" >"$work/right"
  grep -Fxf "$work/right" "$work/given" >"$work/train.tsv"  # what nobody changed
  pairs dev >"$work/dev.tsv"
  pairs test >"$work/test.tsv"
  kept="$(wc -l <"$work/train.tsv") of $(wc -l <"$work/given")"
  files=(--set data.task=null --set data.vocabulary.kind=char)
  for split in train dev test; do files+=(--set "data.$split={tsv: $PWD/$work/$split.tsv}"); done
  zero=$(exact zero) one=$(exact one --set data.corrupt.weight=1.0)
  alone=$(exact alone "${files[@]}" "${right[@]}")
  echo "seed $seed: weight 0 $zero, weight 1 $one, the $kept clean pairs alone $alone" >&2
  echo "$zero $one $alone" >>"$work/rows"
done
awk -v seeds="$seeds" '
  { zero += $1 / seeds; one += $2 / seeds; alone += $3 / seeds }
  END {
    printf "exact match on clean pairs: %.1f %% at weight 0, %.1f %% with the clean pairs alone, %.1f %% at weight 1 (mean of %d)\n", zero, alone, one, seeds
    exit !(zero - alone <= 1 && alone - zero <= 1 && one <= zero - 3)
  }' "$work/rows"
