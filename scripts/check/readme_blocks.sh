#!/usr/bin/env bash
# Runs every ```sh block of README.md, in order, in a copy of the checkout.
# A comment <!-- test: ARGUMENTS --> before a block adds ARGUMENTS to its scripts/train.sh lines, to bound their time;
# <!-- test: skip REASON --> prints the block as skipped with its reason.
set -euo pipefail
unset SEQGRAD_BUILD  # the copy has a build of its own
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work" "$work.out"' EXIT
tar -c --exclude=./build --exclude='./build-*' --exclude=./runs --exclude=./.git . | tar -x -C "$work"
cd "$work"
block="" extra="" inside=0 number=0
while IFS= read -r line; do
  if [[ $inside -eq 0 && $line =~ ^'<!-- test: '(.*)' -->'$ ]]; then extra=${BASH_REMATCH[1]}; continue; fi
  if [[ $inside -eq 0 && $line == '```sh' ]]; then inside=1 block=""; continue; fi
  if [[ $inside -eq 1 && $line == '```' ]]; then
    inside=0 number=$((number + 1))
    if [[ $extra == skip* ]]; then
      echo "block $number: skipped:${extra#skip}"
    else
      [[ -n $extra ]] && block=$(sed -E "s|^(scripts/train\.sh .*)$|\1 $extra|" <<<"$block")
      echo "block $number:"; sed 's/^/  $ /' <<<"$block"
      bash -euo pipefail -c "$block" >"$work.out" 2>&1 || { tail -n 20 "$work.out"; echo "error: block $number of README.md failed"; exit 1; }
    fi
    extra=""
    continue
  fi
  [[ $inside -eq 1 ]] && block+="$line"$'\n'
done <"$root/README.md"
[[ $number -gt 0 ]] || { echo "error: README.md has no sh blocks"; exit 1; }
echo "$number blocks ran"
