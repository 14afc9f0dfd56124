#!/usr/bin/env bash
# Measures every CPU target beside PyTorch (as tuned as its user could, and as installed) and JAX, and prints one table:
# medians of interleaved rounds, ratios, memory, and the share of the limit that the arithmetic or memory of this machine sets.
#   scripts/bench/compare_cpu.sh [--python PY]… [--peers DIR] [--rounds N] [--threads "2 1"] [--out FILE] [--fresh]
#                                [--tries N] [--table] [--quick] [--run DIR] [--record FILE] [--readme FILE] [ROW…]
# Results go to FILE (build/bench/compare_cpu.jsonl), a line a measurement, and FILE.json (the table); a call that was cut
# off goes on where it was, another build or machine starts afresh. ROW selects rows by their name or a part of it; --table only
# prints; --quick is one round on two threads of the rows that take seconds. --run: a trained run with a test split, by which
# decoding is measured (rows of decoding are left out without it). --record puts the table into FILE in place of the older
# one of this machine, and the best rates that were seen on it, 5 % below which a limit counts as disturbed;
# scripts/bench/compare/machines.md, which has a block a machine, is where they are read without it. --readme puts what that
# block says of the most threads between the lines <!-- compare_cpu --> and <!-- end --> of FILE. A measurement during which
# other processes took more than 0.15 of a core is repeated, N times (3) at the most, then kept and marked. --python: with torch or with jax and optax; without it those of SEQGRAD_PEERS (colon-separated) or
# SEQGRAD_PYTHON, else the virtual environment build/peers, where there is one, and python3 (Debian's python3-torch).
# Exit 1 when a target is missed, 77 when something could not be measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/bench/compare/measure.sh
source scripts/bench/compare/machines.sh
build=${SEQGRAD_BUILD:-build}
rounds=3 threads="2 1" out=build/bench/compare_cpu.jsonl tries=3 fresh=0 table=0 quick=0 record=0 readme="" run="" peers=scripts/bench/peers pythons=() wanted=()
machines=scripts/bench/compare/machines.md
while [[ $# -gt 0 ]]; do
  case $1 in
    --python | --peers | --rounds | --threads | --out | --tries | --run | --record | --readme)
      [[ $# -gt 1 ]] || { echo "error: $1 needs a value" >&2; exit 2; }
      case $1 in
        --python) pythons+=("$2") ;;
        --peers) peers=$2 ;;
        --rounds) rounds=$2 ;;
        --threads) threads=$2 ;;
        --out) out=$2 ;;
        --tries) tries=$2 ;;
        --run) run=$2 ;;
        --record) record=1 machines=$2 ;;
        --readme) readme=$2 ;;
      esac
      shift 2 ;;
    --fresh) fresh=1; shift ;;
    --table) table=1; shift ;;
    --quick) quick=1 rounds=1 threads=2; shift ;;
    -*) echo "error: unknown option $1" >&2; exit 2 ;;
    *) wanted+=("$1"); shift ;;
  esac
done
[[ $rounds =~ ^[1-9][0-9]?$ && $tries =~ ^[1-9][0-9]?$ && $threads =~ ^[1-9][0-9]*(\ [1-9][0-9]*)*$ ]] ||
  { echo "error: --rounds and --tries are 1 to 99, --threads a list of numbers such as \"2 1\"" >&2; exit 2; }
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
rows=$(jq -c --args 'map(.row) as $names | .[] | .row as $r | select($ARGS.positional == [] or any($ARGS.positional[];
  . as $w | $r == $w or (any($names[]; . == $w) | not) and ($r | contains($w))))' \
  "${wanted[@]}" <scripts/bench/compare/rows.json)
[[ $quick -eq 0 ]] || rows=$(jq -c 'select(.quick)' <<<"$rows")
[[ -n $run ]] || rows=$(jq -c 'select(.kind != "decode")' <<<"$rows")
[[ -n $rows ]] || { echo "error: no row has a name with ${wanted[*]}" >&2; exit 2; }

print_table() {
  [[ -s $out ]] || { echo "error: $out: nothing measured yet" >&2; exit 77; }
  jq -s --slurpfile rows <(printf '%s\n' "$rows") --slurpfile best <(best_rates "$(head -n 1 "$out" | jq -r .cpu)") \
    -f scripts/bench/compare/table.jq "$out" >"$out.json"
  [[ $record -eq 0 ]] || record_block
  [[ -z $readme ]] || write_readme "$(jq -r .run.cpu "$out.json")"
  jq -r -f scripts/bench/compare/print.jq "$out.json"
  case $(jq -r .verdict "$out.json") in met) exit 0 ;; missed) exit 1 ;; *) exit 77 ;; esac
}
[[ $table -eq 0 ]] || print_table

[[ -x $build/seqgrad ]] || scripts/build.sh seqgrad
unset OPENBLAS_CORETYPE  # it forces kernels that are wrong for this machine on PyTorch's BLAS
export TORCHINDUCTOR_COMPILE_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3 PYTHONDONTWRITEBYTECODE=1
[[ -f $peers/torch_cpu_step.py ]] || { echo "error: $peers/torch_cpu_step.py is not there; where are PyTorch's scripts? (--peers DIR)" >&2; exit 77; }
mkdir -p "$(dirname "$out")"
trap 'rm -f "$out".{result,err,times}' EXIT
find_peers
header=$(describe_run)
[[ ! -s $out ]] || sed -i '/}$/!d' "$out"  # a line that was cut off
if [[ -s $out && $(head -n 1 "$out" | jq -c '[.binary, .cpu]') != "$(jq -c '[.binary, .cpu]' <<<"$header")" ]]; then
  echo "note: $out is of another build or machine and now $out.old" >&2
  mv "$out" "$out.old"
fi
[[ $fresh -eq 0 ]] || rm -f "$out"
[[ -s $out ]] || printf '%s\n' "$header" >"$out"

while IFS= read -r row; do
  name=$(jq -r .row <<<"$row") kind=$(jq -r .kind <<<"$row")
  for n in $threads; do
    jq -e --argjson n "$n" '.threads == null or any(.threads[]; . == $n)' <<<"$row" >/dev/null || continue
    for ((round = 1; round <= rounds; ++round)); do
      read -ra ours < <(jq -r .ours <<<"$row")
      [[ $kind != decode ]] || ours+=(--run "$run")
      measure seqgrad "" "$build/seqgrad" bench "${ours[@]}" --threads "$n" --json
      ours_failed && continue
      while IFS=$'\t' read -r python framework version variant flags; do
        worth_another "$framework" "$variant" "$version" || continue
        read -ra args < <(jq -r --arg f "$framework" '(if $f == "jax" then .jax else .peer end) // ""' <<<"$row")
        read -ra more <<<"$flags"
        [[ ${#args[@]} -gt 0 ]] || continue
        [[ $kind != decode ]] || args+=("$run")
        read -ra script < <(script_of "$kind" "$framework") || true  # none: the program is the peer
        measure "$framework $variant" "$version" "$python" "${script[@]}" "${args[@]}" "${more[@]}" --threads "$n"
      done < <(variants "$kind")
    done
  done
done <<<"$rows"
print_table
