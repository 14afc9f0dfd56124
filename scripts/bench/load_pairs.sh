#!/usr/bin/env bash
# Times loading, indexing and batching of many sentence pairs (made here: 5 to 25 words of 20,000, frequent ones first), to
# the end of one step of a tiny model.
#   scripts/bench/load_pairs.sh [--pairs N] [--at-most SECONDS] [--memory-at-most BYTES+MIB]
# Best of three; exit 1 when it is above. --memory-at-most 4+64: the largest resident size may be 4 bytes a token and 64 MiB.
set -euo pipefail
cd "$(dirname "$0")/../.."
pairs=100000 most=1000000 memory=1000000+0
while [[ $# -gt 0 ]]; do
  case $1 in
    --pairs) pairs=$2; shift 2 ;;
    --at-most) most=$2; shift 2 ;;
    --memory-at-most) memory=$2; shift 2 ;;
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
tokens=$(cat "$work/src" "$work/trg" | wc -w)
begin() {
  exec build/seqgrad train configs/multi30k_de_en.yaml --run-dir "$work/run" --max-steps 1 --threads 2 -q \
    --set "data.train={src: $work/src, trg: $work/trg}" --set "data.dev={src: $work/dev.src, trg: $work/dev.trg}" \
    --set "data.test={src: $work/dev.src, trg: $work/dev.trg}" --set model.embedding=4 --set model.readout=4 --set model.encoder.hidden=4 --set model.decoder.hidden=4 --set train.batch.size=16 \
    --set report.samples=0 >/dev/null 2>"$work/err"
}
for _ in 1 2 3; do
  rm -rf "$work/run"
  start=$EPOCHREALTIME
  begin &
  pid=$! kib=0
  while seen=$(awk '/^VmHWM:/ {print $2}' "/proc/$pid/status" 2>/dev/null) && [[ -n $seen ]]; do  # the largest so far
    kib=$seen
    sleep 0.05
  done
  wait "$pid" || { cat "$work/err" >&2; exit 3; }
  awk -v a="$start" -v b="$EPOCHREALTIME" -v kib="$kib" 'BEGIN {print b - a, kib / 1024}'
done >"$work/runs"
sort -g "$work/runs" | head -n 1 | awk -v n="$pairs" -v most="$most" -v memory="$memory" -v tokens="$tokens" '{
  split(memory, m, "+"); allowed = m[1] * tokens / 1048576 + m[2]
  printf "%d pairs (%d tokens) loaded, indexed and batched, and one step made, in %.2f s, with at most %.0f MiB (%.1f bytes a token)\n", n, tokens, $1, $2, $2 * 1048576 / tokens
  exit $1 > most || $2 > allowed }'
