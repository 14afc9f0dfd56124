#!/usr/bin/env bash
# JoeyNMT's reverse task, as its generator makes it: 50,000 lists for training (1 to 25 numbers from 0 to 49), 1,000 for
# validation and 1,000 for the test (1 to 30 numbers). Trains configs/joeynmt_reverse.yaml and prints BLEU of greedy
# translations of the test.    scripts/bench/joeynmt_reverse.sh [options of train]
# Exit 1 when BLEU is not above SEQGRAD_ABOVE (default 95.2, theirs).
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad
data=build/bench/joeynmt_reverse
mkdir -p "$data" build/bench/runs
lists() {  # COUNT LONGEST SEED: a generator of its own (minimal standard), for awk's differs from system to system
  awk -v n="$1" -v longest="$2" -v x="$3" '
    function below(k) { x = x * 16807 % 2147483647; return int(x / 2147483647 * k) }
    BEGIN {
      for (i = 0; i < n; ++i) {
        length_ = 1 + below(longest); source = target = ""
        for (k = 0; k < length_; ++k) { v = below(50); source = source (k ? " " : "") v; target = v (k ? " " : "") target }
        print source "\t" target
      }
    }'
}
lists 50000 25 42 >"$data/train.tsv"
lists 1000 30 43 >"$data/dev.tsv"
lists 1000 30 44 >"$data/test.tsv"
run=$(mktemp -d build/bench/runs/joeynmt_reverse-XXXX)
start=$SECONDS
build/seqgrad train configs/joeynmt_reverse.yaml --run-dir "$run" "$@" >"$run.log" 2>&1 || { tail -n 3 "$run.log" >&2; exit 3; }
took=$((SECONDS - start))
build/seqgrad evaluate "$run" --split test --json -q |
  jq -r --arg s "$took" --argjson above "${SEQGRAD_ABOVE:-95.2}" \
    '"BLEU \(.bleu * 100 | round / 100) (\(.bleu_signature)), exact \(.sequence_accuracy * 1000 | round / 10) % of \(.sentences) lists of up to 30, greedy, \($s) s",
     (if .bleu <= $above then "missed" else empty end)' | tee "$run.verdict" | grep -vx missed
! grep -qx missed "$run.verdict"
