#!/usr/bin/env bash
# Trains one Multi30k model here and in PyTorch, same sizes, losses, batches and number of updates, and prints wall times,
# their ratios and the BLEU of both on test_2016.
#   scripts/bench/multi30k_torch.sh [CONFIG] [--python PY]… [--threads N] [--updates N] [--installed-updates N]
#                                   [options of train, e.g. --set train.epochs=4]
# Ours is timed as a user waits for it: reading, vocabularies, one validation at the end, everything. PyTorch's time is its
# training loop alone. The fastest tuned PyTorch among the pythons (SEQGRAD_PEERS, SEQGRAD_PYTHON or python3) over 100 updates trains to
# the end; PyTorch as installed makes --installed-updates (200) and is scaled. --updates stops all of them early.
# Exit 1 unless tuned PyTorch takes 1.3 times as long (1.8 with --set precision=bf16, where autocast to bfloat16 may be the fastest), PyTorch as installed 3 times, and ours at most SEQGRAD_MINUTES (5);
# 77 without PyTorch or the text.
set -euo pipefail
cd "$(dirname "$0")/../.."
tok=${SEQGRAD_MULTI30K:-configs/multi30k} config=configs/multi30k_de_en.yaml pythons=() threads=2 updates=0 some=200 options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --python) pythons+=("$2"); shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --updates) updates=$2; shift 2 ;;
    --installed-updates) some=$2; shift 2 ;;
    -*) options+=("$1" "$2"); shift 2 ;;
    *.yaml) config=$1; shift ;;
    *) echo "error: expected a config, got $1" >&2; exit 2 ;;
  esac
done
[[ ${#pythons[@]} -gt 0 ]] || IFS=: read -ra pythons <<<"${SEQGRAD_PEERS:-${SEQGRAD_PYTHON:-python3}}"
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -f $tok/train.lc.norm.tok.de ]] || { echo "not run: $tok/train.lc.norm.tok.de is not there (scripts/data/get_multi30k.sh)"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
unset OPENBLAS_CORETYPE
export PYTHONDONTWRITEBYTECODE=1
tok=$(realpath "$tok") src=de trg=en
[[ $(basename "$config" .yaml) == *en_de ]] && src=en trg=de
for split in train:train dev:val test:test_2016_flickr; do
  options+=(--set "data.${split%%:*}={src: $tok/${split#*:}.lc.norm.tok.$src, trg: $tok/${split#*:}.lc.norm.tok.$trg}")
done
mkdir -p build/bench/runs
run=$(mktemp -d build/bench/runs/multi30k-torch-XXXX)
limit=()
[[ $updates -eq 0 ]] || limit=(--max-steps "$updates")

start=$EPOCHREALTIME
build/seqgrad train "$config" "${options[@]}" "${limit[@]}" --threads "$threads" --set train.validate_every=1000000000 \
  --run-dir "$run" >"$run.log" 2>&1 || { tail -n 3 "$run.log" >&2; exit 3; }
ours=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')
checkpoint=()
[[ $updates -eq 0 ]] || checkpoint=(--checkpoint last)
build/seqgrad evaluate "$run" "${checkpoint[@]}" --split test --json -q >"$run.bleu.json"
steps=$(jq -r .step "$run"/checkpoints/last/state.json)
echo "seqgrad: $steps updates in $ours s, BLEU $(jq '.bleu * 100 | round / 100' "$run.bleu.json")" >&2

least=1.3 ways=("")
[[ " ${options[*]} " != *" precision=bf16 "* ]] || least=1.8 ways=("" --bf16)
torch() { "$1" scripts/bench/peers/torch_train.py "$run" --threads "$threads" "${@:2}"; }
best="" way="" fastest="" probe=$((updates > 0 && updates < 100 ? updates : 100))
for python in "${pythons[@]}"; do
  "$python" -c 'import torch' 2>/dev/null || continue
  for flag in "${ways[@]}"; do
    took=$(torch "$python" --tuned ${flag:+"$flag"} --updates "$probe" 2>/dev/null | jq .train_s) || continue
    if [[ -z $fastest ]] || awk -v a="$took" -v b="$fastest" 'BEGIN {exit !(a < b)}'; then
      best=$python way=$flag fastest=$took
    fi
  done
done
[[ -n $best ]] || { echo "seqgrad $ours s for $steps updates; no python with torch (SEQGRAD_PYTHON)"; exit 77; }
torch "$best" --updates "$([[ $updates -gt 0 && $updates -lt $some ]] && echo "$updates" || echo "$some")" >"$run.installed.json" 2>"$run.torch.log"
torch "$best" --tuned ${way:+"$way"} --updates "$updates" --translate "$run.torch.out" >"$run.tuned.json" 2>>"$run.torch.log" ||
  { tail -n 3 "$run.torch.log" >&2; exit 3; }
bleu=null
for python in "${pythons[@]}" python3; do
  bleu=$("$python" -c 'import sys, sacrebleu
lines = lambda path: open(path, encoding="utf-8").read().split("\n")[:-1]
print(sacrebleu.corpus_bleu(lines(sys.argv[1]), [lines(sys.argv[2])], force=True).score)' \
    "$run.torch.out" "$tok/test_2016_flickr.lc.norm.tok.$trg" 2>/dev/null) && break || bleu=null
done
jq -rn --argjson ours "$ours" --argjson steps "$steps" --argjson bleu "$bleu" --argjson least "$least" --argjson minutes "${SEQGRAD_MINUTES:-5}" \
  --arg parameters "$(grep -om 1 '[0-9,]* parameters' "$run.log" | tr -d ,)" \
  --slurpfile tuned "$run.tuned.json" --slurpfile installed "$run.installed.json" --slurpfile b "$run.bleu.json" '
  def two: if . then . * 100 | round / 100 else "not scored (no sacrebleu)" end;
  $tuned[0] as $t | ($installed[0] | .train_s / .updates * $steps) as $i
  | if $t.updates != $steps or ($parameters | split(" ")[0]) != ($t.params | tostring)
    then "error: not the same work: \($steps) updates of \($parameters), PyTorch \($t.updates) of \($t.params)" | halt_error(3) else . end
  | "\($steps) updates of \($parameters), \($t.threads) threads: seqgrad \($ours | two) s, BLEU \($b[0].bleu | two); PyTorch \($t.torch) tuned\(if $t.bf16 then " in bfloat16" else "" end) \($t.train_s | two) s (\($t.train_s / $ours | two)x), BLEU \($bleu | two); as installed \($i | two) s (\($i / $ours | two)x), from \($installed[0].updates) updates",
    (if $t.train_s / $ours < $least or $i / $ours < 3 or $ours > 60 * $minutes then "missed" else empty end)' >"$run.verdict"
grep -vx missed "$run.verdict"
! grep -qx missed "$run.verdict"
