#!/usr/bin/env bash
# Runs the bars of tests/bars.yaml and prints, for each, what was measured, the bar and the verdict.
#   scripts/check/acceptance.sh [TOPIC…] [--list]         e.g. scripts/check/acceptance.sh loss runs; --list prints rows and topics
# A bar's command prints what it measured as its last line and exits 0 (met), 1 (missed), 77 (cannot run here: "not run")
# or anything else (not run, with its first error). A bar without a command has nothing to run yet: "not run".
set -euo pipefail
cd "$(dirname "$0")/../.."
list=0 topics=" "
for argument in "$@"; do
  if [[ $argument == --list ]]; then list=1; else topics+="$argument "; fi
done

# The file's own form, checked here: a list of {topic, text, bar, command}, each value on one line, quoted or not.
rows=$(awk '
  function bad(why) { printf "tests/bars.yaml:%d: error: %s\n", NR, why > "/dev/stderr"; failed = 1; exit 2 }
  function flush() {
    if (!open) return
    if (!("topic" in v) || !("text" in v) || !("bar" in v)) bad("a bar needs topic, text and bar")
    printf "%s\t%s\t%s\t%s\n", v["topic"], v["text"], v["bar"], ("command" in v) ? v["command"] : ""
    delete v
  }
  /^#/ || /^$/ { next }
  /^- [a-z]+: / { flush(); open = 1 }
  /^(- |  )[a-z]+: / {
    line = substr($0, 3); key = line; sub(/:.*/, "", key); value = line; sub(/^[a-z]+: */, "", value)
    if (key !~ /^(topic|text|bar|command)$/) bad("unknown key " key)
    if (value ~ /^".*"$/) { value = substr(value, 2, length(value) - 2); gsub(/\\"/, "\"", value) }
    v[key] = value; next
  }
  { bad("expected `- topic: loss` and indented text, bar and command") }
  END { if (failed) exit 2; flush() }' tests/bars.yaml)

for topic in $topics; do
  cut -f1 <<<"$rows" | grep -qxF -- "$topic" ||
    { echo "error: no topic '$topic'; there are: $(cut -f1 <<<"$rows" | awk '!seen[$0]++' | paste -sd' ')" >&2; exit 2; }
done

met=0 missed=0 not_run=0
out=$(mktemp)
trap 'rm -f "$out" "$out.err"' EXIT
while IFS=$'\t' read -r of text bar command; do
  [[ $topics == " " || $topics == *" $of "* ]] || continue
  if [[ $list -eq 1 ]]; then
    printf '%s  %s: %s\n     %s\n' "$of" "$text" "$bar" "${command:-(no command)}"
    continue
  fi
  measured="" verdict="not run"
  if [[ -n $command ]]; then
    code=0
    bash -uo pipefail -c "$command" >"$out" 2>"$out.err" </dev/null || code=$?
    measured=$(grep -v '^$' "$out" | tail -n 1 || true)
    case $code in
      0) verdict=met ;;
      1) verdict=missed ;;
      *) measured=${measured:-$(grep -m 1 . "$out.err" || echo "exit $code")} ;;
    esac
  fi
  case $verdict in met) met=$((met + 1)) ;; missed) missed=$((missed + 1)) ;; *) not_run=$((not_run + 1)) ;; esac
  printf '%s  %-8s %s\n     bar:      %s\n     measured: %s\n' "$of" "$verdict" "$text" "$bar" "${measured:--}"
done <<<"$rows"
[[ $list -eq 1 ]] || echo "$met met, $missed missed, $not_run not run"
[[ $missed -eq 0 ]]
