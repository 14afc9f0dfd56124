#!/usr/bin/env bash
# Trains on the Multi30k files in DIR (configs/multi30k, where scripts/data/get_multi30k.sh puts them; SEQGRAD_MULTI30K names
# another folder), stops and resumes on the way, translates,
# and scores test_2016 once, greedy and with beam 5; prints the figures.
#   scripts/bench/multi30k.sh [CONFIG] [--seed N] [options of train, e.g. --set train.epochs=1]
# Exit 1 when resuming or translating fails, greedy BLEU is below SEQGRAD_AT_LEAST, training takes longer than
# SEQGRAD_MINUTES, or beam 5 is not above greedy with SEQGRAD_BEAM_GAINS=1.
set -euo pipefail
cd "$(dirname "$0")/../.."
config=configs/multi30k_de_en.yaml
if [[ ${1:-} == *.yaml ]]; then config=$1; shift; fi
tok=${SEQGRAD_MULTI30K:-configs/multi30k}
[[ -f $tok/train.lc.norm.tok.de ]] || { echo "not run: $tok/train.lc.norm.tok.de is not there (scripts/data/get_multi30k.sh)"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
direction=$(basename "$config" .yaml) src=de trg=en
[[ $direction == *en_de ]] && src=en trg=de
tok=$(realpath "$tok") files=()
for split in train:train dev:val test:test_2016_flickr; do
  files+=(--set "data.${split%%:*}={src: $tok/${split#*:}.lc.norm.tok.$src, trg: $tok/${split#*:}.lc.norm.tok.$trg}")
done
mkdir -p build/bench/runs
run=$(mktemp -d build/bench/runs/multi30k-XXXX)
start=$SECONDS
build/seqgrad train "$config" "${files[@]}" --run-dir "$run" --max-steps 100 "$@" >"$run.log" 2>&1
build/seqgrad train --resume "$run" >>"$run.log" 2>&1 || { tail -n 3 "$run.log"; exit 1; }
took=$((SECONDS - start))
build/seqgrad translate "$run" -q <"$tok/test_2016_flickr.lc.norm.tok.$src" >"$run.out"
lines=$(wc -l <"$run.out")
head -n 3 "$run.out"
evaluate() { build/seqgrad evaluate "$run" --split test --json -q "$@"; }
evaluate >"$run.greedy.json"
evaluate --beam 5 >"$run.beam.json"
jq -rn --arg s "$took" --arg d "$direction" --argjson least "${SEQGRAD_AT_LEAST:-0}" --argjson longest "${SEQGRAD_MINUTES:-1e9}" \
  --argjson lines "$lines" --arg beam_gains "${SEQGRAD_BEAM_GAINS:-}" --slurpfile g "$run.greedy.json" --slurpfile b "$run.beam.json" '
  def two: . * 100 | round / 100;
  $g[0] as $g | $b[0] as $b |
  "\($d): greedy BLEU \($g.bleu | two), beam 5 \($b.bleu | two) (\($g.bleu_signature)) on \($g.sentences) sentences, loss \($g.loss * 1000 | round / 1000)\($g.divisor), \($s) s of training with one stop and resume; \($lines) lines translated",
  (if $g.bleu < $least or ($s | tonumber) > 60 * $longest or $lines != $g.sentences or ($beam_gains != "" and $b.bleu <= $g.bleu)
   then "missed" else empty end)' | tee "$run.verdict" | grep -vx missed
! grep -qx missed "$run.verdict"
