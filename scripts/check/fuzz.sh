#!/usr/bin/env bash
# Builds the fuzz targets with clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs each for some seconds.
#   scripts/check/fuzz.sh [SECONDS] [TARGET]…      (60 seconds, all targets; SECONDS 0: until 10^6 executions, which
#                                             tests/fuzz/log.txt then has a line of; SEQGRAD_JOBS at a time)
# New inputs collect in build-fuzz/corpus; a crash is saved in build-fuzz/crashes and ends the script with exit 1.
# Mended crashes and a small choice of inputs stay in tests/fuzz/corpus, which every build's tests run.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(config safetensors text cases command_line printers answers)
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
cmake -S . -B build-fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None -DSEQGRAD_TESTS=OFF -DSEQGRAD_FUZZ=ON -DSEQGRAD_UNITY=ON \
  -DCMAKE_CXX_FLAGS="-O1 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
  "${launcher[@]}" >/dev/null
cmake --build build-fuzz -j "${SEQGRAD_JOBS:-$(nproc)}" --target "${targets[@]/#/fuzz_}" >build-fuzz/build.log ||
  { tail -n 40 build-fuzz/build.log; exit 1; }

commit=$(git rev-parse --short HEAD 2>/dev/null || echo none)
# The last complete run of each target without a finding.
keep_line() {  # TARGET EXECUTIONS
  local log=tests/fuzz/log.txt line
  line="$1: $2 executions, no finding, $(date +%F), commit $commit, $(clang++ --version | head -n 1 | grep -o 'clang version [0-9.]*')"
  touch "$log"
  { grep -v "^$1: " "$log" || true; echo "$line"; } | sort >"$log.new"
  mv "$log.new" "$log"
}

# What AddressSanitizer keeps of freed memory counts in the limit below, and at its 256 MiB slows small inputs twofold.
export ASAN_OPTIONS=quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}

mkdir -p build-fuzz/crashes
jobs=${SEQGRAD_JOBS:-$(nproc)}
bound=(-max_total_time="$seconds")
[[ $seconds -gt 0 ]] || bound=(-runs=$(((1000000 + jobs - 1) / jobs)))
summary="" failed=0
for target in "${targets[@]}"; do
  mkdir -p "build-fuzz/corpus/$target"
  processes=()
  for ((job = 0; job < jobs; ++job)); do  # they read each other's finds
    build-fuzz/tests/fuzz/fuzz_"$target" "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target" "${bound[@]}" -timeout=10 -reload=1 \
      -rss_limit_mb=1024 -max_len=4096 -artifact_prefix="build-fuzz/crashes/$target-" -print_final_stats=1 >"build-fuzz/$target.$job.log" 2>&1 &
    processes+=($!)
  done
  verdict="no finding" runs=0
  for ((job = 0; job < jobs; ++job)); do
    log=build-fuzz/$target.$job.log
    if ! wait "${processes[job]}"; then
      verdict="FINDING, see $log" failed=1
      tail -n 25 "$log"
    fi
    runs=$((runs + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | grep . || echo 0)))
  done
  [[ $seconds -gt 0 || $verdict != "no finding" ]] || keep_line "$target" "$runs"
  summary+="$target: $runs executions, $verdict; "
done
echo "${summary%; }"
exit "$failed"
