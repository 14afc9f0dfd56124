#!/usr/bin/env bash
# BLEU and chrF2 of `evaluate` beside sacreBLEU's of what `translate --raw` prints for the same lines, over random small
# corpora with blank lines, odd spaces, capitals, decomposed letters and one-word lines, for models of words, lower-cased
# words, characters and pieces.    scripts/bench/sacrebleu_corpora.sh [CORPORA]
# Needs sacreBLEU 2 for the python3 on PATH: exit 77 without. Exit 1 when a score differs by more than 1e-9.
set -euo pipefail
cd "$(dirname "$0")/../.."
corpora=${1:-200}
[[ $corpora =~ ^[1-9][0-9]*$ ]] || { echo "error: expected a number of corpora, got '$corpora'" >&2; exit 2; }
python3 -c 'import sacrebleu; assert sacrebleu.__version__.startswith("2.")' 2>/dev/null ||
  { echo "not run: python3 has no sacreBLEU 2 (pip install sacrebleu)" >&2; exit 77; }
program=${SEQGRAD_BINARY:-build/seqgrad}
[[ -x $program ]] || scripts/build.sh seqgrad
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 scripts/bench/sacrebleu_corpora.py "$(realpath "$program")" "$work" "$corpora"
