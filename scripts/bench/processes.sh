#!/usr/bin/env bash
# What it costs to share a step among processes, and what to expect of more hosts.
#   scripts/bench/processes.sh [exchange|imbalance|step|table]… [--at-most RATIO] [--rounds N]      (without names: all of them)
# exchange   the sum of 45 MB of gradients on 2 processes beside MPI_Allreduce of as many, in turn, for each MPI; exit 1 above RATIO
# imbalance  what 2, 3, 4 and 8 processes lose on Multi30k (SEQGRAD_MULTI30K, or configs/multi30k) where they wait for the largest
#            shard; exit 1 above 5 %
# step       ref8k on 2 processes of one thread, on 1 process of two threads, and what the formula below says of the first
# table      T(W) = max leaf time + 2(W-1)/W * 4P/beta + 2*log2(W)*alpha + t_opt for 1 to 8 hosts like this one, of measured leaf and
#            update times and the beta and alpha of networks: 10 GbE as 1.17 GB/s and 30 us, 100 GbE as 11.7 GB/s and 10 us
set -euo pipefail
cd "$(dirname "$0")/../.."
parts=() most=1000000 rounds=3
while [[ $# -gt 0 ]]; do
  case $1 in
    --at-most) most=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    exchange | imbalance | step | table) parts+=("$1"); shift ;;
    *) echo "error: expected exchange, imbalance, step, table, --at-most or --rounds, got '$1'" >&2; exit 2 ;;
  esac
done
[[ ${#parts[@]} -gt 0 ]] || parts=(exchange imbalance step table)
command -v jq >/dev/null || { echo "error: jq is needed: sudo apt-get install -y jq" >&2; exit 2; }
[[ -n ${SEQGRAD_BUILD:-} || -x build/seqgrad ]] || scripts/build.sh seqgrad
seqgrad=${SEQGRAD_BUILD:-build}/seqgrad
source scripts/lib/mpirun.sh
missed=0

exchange() {
  local mpi line=""
  for mpi in "${mpis[@]}"; do
    local out
    out=$(run_on "$mpi" 2 "$seqgrad" bench exchange --threads 1 --steps $((10 * rounds)) --json)
    line+=$(jq -r '"\(.library): \(.sum_ms.median * 10 | round / 10) ms, MPI_Allreduce \(.allreduce_ms.median * 10 | round / 10) ms (\(.sum_over_allreduce * 100 | round / 100)x), a gather of 8 bytes \(.gather_us.median * 10 | round / 10) us"' <<<"$out")"; "
    jq -e --argjson most "$most" '.sum_over_allreduce <= $most' <<<"$out" >/dev/null || missed=1
  done
  echo "exchange of 45 MB on 2 processes: ${line%; }"
}

imbalance() {
  local dir=${SEQGRAD_MULTI30K:-configs/multi30k} files=() split shards percent line=""
  [[ -f $dir/train.lc.norm.tok.de ]] || { echo "imbalance: not run: $dir/train.lc.norm.tok.de is not there (scripts/data/get_multi30k.sh)"; return; }
  dir=$(realpath "$dir")
  for split in train:train dev:val test:test_2016_flickr; do
    files+=(--set "data.${split%%:*}={src: $dir/${split#*:}.lc.norm.tok.de, trg: $dir/${split#*:}.lc.norm.tok.en}")
  done
  for shards in 2 3 4 8; do
    percent=$("$seqgrad" train configs/multi30k_de_en.yaml "${files[@]}" --set train.batch.shards="$shards" --dry-run -q |
      sed -nE 's/^shards: .* lose ([0-9.]+) % of an epoch/\1/p')
    line+="$shards: $percent %, "
    awk -v p="${percent:-100}" 'BEGIN {exit p <= 5}' && missed=1
  done
  echo "imbalance on Multi30k, shards of a batch, one a process: ${line%, }"
}

# Milliseconds of the fastest step of ref8k, and of its update, "STEP UPDATE": THREADS ROWS
step_ms() {
  local i
  for ((i = 0; i < rounds; ++i)); do
    "$seqgrad" bench step --preset ref8k --axis B="$2" --threads "$1" --steps 6 --warmup 1 --phases --json |
      jq -r '"\(.ms_per_step.min) \(.phases.optimiser)"'
  done | sort -g | head -n 1
}

fastest() { sort -g | head -n 1; }

step() {
  local one=() two=() i leaf exchange_ms
  for ((i = 0; i < rounds; ++i)); do
    one+=("$("$seqgrad" bench step --preset ref8k --threads 2 --steps 6 --warmup 1 --json | jq .ms_per_step.min)")
    two+=("$(run_on "${mpis[0]}" 2 "$seqgrad" bench step --preset ref8k --threads 1 --shards 2 --steps 6 --warmup 1 --json | jq .ms_per_step.min)")
  done
  leaf=$(step_ms 1 32)
  exchange_ms=$(run_on "${mpis[0]}" 2 "$seqgrad" bench exchange --threads 1 --steps 20 --json | jq .sum_ms.min)
  awk -v a="$(printf '%s\n' "${one[@]}" | fastest)" -v b="$(printf '%s\n' "${two[@]}" | fastest)" -v leaf="${leaf% *}" -v x="$exchange_ms" 'BEGIN {
    printf "ref8k, fastest step: 2 processes x 1 thread %.0f ms, 1 process x 2 threads %.0f ms (%.2fx); T(2): half a batch and an update on 1 thread %.0f ms + exchange %.0f ms = %.0f ms\n", b, a, b / a, leaf, x, leaf + x }'
}

table() {
  local threads rows ms
  threads=$(nproc)
  declare -A leaf update
  for rows in 8 16 32 64 128 256; do
    read -r ms update[$rows] <<<"$(step_ms "$threads" "$rows")"
    leaf[$rows]=$(awk -v a="$ms" -v b="${update[$rows]}" 'BEGIN {print a - b}')
  done
  local parameters
  parameters=$("$seqgrad" bench step --preset ref8k --threads "$threads" --steps 1 --warmup 0 --json | jq .params)
  echo "ref8k, $(awk -v p="$parameters" 'BEGIN {printf "%.1f", p / 1e6}') million parameters, hosts of $threads threads like this one (update $(awk -v u="${update[64]}" 'BEGIN {printf "%.0f", u}') ms): milliseconds a step, and the share of W times one host"
  printf '%-22s %-12s %-16s %-16s %-16s %-16s\n' batch network "1 host" "2 hosts" "4 hosts" "8 hosts"
  local batch net beta alpha w line
  for batch in 64 256; do
    for net in "10 GbE:1.17:0.030" "100 GbE:11.7:0.010"; do
      IFS=: read -r net beta alpha <<<"$net"
      line=""
      for w in 1 2 4 8; do
        [[ -n ${leaf[$((batch / w))]:-} ]] || continue
        line+=$(awk -v w="$w" -v leaf="${leaf[$((batch / w))]}" -v one="${leaf[$batch]}" -v p="$parameters" -v beta="$beta" -v alpha="$alpha" -v opt="${update[64]}" 'BEGIN {
          t = leaf + 2 * (w - 1) / w * 4 * p / (beta * 1e6) + 2 * log(w) / log(2) * alpha + opt
          printf "%-16s", sprintf("%.0f (%.0f %%)", t, 100 * (one + opt) / (w * t)) }')" "
      done
      printf '%-22s %-12s %s\n' "$batch sentences" "$net" "$line"
    done
  done
}

for part in "${parts[@]}"; do "$part"; done
exit $missed
