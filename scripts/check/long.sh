#!/usr/bin/env bash
# The longer checks, one line each in a table at the end; exit 1 when one failed.
#   scripts/check/long.sh [sanitizers|faults|extensions|asan|races|threads|kills|fuzz]…      (all of them without arguments)
# sanitizers: another compiler (clang) without a warning, and the quick tests of that build under AddressSanitizer and
# UndefinedBehaviorSanitizer; the slow ones are not built. faults: those planted in the source, each of which must fail a
# recorded case. extensions: an op, a preset, a key, a task and a device added to a copy of the tree. asan: every fast test under the
# sanitizers, by g++. races: between the threads of kernels, by the emulator. threads: those of a program that has the library
# by FetchContent, under ThreadSanitizer. kills: SEQGRAD_KILLS (20) runs killed at random instants, resumed, and compared. fuzz:
# each target for SEQGRAD_FUZZ_SECONDS (60).
set -euo pipefail
cd "$(dirname "$0")/../.."
jobs=${SEQGRAD_JOBS:-$(nproc)}
logs=build-check
mkdir -p "$logs"

# Each prints what it found as its last line; exit 77 means that it cannot run here.
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi

sanitizers() {
  command -v clang++ >/dev/null || { echo "clang++ is not installed (scripts/setup.sh check)"; return 77; }
  cmake --preset clang "${launcher[@]}" >/dev/null
  cmake --build build-clang -j "$jobs" --target seqgrad_tests
  ctest --test-dir build-clang -L sanitized -j "$jobs" --output-on-failure --timeout 300 | tee "$logs/sanitizers.txt"
  grep 'tests passed' "$logs/sanitizers.txt" | grep -v '0 tests failed out of 0'
}

faults() { scripts/mutate/planted_faults.sh; }

extensions() { scripts/check/extension_points.sh; }

asan() {
  cmake --preset asan "${launcher[@]}" >/dev/null
  cmake --build build-asan -j "$jobs"
  ctest --test-dir build-asan -LE 'slow|timing' -E '^(alone|include_order|third_party_headers|format)' -j "$jobs" --output-on-failure | tee "$logs/ctest.txt"
  grep 'tests passed' "$logs/ctest.txt" | grep -v '0 tests failed out of 0'
}

races() { scripts/check/racecheck.sh; }

threads() {
  cmake -S tests/example -B build-threads -G Ninja -DSEQGRAD_SOURCE="$PWD" -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_FLAGS="-O1 -g1 -fsanitize=thread" "${launcher[@]}" >/dev/null
  cmake --build build-threads -j "$jobs"
  build-threads/example
  build-threads/threads
}

kills() {
  SEQGRAD_TESTS=ON scripts/build.sh seqgrad_tests
  SEQGRAD_KILLS=${SEQGRAD_KILLS:-20} build/tests/seqgrad_tests "a run that is killed at any instant*" | tee "$logs/kills.txt"
  grep ' kills, ' "$logs/kills.txt"
}

fuzz() {
  command -v clang++ >/dev/null || { echo "clang++ is not installed (scripts/setup.sh check)"; return 77; }
  scripts/check/fuzz.sh "${SEQGRAD_FUZZ_SECONDS:-60}"
}

if [[ ${1:-} == --one ]]; then  # a process of its own, where the first failing command ends the check
  "$2"
  exit
fi
checks=("$@")
[[ ${#checks[@]} -gt 0 ]] || checks=(sanitizers faults extensions asan races threads kills fuzz)
for check in "${checks[@]}"; do
  [[ $check =~ ^(sanitizers|faults|extensions|asan|races|threads|kills|fuzz)$ ]] || { echo "error: no check '$check'; there are sanitizers, faults, extensions, asan, races, threads, kills, fuzz" >&2; exit 2; }
done

table="" failed=0
for check in "${checks[@]}"; do
  echo "== $check (log: $logs/$check.log)"
  begin=$SECONDS code=0
  scripts/check/long.sh --one "$check" >"$logs/$check.log" 2>&1 || code=$?
  case $code in
    0) result=passed ;;
    77) result=skipped ;;
    *) result=FAILED; failed=1; tail -n 30 "$logs/$check.log" ;;
  esac
  table+=$(printf '%-6s %-8s %5d s  %s' "$check" "$result" $((SECONDS - begin)) \
    "$(grep . "$logs/$check.log" | tail -n 1 | sed 's/^ *//' | cut -c1-240)")$'\n'
done
printf '\n%s' "$table"
exit "$failed"
