#!/usr/bin/env bash
# Times how long the executable takes to say its version and what it knows, and prints medians and best of 21.
#   scripts/bench/startup.sh [--at-most MS]      exit 1 when a median is above
set -euo pipefail
cd "$(dirname "$0")/../.."
most=1000000
[[ ${1:-} != --at-most ]] || most=$2
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
line="" missed=0
for words in --version info; do
  times=$(for ((i = 0; i < 21; ++i)); do
    start=$EPOCHREALTIME
    build/seqgrad $words >/dev/null
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {print 1000 * (b - a)}'
  done | sort -g)
  line+="$(awk -v w="$words" '{v[NR] = $1} END {printf "seqgrad %s %.1f ms, best %.1f; ", w, v[11], v[1]}' <<<"$times")"
  awk -v most="$most" '{v[NR] = $1} END {exit v[11] <= most}' <<<"$times" && missed=1
done
echo "${line%; }"
exit $missed
