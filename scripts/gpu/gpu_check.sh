#!/usr/bin/env bash
# On a machine with a GPU, in a bundle of scripts/gpu/bundle.sh: tests on the device, compute-sanitizer, equal bits of two
# runs, accuracy of a trained model, benchmarks beside PyTorch. At most 9 minutes; each part says when it cannot run.
#   ./gpu_check.sh [RESULT.json]        (gpu_check.json; a table of the parts comes last; exit 1 when one failed)
set -uo pipefail
cd "$(dirname "$0")"
result=${1:-gpu_check.json}
end=$((SECONDS + ${SEQGRAD_SECONDS:-540}))
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

[[ -d lib ]] || tar -xzf lib.tar.gz
# cuBLAS of CUDA, or of a PyTorch from PyPI.
cublas=$(find /usr/local/cuda*/lib64 /usr/local/cuda*/targets/*/lib /usr/lib/x86_64-linux-gnu \
  $(python3 -c 'import site; print(*site.getsitepackages(), site.getusersitepackages())' 2>/dev/null) \
  -name 'libcublas.so.1[23]' 2>/dev/null | sort -t. -k3 -r | head -n 1)
[[ -z $cublas ]] || export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(dirname "$cublas")

parts=() failed=0
part() {  # name, seconds it may take, command…: 0 passed, 77 skipped; its last line is what the table says
  local name=$1 limit=$2 code=0 begin=$SECONDS verdict
  shift 2
  ((limit < end - SECONDS)) || limit=$((end - SECONDS))
  if ((limit < 5)); then
    code=77
    echo "no time was left" >"$logs/$name"
  else
    timeout -k 5 "$limit" bash -c '"$@"' _ "$@" >"$logs/$name" 2>&1 || code=$?
  fi
  case $code in
    0) verdict=passed ;;
    77) verdict=skipped ;;
    124 | 137) verdict=FAILED; failed=1; echo "more than $limit s" >>"$logs/$name" ;;
    *) verdict=FAILED; failed=1; tail -n 15 "$logs/$name" ;;
  esac
  parts+=("$name|$verdict|$((SECONDS - begin))|$(grep . "$logs/$name" | tail -n 1 | tr -d '\\"|' | cut -c1-160)")
}

device() {
  bin/seqgrad info
  bin/seqgrad info | grep -q '^gpu  *none' && return 1
  bin/seqgrad info | sed -n 's/^gpu *//p'
}
tags='[#test_ops],[#test_devices],[#test_gru],[#test_loss_promises],[#test_loss_promises_rows],[#test_loss_precision],[#test_loss_errors],[#test_loss_wide_rows],[#test_loss_chunks],[#test_bench_gpu]'
tests() { bin/seqgrad_gpu_tests -# "$tags" && bin/seqgrad_gpu_tests 'every recorded case*,one step is PyTorch*,training takes the same course*'; }
sanitizer() {  # tool
  command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not here"; return 77; }
  compute-sanitizer --tool "$1" --error-exitcode 1 bin/seqgrad_gpu_tests -# '[#test_devices],[#test_gru],[#test_loss_errors],[#test_loss_wide_rows],[#test_loss_chunks]'
}
digest() {  # whether steps are repeated as graphs
  rm -rf "$logs/run"
  bin/seqgrad train configs/copy.yaml --device cuda --max-steps 40 --set train.validate_every=20 --set model.dropout.hidden=0.2 \
    --set graphs="$1" -q --run-dir "$logs/run" >/dev/null && cat "$logs"/run/checkpoints/last/{model,optim}.safetensors | sha256sum | cut -c1-16
}
same_bits() {
  local first second without
  first=$(digest true) && second=$(digest true) && without=$(digest false) || return 1
  echo "weights and moments of two runs: $first, $second; of one without graphs: $without"
  [[ $first == "$second" && $first == "$without" ]]
}
reverse() {  # sequences of which every word is right, as on the CPU
  bin/seqgrad train configs/reverse.yaml --device cuda -q --run-dir "$logs/reverse_run" || return 1
  bin/seqgrad evaluate "$logs/reverse_run" --device cuda --json >"$logs/reverse.json" || return 1
  local share
  share=$(sed -nE 's/.*"sequence_accuracy": ?([0-9.e-]+).*/\1/p' "$logs/reverse.json")
  echo "share of unseen sources that are exactly right: $share (at least 0.99)"
  awk -v share="${share:-0}" 'BEGIN { exit !(share >= 0.99) }'
}
step() {  # preset, attention, precision
  bin/seqgrad bench step --preset "$1" --attention "$2" --precision "$3" --device cuda --steps 10 --warmup 40 --json \
    >"$logs/step_$1_$2_$3.json" || return 1
  cat "$logs/step_$1_$2_$3.json"
  sed -nE 's/.*("ms_per_step": ?\{[^}]*\}).*"graph_nodes": ?([0-9]+).*/\2 nodes in the graph of a step, \1/p' "$logs/step_$1_$2_$3.json"
}
loss() {  # rows, classes
  bin/seqgrad bench loss --rows "$1" --vocab "$2" --device cuda --steps 10 --json >"$logs/loss_$1_$2.json" && cat "$logs/loss_$1_$2.json"
}
linear() {  # rows, width, classes, precision
  bin/seqgrad bench loss --rows "$1" --hidden "$2" --vocab "$3" --precision "$4" --masked 0.2 --device cuda --steps 8 --json \
    >"$logs/linear_$1_$2_$3_$4.json" && cat "$logs/linear_$1_$2_$3_$4.json"
}
peer() {  # name of the result, script, seconds, arguments…
  python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null || { echo "no PyTorch with CUDA here"; return 77; }
  local name=$1 script=$2 seconds=$3
  shift 3
  [[ -f peers/$script ]] || { echo "$script is not in the bundle"; return 77; }
  python3 "peers/$script" --budget-s "$seconds" --out "$logs/$name.json" "$@" >/dev/null 2>&1
  [[ -s $logs/$name.json ]] && echo "see $name in the result"
}
targets() {
  command -v python3 >/dev/null || { echo "python3 is not here"; return 77; }
  python3 ./gpu_targets.py "$1"
}

export logs tags
export -f device tests sanitizer digest same_bits reverse step loss linear peer targets

part device 20 device
part tests 120 tests
part same_bits 30 same_bits
part memcheck 50 sanitizer memcheck
part racecheck 50 sanitizer racecheck
part reverse 60 reverse
for attention in general additive; do
  for preset in gpu_small gpu_ref8k gpu_ref32k; do part "step_${preset}_${attention}_tf32" 15 step "$preset" "$attention" tf32; done
  part "step_gpu_ref8k_${attention}_bf16" 15 step gpu_ref8k "$attention" bf16
done
part step_ref8k_none_tf32 15 step ref8k none tf32
for size in "32768 4096" "8192 8000" "8192 32000" "2048 131072"; do part "loss_${size/ /_}" 15 loss $size; done
for precision in fp32 bf16; do
  part "linear_1600_512_32000_$precision" 15 linear 1600 512 32000 "$precision"
  part "linear_8192_1024_128000_$precision" 20 linear 8192 1024 128000 "$precision"
done
part torch_gpu_step.py 135 peer torch_gpu_step.py torch_gpu_step.py 120 --no-profile --reps 5 --dtypes tf32,bf16 --variants eager,graph,compile_graph \
  --presets reference,reference_luong,small,small_luong,reference_v32k,reference_luong_v32k
for precision in fp32 bf16; do
  part "torch_gpu_ce_$precision" 40 peer "torch_gpu_ce_$precision" torch_gpu_ce.py 30 --part linear --linear-dtype "$precision" \
    --linear 1600x512x32000,8192x1024x128000 --providers eager,compile,torch_native
done

write_result() {
  printf '{"commit": "%s", "date": "%s", "gpu": "%s", "parts": [' "$(cat commit)" "$(date -u +%FT%TZ)" \
    "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)"
  separator=
  for entry in "${parts[@]}"; do
    IFS='|' read -r name verdict seconds said <<<"$entry"
    printf '%s\n  {"part": "%s", "verdict": "%s", "seconds": %d, "said": "%s"}' "$separator" "$name" "$verdict" "$seconds" "$said"
    separator=,
  done
  printf '],\n"figures": {'
  separator=
  for figures in "$logs"/*.json; do
    [[ $(head -c 1 "$figures") == '{' ]] || continue  # of a part that did not come so far
    printf '%s\n  "%s": %s' "$separator" "$(basename "$figures" .json)" "$(cat "$figures")"
    separator=,
  done
  printf '}}\n'
}
write_result >"$result"
end=$((SECONDS + 10))
part targets 10 targets "$result"
write_result >"$result"
cat "$logs/targets"

printf '%-30s %-8s %5s  %s\n' part verdict s said
for entry in "${parts[@]}"; do
  IFS='|' read -r name verdict seconds said <<<"$entry"
  printf '%-30s %-8s %5d  %s\n' "$name" "$verdict" "$seconds" "$said"
done
exit "$failed"
