#!/usr/bin/env bash
# Runs the recorded loss cases and prints how many there are, their size, and whether all are as expected.
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad >&2
megabytes=$(find tests/cases -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.1f", s / 1e6 }')
code=0
tally=$(build/seqgrad check tests/cases | tail -n 1) || code=$?
count=${tally%% *}
echo "$tally, $megabytes MB"
[[ $code -le 1 ]] || exit "$code"
[[ $code -eq 0 && $count -ge 300 ]] && awk -v m="$megabytes" 'BEGIN { exit !(m < 10) }'
