#!/usr/bin/env bash
# Trains the configs of built-in tasks and appends one JSON row a run to build/bench/tasks.jsonl; a run whose row is there
# is not repeated. Then says, per config, median and minimum of the exact match and the longest training time.
#   scripts/bench/tasks.sh [--seeds N] [--at-least PERCENT] [--minutes M] [--beside JOB]… JOB…
# JOB is CONFIG[:KEY=VALUE], e.g. copy or phrases:data.direction=en-de. --beside: trained too, and its median is printed
# behind the others, without a bar.
# Exit 1 when a minimum or a time misses its bar.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=1 at_least=0 minutes=1000 jobs=() beside=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seeds) seeds=$2; shift 2 ;;
    --at-least) at_least=$2; shift 2 ;;
    --minutes) minutes=$2; shift 2 ;;
    --beside) beside+=("$2"); shift 2 ;;
    -*) echo "error: unknown option $1" >&2; exit 2 ;;
    *) jobs+=("$1"); shift ;;
  esac
done
[[ ${#jobs[@]} -gt 0 ]] || { echo "error: a config is needed, e.g. scripts/bench/tasks.sh copy" >&2; exit 2; }
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad

rows=build/bench/tasks.jsonl
mkdir -p build/bench/runs
touch "$rows"
failed=0 others=""
for job in "${beside[@]}"; do
  line=$(scripts/bench/tasks.sh --seeds "$seeds" "$job" | head -n 1)
  others+=" | $(sed -E 's/: exact median ([0-9.]+ %).*/ \1/' <<<"$line")"
done
for job in "${jobs[@]}"; do
  config=configs/${job%%:*}.yaml
  set=()
  [[ $job == *:* ]] && set=(--set "${job#*:}")
  digest=$({ build/seqgrad config "$config" "${set[@]}" --resolved; cat configs/phrases_lexicon.tsv; } | sha256sum | cut -c1-12)
  for seed in $(seq 1 "$seeds"); do
    key="select(.job == \"$job\" and .seed == $seed and .config == \"$digest\")"
    if [[ -z $(jq -c "$key" "$rows") ]]; then
      run=$(mktemp -d "build/bench/runs/${job//[:=]/-}-$seed-XXXX")
      start=$(date +%s.%N)
      build/seqgrad train "$config" "${set[@]}" --seed "$seed" --run-dir "$run" >"$run.log" 2>&1 || { tail -n 5 "$run.log" >&2; exit 3; }
      seconds=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f", b - a}')
      build/seqgrad evaluate "$run" --split test --json -q |
        jq -c --arg job "$job" --arg config "$digest" --arg commit "$(git rev-parse --short HEAD 2>/dev/null || echo none)" \
          --arg line "$(grep '^test:' "$run.log")" --argjson seed "$seed" --argjson seconds "$seconds" \
          '{job: $job, seed: $seed, config: $config, commit: $commit, seconds: $seconds} + . + {line: $line}' >>"$rows"
      rm -rf "$run/checkpoints"
    fi
  done
  jq -rs --arg job "$job" --arg config "$digest" --argjson seeds "$seeds" --argjson at_least "$at_least" --argjson minutes "$minutes" --arg others "$others" '
    [.[] | select(.job == $job and .config == $config and .seed <= $seeds)] as $r
    | ($r | map(100 * .sequence_accuracy) | sort) as $a | ($r | map(.seconds) | max) as $s
    | "\($job): exact median \($a[($a | length) / 2 | floor] * 10 | round / 10) %, minimum \($a[0] * 10 | round / 10) % of \($r[0].sentences) unseen sources, \($r | length) seeds, at most \($s | round) s"
      + (if ($r[0].line | contains("|")) then " (seed 1 " + ($r[0].line | sub("^[^|]*\\| "; "")) + ")" else "" end) + $others,
      (if $a[0] < $at_least or $s > 60 * $minutes then "missed" else empty end)' "$rows" | tee build/bench/verdict
  if grep -qx missed build/bench/verdict; then failed=1; fi
done
exit "$failed"
