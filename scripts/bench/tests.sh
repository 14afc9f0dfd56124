#!/usr/bin/env bash
# Runs some tests and says how many: test files by name, or with --case test cases by (wild-card) name.
#   scripts/bench/tests.sh test_loss test_ops          scripts/bench/tests.sh --case 'P1:*' 'P2:*'
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ -x build/tests/seqgrad_tests ]] || { scripts/setup.sh test && SEQGRAD_TESTS=ON scripts/build.sh all; } >&2
filters=()
if [[ ${1:-} == --case ]]; then
  shift
  filters=("$@")
else
  for file in "$@"; do filters+=("[#$file]"); done
fi
[[ ${#filters[@]} -gt 0 ]] || { echo "error: name at least one test" >&2; exit 2; }
for filter in "${filters[@]}"; do  # one that matches nothing must not pass
  out=$(build/tests/seqgrad_tests -# "$filter" --list-tests 2>/dev/null || true)
  grep -qE '[1-9][0-9]* (matching )?test case' <<<"$out" || { echo "error: no test matches '$filter'" >&2; exit 2; }
done
joined=$(IFS=,; echo "${filters[*]}")
if out=$(build/tests/seqgrad_tests -# "$joined" 2>&1); then
  grep -E 'assertions? in' <<<"$out" | tail -n 1
else
  tail -n 30 <<<"$out" >&2
  grep -E '^(test cases|assertions):' <<<"$out" | tr '\n' ' '
  echo
  exit 1
fi
