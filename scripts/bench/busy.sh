#!/usr/bin/env bash
# Times the small training step on two threads alone and beside foreign busy processes, interleaved, and prints the
# ratio of whole running times: a median would hide the steps that were held up.
#   scripts/bench/busy.sh [--rounds N] [--processes N] [--at-most RATIO]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=3 processes=1 most=1000000
while [[ $# -gt 0 ]]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --processes) processes=$2; shift 2 ;;
    --at-most) most=$2; shift 2 ;;
    *) echo "error: unknown option $1" >&2; exit 2 ;;
  esac
done
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
foreign=()
trap '[[ ${#foreign[@]} -eq 0 ]] || kill "${foreign[@]}"' EXIT
seconds() {
  local start=$EPOCHREALTIME
  build/seqgrad bench step --threads 2 --steps 400 --json >/dev/null
  awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}'
}
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

alone=() busy=()
for ((i = 0; i < rounds; ++i)); do
  alone+=("$(seconds)")
  for ((j = 0; j < processes; ++j)); do
    (exec -a foreign_load bash -c 'while :; do :; done') &
    foreign+=($!)
  done
  busy+=("$(seconds)")
  kill "${foreign[@]}"
  wait "${foreign[@]}" 2>/dev/null || true
  foreign=()
done
awk -v a="$(median "${alone[@]}")" -v b="$(median "${busy[@]}")" -v n="$processes" -v most="$most" 'BEGIN {
  printf "alone %.2f s, beside %d busy process%s %.2f s: %.2f times\n", a, n, n == 1 ? "" : "es", b, b / a
  exit b / a > most }'
