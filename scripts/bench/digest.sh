#!/usr/bin/env bash
# N steps, a resume and N more against 2N steps, on 1 to 4 threads and twice: all must end in one SHA-256 of the files
# that hold weights, moments and metrics.    scripts/bench/digest.sh [CONFIG [STEPS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
config=${1:-configs/copy.yaml} steps=${2:-40}
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
train() { build/seqgrad train "$@" --set train.validate_every="$((steps / 2))" --set model.dropout.hidden=0.2 -q >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 3; }; }
digest() {
  { cat "$1"/checkpoints/last/{model,optim}.safetensors "$1"/checkpoints/last/state.json
    sed 's/,"seconds.*//' "$1/metrics.jsonl"; } | sha256sum | cut -c1-16
}
digests=()
for threads in 1 2 3 4 1; do
  run=$work/whole-$threads-${#digests[@]}
  train "$config" --threads "$threads" --max-steps "$steps" --run-dir "$run"
  digests+=("$(digest "$run")")
done
for threads in 1 2; do
  run=$work/parts-$threads
  train "$config" --threads "$threads" --max-steps $((steps / 2 + 3)) --run-dir "$run"
  build/seqgrad train --resume "$run" --threads $((3 - threads)) --max-steps "$steps" -q >/dev/null 2>&1
  digests+=("$(digest "$run")")
done
different=$(printf '%s\n' "${digests[@]}" | sort -u | wc -l)
echo "$different digest(s) over ${#digests[@]} runs of $steps steps (1, 2, 3, 4 threads; twice; two stopped and resumed): ${digests[0]}"
[[ $different -eq 1 ]]
