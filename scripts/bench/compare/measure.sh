# Parts of compare_cpu.sh: who takes part, and one measurement. Uses its variables: out, row, name, n, round, tries, peers, build.

# Fills `found`: lines of python, framework, version.
find_peers() {
  local python
  if [[ ${#pythons[@]} -eq 0 ]]; then
    IFS=: read -ra pythons <<<"${SEQGRAD_PEERS:-${SEQGRAD_PYTHON:-}}"
    if [[ ${#pythons[@]} -eq 0 ]]; then
      if [[ -x build/peers/bin/python ]]; then
        pythons=(build/peers/bin/python)
      else
        echo "note: the newest PyTorch and JAX are measured too, once they are there (6 GB):" \
          "python3 -m venv build/peers && build/peers/bin/pip install torch numpy sacrebleu jax optax" >&2
      fi
    fi
    pythons+=(python3)
  fi
  found=""
  for python in "${pythons[@]}"; do
    local version
    if version=$("$python" -c 'import torch; print(torch.__version__)' 2>/dev/null); then
      found+="$python"$'\t'"torch"$'\t'"$version"$'\n'
    fi
    if version=$("$python" -c 'import jax, optax; print(jax.__version__)' 2>/dev/null); then
      found+="$python"$'\t'"jax"$'\t'"$version"$'\n'
    fi
  done
  local source=scripts/bench/compare/onednn_gru.cpp program=build/bench/onednn_gru
  mkdir -p build/bench
  if [[ $program -nt $source ]] || g++ -O2 -fopenmp "$source" -o "$program" -ldnnl 2>/dev/null; then
    found+="$program"$'\t'"onednn"$'\t'"$("$program" --version)"$'\n'
  fi
  [[ $found == *torch* ]] || echo "note: no python here has torch: most rows stay without a peer" >&2
}

cpu_name() {  # "AMD EPYC (family 26, model 2), 2 cores": virtual machines give different processors one name
  awk -F '[[:space:]]*: ' -v cores="$(nproc)" '{said[$1] = $2} /^$/ {exit}
    END {printf "%s%s, %d cores", said["model name"], "cpu family" in said ? " (family " said["cpu family"] ", model " said["model"] ")" : "", cores}' /proc/cpuinfo
}

describe_run() {
  jq -nc --arg cpu "$(cpu_name)" \
    --arg isa "$("$build/seqgrad" info | sed -n 's/^isa *//p')" --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
    --arg binary "$(sha256sum "$build/seqgrad" | cut -c1-12)" --arg date "$(date -u +%F)" --arg peers "$found" \
    '{$cpu, $isa, $commit, $binary, $date, peers: [$peers | split("\n")[] | select(. != "") | split("\t") | "\(.[1]) \(.[2])"]}'
}

script_of() {  # KIND FRAMEWORK
  case $1:$2 in
    step:torch | step_bf16:torch) echo "$peers/torch_cpu_step.py" ;;
    step:jax) echo "$peers/jax_cpu_step.py" ;;
    loss:torch | linear:torch) echo "$peers/torch_ce.py" ;;
    gru:torch) echo scripts/bench/compare/torch_gru.py ;;
    decode:torch) echo "$peers/torch_decode.py" ;;
  esac
}

# Every way in which the peers run this kind of row: lines of python, framework, version, variant, flags.
variants() {
  local python framework version
  while IFS=$'\t' read -r python framework version; do
    local ways=() heap="--keep-heap" linear=""
    [[ $1 == linear ]] && linear="--linear --hidden 512"
    if [[ $framework == torch && $version == 1.* ]]; then
      grep -qw avx512f /proc/cpuinfo && heap+=" --aten-capability avx512"
      [[ -d /usr/lib/x86_64-linux-gnu/openblas-openmp ]] && heap+=" --openblas-lib-dir /usr/lib/x86_64-linux-gnu/openblas-openmp"
    fi
    case $framework:$1:$version in
      torch:step:1.*) ways=("tuned:$heap --drop-pad --foreach" "installed:") ;;
      torch:step:*) ways=("tuned:$heap --drop-pad --fused" "compiled:$heap --drop-pad --fused --compile" "installed:") ;;
      torch:step_bf16:1.*) ways=("tuned:$heap --drop-pad --foreach") ;;
      torch:step_bf16:*) ways=("tuned:$heap --drop-pad --fused" "autocast:$heap --drop-pad --fused --autocast-bf16") ;;
      torch:loss:1.*) ways=("tuned:$heap" "installed:") ;;
      torch:loss:*) ways=("tuned:$heap" "compiled:$heap --impl compile" "installed:") ;;
      torch:linear:1.*) ways=("tuned:$linear $heap --drop-pad" "installed:$linear") ;;
      torch:linear:*) ways=("tuned:$linear $heap --drop-pad" "compiled:$linear $heap --drop-pad --impl compile"
        "chunked:$linear $heap --drop-pad --impl chunked" "installed:$linear") ;;
      torch:decode:1.*) ways=("tuned:--keep-heap") ;;
      torch:decode:*) ways=("tuned:--keep-heap" "compiled:--keep-heap --compile") ;;
      torch:gru:*) ways=("tuned:$heap" "installed:") ;;
      onednn:gru:*) ways=("primitive:") ;;
      jax:step:*) ways=("jit:") ;;
    esac
    local way
    for way in "${ways[@]}"; do
      printf '%s\t%s\t%s\t%s\t%s\n' "$python" "$framework" "$version" "${way%%:*}" "${way#*:}"
    done
  done <<<"${found%$'\n'}"
}

# A variant that was 1.25 times slower than the fastest of its framework (as installed, or in any other way) when it was
# first measured, or failed, is not measured again for this row; PyTorch as installed is measured at the first thread count.
worth_another() {  # FRAMEWORK VARIANT VERSION
  [[ $2 != installed || $n == "${threads%% *}" ]] || return 1
  jq -se --arg row "$name" --arg framework "$1" --arg variant "$2" --arg version "$3" --argjson n "${threads%% *}" '
    [.[] | select(.row == $row and .threads == $n and .round == 1 and (.who | startswith($framework + " "))
      and (.who | endswith("installed")) == ($variant == "installed"))]
    | (map(.ms // empty) | min) as $best | map(select(.who == $framework + " " + $variant and .version == $version))
    | . == [] or (.[0].ms != null and .[0].ms <= 1.25 * $best)' "$out" >/dev/null
}

ours_failed() {  # what this build refuses needs no peer
  jq -se --arg row "$name" 'any(.[]; .row == $row and .who == "seqgrad" and .ms == null)' "$out" >/dev/null
}

busy_ticks() { awk '/^cpu / {print $2 + $3 + $4 + $7 + $8 + $9}' /proc/stat; }  # all but idle and waiting for disks
# Seconds that this shell's children have taken, from what `times` wrote (in a pipe it would speak of the pipe's shell).
own_of() { awk 'NR == 2 {for (i = 1; i <= 2; ++i) {split($i, t, /[ms]/); s += 60 * t[1] + t[2]}; print s}' "$1"; }

measure() {  # WHO VERSION COMMAND…
  local who=$1 version=$2
  shift 2
  jq -se --arg row "$name" --arg who "$who" --arg version "$version" --argjson n "$n" --argjson round "$round" \
    'any(.[]; .row == $row and .who == $who and .version == $version and .threads == $n and .round == $round)' "$out" >/dev/null && return
  local try result code foreign
  for ((try = 1; try <= tries; ++try)); do
    local busy own start=$EPOCHREALTIME
    busy=$(busy_ticks)
    times >"$out.times"; own=$(own_of "$out.times")
    code=0
    timeout 120 "$@" >"$out.result" </dev/null 2>"$out.err" || code=$?
    times >"$out.times"
    foreign=$(awk -v b="$busy" -v o="$own" -v b2="$(busy_ticks)" -v o2="$(own_of "$out.times")" -v t="$start" -v t2="$EPOCHREALTIME" \
      'BEGIN {f = ((b2 - b) / 100 - (o2 - o)) / (t2 - t); printf "%.3f", f < 0 ? 0 : f}')
    [[ $code -eq 0 ]] && awk -v f="$foreign" 'BEGIN {exit f <= 0.15}' || break
    [[ $try -eq $tries ]] || sleep 5
  done
  result=$(tail -n 1 "$out.result")
  if [[ $code -ne 0 ]] || ! jq -e . <<<"$result" >/dev/null 2>&1; then
    local said="tail"  # the last line of a Python traceback, the first of ours
    [[ $who != seqgrad ]] || said="head"
    result=$(jq -nc --arg e "exit $code: $(grep . "$out.err" | "$said" -n 1 | cut -c1-200)" '{error: $e}')
  fi
  jq -c --arg row "$name" --arg who "$who" --arg version "$version" --argjson n "$n" --argjson round "$round" --argjson foreign "$foreign" '
    {row: $row, threads: $n, round: $round, who: $who, version: $version, foreign: $foreign,
     ms: (.ms_per_step.median // .total_ms.median // .step_ms.median),
     mib: (if .extra_bytes then .extra_bytes / 1048576 elif .peak_bytes then .peak_bytes / 1048576 else .extra_rss_mib // .peak_rss_mib end),
     result: .}' <<<"$result" >>"$out"
  printf '%-28s %s thr  round %s  %-16s %-10s %s\n' "$name" "$n" "$round" "$who" "$version" \
    "$(tail -n 1 "$out" | jq -r '(.ms // .result.error | tostring) + (if .foreign > 0.15 then "  (others took \(.foreign) cores)" else "" end)')" >&2
}
