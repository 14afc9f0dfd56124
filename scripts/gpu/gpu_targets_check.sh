#!/usr/bin/env bash
# Whether scripts/gpu/gpu_targets.py judges as it says, from results with figures that make each verdict.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "error: $1" >&2; cat "$work/said" >&2 || true; exit 1; }
has() { grep -qF -- "$1" "$work/said" || fail "no line '$1'"; }

code=0
echo '{"parts": [], "figures": {}}' >"$work/empty"
scripts/gpu/gpu_targets.py "$work/empty" >"$work/said" || code=$?
[[ $code -eq 1 ]] || fail "nothing was measured, and it ends in $code"
[[ $(grep -c "not measured  " "$work/said") -eq 15 ]] || fail "not every target is said not to be measured"

step() { echo "\"step_$1_$2_tf32\": {\"ms_per_step\": {\"median\": $3}, \"host_ms_per_step\": {\"median\": $4}, \"allocations_in_counted_steps\": 0, \"steps_between_waits\": 20},"; }
peer() { echo "{\"preset\": \"$1\", \"dtype\": \"tf32\", \"variant\": \"$2\", \"ms_wall\": $3}"; }
{
  echo '{"parts": [{"part": "same_bits", "verdict": "passed", "said": "a, a"}], "figures": {'
  for attention in additive general; do
    step gpu_ref8k $attention 2 0.05
    step gpu_small $attention 1 0.02
    step gpu_ref32k $attention 4 0.02
  done
  echo '"torch_gpu_step.py": {"results": ['
  peer reference eager 6; echo ,; peer reference graph 3.9; echo ,; peer reference_luong eager 2.9; echo ,
  peer small eager 5; echo ,; peer small_luong eager 1.5; echo ,; peer reference_v32k graph 10; echo ,; peer reference_luong_v32k eager 4
  echo ']},'
  echo '"loss_10_4096": {"rows": 10, "vocab": 4096, "bytes": 8e9, "total_ms": {"median": 3}, "copy_gb_per_s": 3000, "share_of_copy": 0.889},'
  echo '"loss_10_8000": {"rows": 10, "vocab": 8000, "bytes": 6e9, "total_ms": {"median": 3}, "copy_gb_per_s": 3000, "share_of_copy": 0.667},'
  echo '"linear_1600_512_32000_fp32": {"rows": 1600, "hidden": 512, "vocab": 32000, "precision": "fp32", "total_ms": {"median": 4}, "extra_bytes": 104857600},'
  echo '"torch_gpu_ce_fp32": {"linear": ['
  echo '{"provider": "eager", "N": 1600, "D": 512, "V": 32000, "dtype": "fp32", "fwd_bwd_ms": 6, "extra_peak_mib": 400},'
  echo '{"provider": "compile", "N": 1600, "D": 512, "V": 32000, "dtype": "fp32", "fwd_bwd_ms": 3, "extra_peak_mib": 90},'
  echo '{"provider": "compile", "N": 1600, "D": 512, "V": 32000, "dtype": "bf16", "fwd_bwd_ms": 1, "extra_peak_mib": 9}]}'
  echo '}}'
} >"$work/result"
scripts/gpu/gpu_targets.py "$work/result" >"$work/said" || fail "all was measured, and it ends in $?"
has "T1  met           gpu_ref8k, eager, additive, tf32: 2.000 ms, PyTorch eager 6.000 ms: 3.00x, target 3"
has "T1  missed        gpu_ref8k, eager, general, tf32: 2.000 ms, PyTorch eager 2.900 ms: 1.45x, target 1.5"
has "T2  missed        gpu_ref8k, the best, additive, tf32: 2.000 ms, PyTorch graph 3.900 ms: 1.95x, target 2"
has "T3  met           gpu_small, eager, additive"
has "T4  met           gpu_ref32k, the best, additive, tf32: 4.000 ms, PyTorch graph 10.000 ms: 2.50x, target 2.5"
has "T4  missed        gpu_ref32k, the best, general"
has "T5  met           loss of 10 x 4096: 2667 GB/s of 3000 of a copy: 89%, target 80 %"
has "T5  missed        loss of 10 x 8000"
has "T6  missed        linear + loss, N=1600 D=512 V=32000, fp32: 4.00 ms, PyTorch compile 3.00 ms: 0.75x, target 1"
has "T6  missed        linear + loss, N=1600 D=512 V=32000, fp32, memory: 100 MiB, PyTorch's least 90"
has "T7  met           host time of a step, gpu_ref8k, additive: 50 us"
has "T8  met           two runs: a, a"
[[ $(tail -n 1 "$work/said") == "11 of 17 met, 6 missed, 0 not measured"* ]] || fail "the summary is another"
echo "gpu_targets.py judges as it says"
