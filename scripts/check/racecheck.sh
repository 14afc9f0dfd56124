#!/usr/bin/env bash
# Looks for races between the threads of the GPU's kernels, in shared memory and in the GPU's, without a GPU: the emulator
# of tests/emulate makes each thread of a block a thread of its own to GCC's thread sanitizer, ordered by barriers alone.
# What compute-sanitizer's racecheck does on a GPU for shared memory.    scripts/check/racecheck.sh [TAGS]
set -euo pipefail
cd "$(dirname "$0")/../.."
tags=${1:-'[#test_ops],[#test_devices],[#test_gru],[#test_step_graph],[#test_loss_wide_rows],[#test_loss_chunks],[#test_loss_errors],[#test_emulator]'}
build=build-racecheck
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
mkdir -p "$build"
if ! { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEQGRAD_TESTS=ON -DSEQGRAD_CUDA=OFF -DSEQGRAD_RACECHECK=ON "${launcher[@]}" &&
       cmake --build "$build" -j "${SEQGRAD_JOBS:-$(nproc)}" --target seqgrad_tests; } >"$build/build.log" 2>&1; then
  tail -n 40 "$build/build.log" >&2
  echo "error: the build failed" >&2
  exit 3
fi
# The host's threads are not instrumented, and so not what is looked at. The sanitizer wants addresses that are not random.
printf 'race:%s\n' parallel_ Pool run_blocks cpu_gemm avx512 >"$build/suppressed.txt"
TSAN_OPTIONS="halt_on_error=0 exitcode=66 suppressions=$PWD/$build/suppressed.txt ${TSAN_OPTIONS:-}" setarch -R "$build/tests/seqgrad_tests" -# "$tags" >"$build/log.txt" 2>&1 || code=$?
if [[ ${code:-0} -ne 0 ]]; then
  grep -A 12 -m 3 'WARNING: ThreadSanitizer' "$build/log.txt" || tail -n 20 "$build/log.txt"
  echo "$(grep -c 'WARNING: ThreadSanitizer' "$build/log.txt") races (log: $build/log.txt)"
  exit 1
fi
tail -n 2 "$build/log.txt" | grep . | sed 's/$/, no race/'
