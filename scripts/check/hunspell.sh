#!/usr/bin/env bash
# Every word that the task `phrases` can say, in both languages, must pass hunspell (de_DE, en_US); exceptions stand with
# their reason in scripts/check/hunspell_exceptions.txt. Exit 77 (skipped) without hunspell or its dictionaries.
set -euo pipefail
cd "$(dirname "$0")/../.."
dictionaries=$(hunspell -D 2>&1 </dev/null || true)
if [[ $dictionaries != *de_DE* || $dictionaries != *en_US* ]]; then
  echo "skipped: hunspell with de_DE and en_US is not installed (apt-get install hunspell hunspell-de-de hunspell-en-us)"
  exit 77
fi
build=${SEQGRAD_BUILD:-build}
[[ -x $build/seqgrad ]] || scripts/build.sh seqgrad
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What is said, and every form in the table, said or not.
"$build/seqgrad" data configs/phrases.yaml --split train --head 20000 -q >"$work/train"
cut -f1 "$work/train" | tr ' ' '\n' >"$work/de"
cut -f2 "$work/train" | tr ' ' '\n' >"$work/en"
awk -F'\t' -v OFS='\n' -v de="$work/de" -v en="$work/en" '
  $1 == "noun" { print $3, $4, $5, $6, $7 >>de; print $8, $9 >>en }
  $1 == "verb" { print $2, $3, $4, $5, $6, $7 >>de; if ($9 != "-") { print $9 $3, $9 $5 >>de } print $10, $11, $12 >>en }
  $1 == "adj" { print $2, $3, $4, $5, $6 >>de; print $7 >>en }
  $1 == "adv" { print $2 >>de; print $3 >>en }' configs/phrases_lexicon.tsv
failed=0
for language in de_DE en_US; do
  sort -u "$work/${language%_*}" | grep -E '[[:alpha:]]' >"$work/words"
  { grep "^$language " scripts/check/hunspell_exceptions.txt || true; } | cut -d' ' -f2 | sort >"$work/excepted"
  hunspell -d "$language" -i utf-8 -l <"$work/words" | sort -u >"$work/refused"
  unknown=$(comm -23 "$work/refused" "$work/excepted" | tr '\n' ' ')
  stale=$(comm -13 "$work/refused" "$work/excepted" | tr '\n' ' ')
  [[ -z $unknown ]] || { echo "error: $language does not know: $unknown"; failed=1; }
  [[ -z $stale ]] || { echo "error: exceptions that are none, $language: $stale"; failed=1; }
  echo "$language: $(wc -l <"$work/words") forms pass, $(wc -l <"$work/excepted") of them as exceptions"
done
exit "$failed"
