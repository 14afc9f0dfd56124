#!/usr/bin/env bash
# Times the training step of the reference models beside PyTorch's, interleaved, and prints medians and ratios.
#   scripts/bench/step.sh [--rounds N] [--peer TORCH_CPU_STEP.PY] [PRESET:ATTENTION…]
# PyTorch: a python with torch in SEQGRAD_PYTHON (default python3). Without it only ours is timed, and the exit is 77.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=3 peer=scripts/bench/peers/torch_cpu_step.py models=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --peer) peer=$2; shift 2 ;;
    -*) echo "error: unknown option $1" >&2; exit 2 ;;
    *) models+=("$1"); shift ;;
  esac
done
[[ ${#models[@]} -gt 0 ]] || models=(small:none small:general ref8k:none ref8k:general)
python=${SEQGRAD_PYTHON:-python3}
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
unset OPENBLAS_CORETYPE
with_peer=1
{ [[ -f $peer ]] && "$python" -c 'import torch' 2>/dev/null; } || with_peer=0
declare -A luong=([none]=none [general]=luong [additive]=bahdanau)
median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

for model in "${models[@]}"; do
  preset=${model%%:*} attention=${model#*:} ours=() tuned=() installed=()
  steps=$([[ $preset == small ]] && echo 40 || echo 6)
  for ((i = 0; i < rounds; ++i)); do
    ours+=("$(build/seqgrad bench step --preset "$preset" --attention "$attention" --threads 2 --steps "$steps" --json | jq .ms_per_step.median)")
    [[ $with_peer -eq 1 ]] || continue
    torch=("$python" "$peer" --preset "$preset" --attention "${luong[$attention]}" --threads 2 --steps "$steps")
    tuned+=("$("${torch[@]}" --keep-heap --drop-pad --fused 2>/dev/null | jq .step_ms.median)")
    installed+=("$("${torch[@]}" 2>/dev/null | jq .step_ms.median)")
  done
  a=$(printf '%s\n' "${ours[@]}" | median)
  if [[ $with_peer -eq 1 ]]; then
    awk -v n="$model" -v a="$a" -v b="$(printf '%s\n' "${tuned[@]}" | median)" -v c="$(printf '%s\n' "${installed[@]}" | median)" \
      'BEGIN {printf "%-16s seqgrad %8.2f ms   PyTorch tuned %8.2f (%.2fx)   as installed %8.2f (%.2fx)\n", n, a, b, b / a, c, c / a}'
  else
    awk -v n="$model" -v a="$a" 'BEGIN {printf "%-16s seqgrad %8.2f ms   PyTorch not run\n", n, a}'
  fi
done | tee build/step.txt
tr '\n' ';' <build/step.txt | tr -s ' ' && echo
[[ $with_peer -eq 1 ]] || exit 77
