#!/usr/bin/env bash
# Times loading, indexing and batching of many sentence pairs (made here: 5 to 25 words of 20,000, frequent ones first), to
# the end of one step of a tiny model.
#   scripts/bench/load_pairs.sh [--pairs N] [--at-most SECONDS]      best of three; exit 1 when it is above
set -euo pipefail
cd "$(dirname "$0")/../.."
pairs=100000 most=1000000
while [[ $# -gt 0 ]]; do
  case $1 in
    --pairs) pairs=$2; shift 2 ;;
    --at-most) most=$2; shift 2 ;;
    *) echo "error: unknown option $1" >&2; exit 2 ;;
  esac
done
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v n="$pairs" -v src="$work/src" -v trg="$work/trg" 'BEGIN {
  srand(1)
  for (i = 0; i < n; ++i) for (side = 0; side < 2; ++side) {
    line = ""
    for (k = 5 + int(21 * rand()); k > 0; --k) line = line (line == "" ? "" : " ") (side ? "t" : "s") int(20000 * rand() ^ 4)
    print line > (side ? trg : src)
  } }'
head -n 100 "$work/src" >"$work/dev.src"
head -n 100 "$work/trg" >"$work/dev.trg"
best=$(for i in 1 2 3; do
  start=$EPOCHREALTIME
  build/seqgrad train configs/multi30k_de_en.yaml --run-dir "$work/run$i" --max-steps 1 --threads 2 -q \
    --set "data.train={src: $work/src, trg: $work/trg}" --set "data.dev={src: $work/dev.src, trg: $work/dev.trg}" \
    --set "data.test={src: $work/dev.src, trg: $work/dev.trg}" --set model.embedding=4 --set model.readout=4 --set model.encoder.hidden=4 --set model.decoder.hidden=4 --set train.batch.size=16 \
    --set report.samples=0 >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 3; }
  awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}'
done | sort -g | head -n 1)
[[ -n $best ]] || exit 3
awk -v n="$pairs" -v s="$best" -v most="$most" -v words="$(wc -w <"$work/src")" 'BEGIN {
  printf "%d pairs (%d source words) loaded, indexed and batched, and one step made, in %.2f s\n", n, words, s; exit s > most }'
