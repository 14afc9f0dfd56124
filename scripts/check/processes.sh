#!/usr/bin/env bash
# One run has one result, however many processes share it: weights, moments, metrics without times and samples of runs without
# mpirun, and on 1 to 4 processes of each MPI, whole, stopped and resumed on other numbers of them, and killed.
#   scripts/check/processes.sh [--all] [--kills N]      (--all: every attention, with and without accumulation, 1 and 2 threads;
#                                                        --kills: runs of which a random process is killed, one for each MPI)
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib/mpirun.sh
all=0 kills=${#mpis[@]}
while [[ $# -gt 0 ]]; do
  case $1 in
    --all) all=1; shift ;;
    --kills) kills=$2; shift 2 ;;
    *) echo "error: unknown option $1" >&2; exit 2 ;;
  esac
done
seqgrad=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
bad() { echo "FAILED: $*"; failed=1; }

# 120 pairs with masks and weights; batches of 17, so that the last one has a single sentence.
head -n 120 configs/my_text.tsv >"$work/train.tsv"
head -n 20 configs/my_text_dev.tsv >"$work/dev.tsv"
cells() { awk -F'\t' "{n = split(\$2, w, \" \"); for (i = 1; i <= n; ++i) printf \"%s \", $1; print 1}" "$work/train.tsv"; }
cells '((7 * i + NR) % 5 > 0)' >"$work/mask"
cells '(1 + (3 * i + NR) % 4) / 2' >"$work/weights"
cat >"$work/config.yaml" <<'YAML'
name: processes
data: {train: {tsv: train.tsv}, dev: {tsv: dev.tsv}, mask: mask, weights: {token: weights}, vocabulary: {kind: word}}
model: {embedding: 12, encoder: {hidden: 8}, decoder: {hidden: 16}, dropout: {hidden: 0.2}}
loss: {mask: {file: true}, weights: {token: true}, compare: [torch.mean]}
train: {epochs: 8, batch: {size: 17, shards: 4}, teacher_forcing: 0.8, log_every: 3, validate_every: 7}
report: {samples: 2}
YAML

# What a run leaves that must not depend on who computed it.
outcome() {
  { cat "$1"/checkpoints/last/{model,optim}.safetensors "$1"/checkpoints/last/state.json
    sed 's/,"seconds.*//' "$1/metrics.jsonl"
    cat "$1"/samples/*; } | sha256sum | cut -c1-16
}
train() {  # MPI|none N ARGUMENT…
  local mpi=$1 n=$2 command=("$seqgrad" train "${@:3}" -q)
  if [[ $mpi == none ]]; then "${command[@]}"; else timeout 120 bash -c "$(declare -f run_on); $(declare -p mpirun); run_on $mpi $n \"\$@\"" run "${command[@]}"; fi >"$work/out" 2>"$work/err" ||
    { bad "$mpi $n: $(grep -v '^$' "$work/err" | head -n 3)"; rm -rf "$work/run"; return 1; }
}
same() {  # WHAT RUN
  local got
  got=$(outcome "$2")
  runs=$((runs + 1))
  [[ $got == "$expected" ]] || bad "$1: digest $got, without mpirun $expected"
  rm -rf "$2"
}

attentions=(general) accumulations=(3) threads=(1) runs=0
if [[ $all -eq 1 ]]; then attentions=(none dot general additive) accumulations=(1 3) threads=(1 2); fi
for attention in "${attentions[@]}"; do
  for accumulation in "${accumulations[@]}"; do
    what="$work/config.yaml --set model.attention=$attention --set train.accumulation=$accumulation"
    read -ra options <<<"$what"
    rm -rf "$work/whole"
    train none 1 "${options[@]}" --threads 1 --run-dir "$work/whole" || exit 1
    expected=$(outcome "$work/whole")
    for mpi in "${mpis[@]}"; do
      for t in "${threads[@]}"; do
        for n in 1 2 3 4; do
          train "$mpi" "$n" "${options[@]}" --threads "$t" --run-dir "$work/run" && same "$mpi $n x $t threads, $attention, accumulation $accumulation" "$work/run"
        done
      done
      if train "$mpi" 1 "${options[@]}" --max-steps 7 --run-dir "$work/run" && train "$mpi" 3 --resume "$work/run" --max-steps 13 &&
        train "$mpi" 2 --resume "$work/run" --max-steps 20 && train "$mpi" 4 --resume "$work/run"; then
        same "$mpi 1, 3, 2, 4 resumed, $attention, accumulation $accumulation" "$work/run"
      fi
    done
  done
done

# What ends a run in all processes alike is said once, with our exit code.
ends() {  # WHAT CODE MESSAGE ARGUMENT… (on 3 processes of the first MPI)
  local code=0
  timeout 60 "${mpirun[${mpis[0]}]}" --map-by :OVERSUBSCRIBE --bind-to none -n 3 "$seqgrad" "${@:4}" >"$work/out" 2>"$work/err" || code=$?
  [[ $code -eq $2 ]] || bad "$1: exit $code, expected $2: $(head -n 3 "$work/err")"
  [[ $(grep -c -- "$3" "$work/err") -eq 1 ]] || bad "$1: '$3' is said $(grep -c -- "$3" "$work/err") times: $(head -n 5 "$work/err")"
}
rm -rf "$work/run"
ends "a config with an error" 2 "1 error; nothing was run" train "$work/config.yaml" --set train.epoch=3 --run-dir "$work/run"
ends "more processes than parts" 2 "3 processes" train "$work/config.yaml" --set train.batch.shards=2 --run-dir "$work/run"
ends "divergence" 1 "error: " train "$work/config.yaml" --set optim.lr=1e38 --run-dir "$work/run"
rm -rf "$work/run"

# A process that is killed ends all; the run goes on from its last checkpoint and has the bytes of one that was not.
processes_of() { for p in /proc/[0-9]*; do if [[ $(tr '\0' ' ' 2>/dev/null <"$p/cmdline") == "$seqgrad train"*"$work/killed"* ]]; then echo "${p#/proc/}"; fi; done; }
options=("$work/config.yaml" --set train.epochs=150 --set checkpoint.every=5 --set train.validate_every=100)
slowest=0
if [[ $kills -gt 0 ]]; then
  train none 1 "${options[@]}" --run-dir "$work/whole-long" || exit 1
  expected=$(outcome "$work/whole-long")
fi
for ((i = 0; i < kills; ++i)); do
  mpi=${mpis[i % ${#mpis[@]}]} run=$work/killed
  run_on "$mpi" 3 "$seqgrad" train "${options[@]}" --run-dir "$run" >"$work/out" 2>"$work/err" &
  launcher=$!
  for ((tries = 0; tries < 600; ++tries)); do
    if [[ -e $run/checkpoints/last ]]; then break; fi
    sleep 0.05
  done
  sleep "0.$((RANDOM % 1000))"
  victim=$(processes_of | shuf -n 1)
  begin=$EPOCHREALTIME
  kill -9 "$victim" 2>/dev/null || true
  wait "$launcher" && bad "$mpi: a run whose process was killed ended well"
  took=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')
  slowest=$(printf '%s\n' "$slowest" "$took" | sort -g | tail -n 1)
  awk -v t="$took" 'BEGIN {exit t > 5}' || bad "$mpi: ended $took s after a process was killed"
  [[ -z $(processes_of) ]] || bad "$mpi: processes are left"
  train "$mpi" 2 --resume "$run" && same "$mpi resumed after a kill" "$run"
  rm -rf "$run"
done
echo "$runs runs on 1 to 4 processes of ${mpis[*]} equal those without mpirun; $kills killed, all ended within $slowest s and resumed"
exit $failed
