#!/usr/bin/env bash
# Runs scripts/bench/whole_run.sh with a PyTorch that only says how long it took, and checks what it is given, what is
# printed, and that each bar is held.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v jq >/dev/null || { echo "skipped: jq is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "error: $1" >&2; cat "$work/said" >&2; exit 1; }

# Its loop takes 1000 s, as installed 20 s an update; it counts the parameters of the model below.
cat >"$work/python" <<'PEER'
#!/usr/bin/env bash
[[ $1 != -c ]] || exit 0
echo "$*" >>"$(dirname "$0")/runs"
read -r parameters updates <"$(dirname "$0")/work"
case "$*" in *--whole*) test='"test": {"sequence_accuracy": 0.25},' ;; *) test="" ;; esac
case "$*" in *--tuned*) seconds=1000 ;; *) seconds=$((20 * updates)) ;; esac
wc -l <"$3/train.tsv" >"$(dirname "$0")/pairs"
echo "{$test \"torch\": \"9\", \"threads\": 1, \"bf16\": false, \"params\": $parameters, \"updates\": $updates, \"train_s\": $seconds}"
PEER
chmod +x "$work/python"
sizes=(model.embedding=4 model.encoder.hidden=4 model.decoder.hidden=4 data.sizes.train=70 data.sizes.dev=5 data.sizes.test=5 train.epochs=2)
whole() {
  local set=() code=0
  for key in "${sizes[@]}"; do set+=(--set "$key"); done
  scripts/bench/whole_run.sh configs/dates.yaml --python "$work/python" --threads 1 "${set[@]}" "$@" >"$work/out" 2>"$work/said" || code=$?
  cat "$work/out" >>"$work/said"
  return "$code"
}
# Refused at first, as it has no parameters; the message says how many our model has.
echo "0 4" >"$work/work"
code=0
whole || code=$?
[[ $code -ne 0 ]] || fail "another number of parameters passes for the same work"
sed -n 's/.*updates of \([0-9]*\) parameters, PyTorch.*/\1 4/p' "$work/said" >"$work/work"
[[ -s $work/work ]] || fail "the difference is not told"
whole --at-most 100 --at-least 0.0001 --loop-at-least 5 --installed-at-least 0.1 --minutes 5 || fail "bars that are met are missed"
grep -q '^dates, 4 updates of .* outside of training steps (start .*; exact [0-9.]* %.*; PyTorch 9 tuned, 1 threads, .*, its training loop 1000 s (.*; exact 25 %; as installed 80 s of training (.*), from 4 updates$' "$work/out" || fail "the line is another"
[[ $(cat "$work/pairs") -eq 70 ]] || fail "PyTorch is not given the pairs"
[[ $(tail -n 1 "$work/runs") != *--tuned* && $(tail -n 2 "$work/runs" | head -n 1) == *--tuned*--whole* ]] || fail "PyTorch is run otherwise"
for bar in "--at-most 0.001" "--minutes 0" "--at-least 1000" "--loop-at-least 1000000" "--installed-at-least 1000000"; do
  read -ra words <<<"$bar"
  code=0
  whole "${words[@]}" || code=$?
  [[ $code -eq 1 ]] || fail "$bar is not held: exit $code"
  grep -qx "missed: ${words[0]}" "$work/said" || fail "$bar is not named"
done
rm "$work/python"
code=0
whole --at-least 1 || code=$?
[[ $code -eq 77 ]] || fail "a bar that needs PyTorch is not left open without it"
whole --at-most 100 || fail "our own bar needs PyTorch"
echo "whole_run.sh compares the same work, and holds its bars"
