#!/usr/bin/env bash
# Trains a config here and in PyTorch, from Enter to the last line: the same pairs, sizes, losses, updates, validations, samples,
# checkpoints and test. Prints the share of ours that was no training step, both times and their ratio, and what both score.
#   scripts/bench/whole_run.sh [CONFIG] [--python PY]… [--threads N] [--at-most PERCENT] [--at-least TIMES]
#                              [--loop-at-least TIMES] [--installed-at-least TIMES] [--minutes M] [options of train, e.g. --set train.epochs=4]
# The fastest tuned PyTorch among the pythons (SEQGRAD_PEERS, SEQGRAD_PYTHON or python3) over 100 updates makes the run; bfloat16
# by autocast is another one, where precision is bf16. PyTorch draws no curves and counts no chrF, and BLEU only where it
# decides which checkpoint is best and sacrebleu is there.
# Bars: --at-most of our time outside of training steps, --minutes of all; --at-least for PyTorch's whole run over ours,
# --loop-at-least for its training loop alone over our whole run, --installed-at-least for 200 updates of PyTorch as
# installed, scaled. Multi30k's text is in configs/multi30k, or where SEQGRAD_MULTI30K says.
# Exit 1 when a bar is missed, 77 without the text, or without PyTorch where a bar asks for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${SEQGRAD_BUILD:-build} config=configs/multi30k_de_en.yaml pythons=() threads=2 options=() bars={}
while [[ $# -gt 0 ]]; do
  case $1 in
    --python) pythons+=("$2"); shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --at-most | --minutes | --at-least | --loop-at-least | --installed-at-least)
      bars=$(jq -c --arg bar "${1#--}" --argjson value "$2" '.[$bar] = $value' <<<"$bars"); shift 2 ;;
    -*) options+=("$1" "$2"); shift 2 ;;
    *.yaml) config=$1; shift ;;
    *) echo "error: expected a config, got $1" >&2; exit 2 ;;
  esac
done
[[ ${#pythons[@]} -gt 0 ]] || IFS=: read -ra pythons <<<"${SEQGRAD_PEERS:-${SEQGRAD_PYTHON:-python3}}"
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x $build/seqgrad ]] || scripts/build.sh seqgrad
unset OPENBLAS_CORETYPE
export PYTHONDONTWRITEBYTECODE=1
name=$(basename "$config" .yaml)
if [[ $name == multi30k* ]]; then
  tok=${SEQGRAD_MULTI30K:-configs/multi30k} src=de trg=en
  [[ -f $tok/train.lc.norm.tok.de ]] || { echo "not run: $tok/train.lc.norm.tok.de is not there (scripts/data/get_multi30k.sh)"; exit 77; }
  tok=$(realpath "$tok")
  [[ $name == *en_de ]] && src=en trg=de
  for split in train:train dev:val test:test_2016_flickr; do
    options+=(--set "data.${split%%:*}={src: $tok/${split#*:}.lc.norm.tok.$src, trg: $tok/${split#*:}.lc.norm.tok.$trg}")
  done
fi
mkdir -p "$build/bench/runs"
run=$(mktemp -d "$build/bench/runs/whole-$name-XXXX")

seconds() {  # COMMAND…: runs it, leaves its seconds in `took`
  local start=$EPOCHREALTIME
  "$@" || return
  took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')
}
seconds "$build/seqgrad" train "$config" "${options[@]}" --threads "$threads" --run-dir "$run" >"$run.log" 2>&1 || { tail -n 3 "$run.log" >&2; exit 3; }
ours=$took
echo "seqgrad: $ours s; $(grep -o '[0-9.]* % of .* outside of training steps.*' "$run.log" || true)" >&2

# The pairs as our tokenizer read them, built-in tasks' too.
mkdir "$run.data"
for split in train dev test $(jq -r '.results | keys[] | select(. != "test")' "$run/run.json"); do
  "$build/seqgrad" data "$config" "${options[@]}" --split "$split" --all -q >"$run.data/$split.tsv"
done
ways=("")
[[ " ${options[*]} " != *" precision=bf16 "* ]] || ways=("" --bf16)
torch() { "$1" scripts/bench/peers/torch_train.py "$run" "$run.data" --threads "$threads" "${@:2}"; }
best="" way="" fastest=""
for python in "${pythons[@]}"; do
  "$python" -c 'import torch' 2>/dev/null || continue
  for flag in "${ways[@]}"; do
    took=$(torch "$python" --tuned ${flag:+"$flag"} --updates 100 2>"$run.torch.log" | jq .train_s) || continue
    if [[ -n $took ]] && { [[ -z $fastest ]] || awk -v a="$took" -v b="$fastest" 'BEGIN {exit !(a < b)}'; }; then
      best=$python way=$flag fastest=$took
    fi
  done
done
peer=0 tuned=null installed=null
if [[ -n $best ]]; then
  seconds torch "$best" --tuned ${way:+"$way"} --whole "$run.torch" >"$run.tuned.json" 2>"$run.torch.log" || { tail -n 3 "$run.torch.log" >&2; exit 3; }
  peer=$took tuned=$(cat "$run.tuned.json")
  if jq -e '."installed-at-least"' <<<"$bars" >/dev/null; then
    installed=$(torch "$best" --updates 200 2>>"$run.torch.log")
  fi
fi
jq -rn --argjson ours "$ours" --argjson peer "$peer" --argjson tuned "$tuned" --argjson installed "$installed" --argjson bars "$bars" \
  --arg name "$name" --argjson parameters "$(grep -om 1 '[0-9,]* parameters' "$run.log" | tr -cd 0-9)" --argjson steps "$(jq .step "$run/checkpoints/last/state.json")" \
  --slurpfile info "$run/run.json" '
  def two: if . then . * 100 | round / 100 else "none" end;
  def scores: "exact \(.sequence_accuracy * 100 | two) %\(if .bleu then ", BLEU \(.bleu | two)" else "" end)";
  def held(bar; f): if $bars[bar] == null or f then empty else "missed: --\(bar)" end;
  def asks: [$bars | keys[] | select(endswith("at-least"))] != [];
  $info[0] as $i | ($i.seconds_of as $s | 100 * (1 - ($s.steps + $s.batches) / $i.seconds)) as $outside
  | (if $installed then $installed.train_s / $installed.updates * $steps else null end) as $as_installed
  | if $tuned and ($tuned.updates != $steps or $tuned.params != $parameters)
    then "error: not the same work: \($steps) updates of \($parameters) parameters, PyTorch \($tuned.updates) of \($tuned.params)" | halt_error(3) else . end
  | "\($name), \($steps) updates of \($parameters) parameters: seqgrad \($ours | two) s, \($outside | two) % outside of training steps (\([$i.seconds_of | to_entries[] | select(.key != "steps" and .key != "batches") | "\(.key) \(.value | two)"] | join(", ")) s); \($i.results.test | scores)"
    + (if $tuned then "; PyTorch \($tuned.torch) tuned\(if $tuned.bf16 then " in bfloat16" else "" end), \($tuned.threads) threads, \($peer | two) s (\($peer / $ours | two)x), its training loop \($tuned.train_s | two) s (\($tuned.train_s / $ours | two)x); \($tuned.test | scores)" else "; no python with torch (SEQGRAD_PYTHON)" end)
    + (if $as_installed then "; as installed \($as_installed | two) s of training (\($as_installed / $ours | two)x), from \($installed.updates) updates" else "" end),
    held("at-most"; $outside <= $bars["at-most"]), held("minutes"; $ours <= 60 * $bars.minutes),
    (if $tuned then held("at-least"; $peer / $ours >= $bars["at-least"]), held("loop-at-least"; $tuned.train_s / $ours >= $bars["loop-at-least"]),
       held("installed-at-least"; $as_installed / $ours >= $bars["installed-at-least"])
     elif asks then "not measured" else empty end)' >"$run.verdict"
head -n 1 "$run.verdict"
! grep '^missed' "$run.verdict" >&2 || exit 1
! grep -qx 'not measured' "$run.verdict" || exit 77
