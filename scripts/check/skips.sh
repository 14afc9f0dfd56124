#!/usr/bin/env bash
# Names the tests that a log of ctest says were skipped; exit 1 for one that tests/skips.txt does not name.
#   scripts/check/skips.sh LOG
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t skipped < <(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([A-Za-z0-9_]+) \.+\*\*\*Skipped.*/\1/p' "$1" | sort -u)
mapfile -t named < <(sed -E '/^(#|$)/d; s/ .*//' tests/skips.txt)
bad=0
for name in "${skipped[@]}"; do
  if reason=$(grep -E "^$name " tests/skips.txt); then
    echo "skipped: $name:$(sed -E 's/^[^ ]+ +/ /' <<<"$reason")"
  else
    echo "error: $name was skipped, and tests/skips.txt does not name it"
    bad=1
  fi
done
echo "${#skipped[@]} skipped, ${#named[@]} may be"
exit "$bad"
