#!/usr/bin/env bash
# How much of engine/ the fast tests run: builds with gcov in build-coverage, runs them, and prints
#   engine: lines x % (hit of all), branches y % (hit of all)
# Exit 1 under 95 % of lines or 85 % of branches, or when a test fails. Files with the most lines and branches not run stand
# above; build-coverage/engine.txt has all of them, build-coverage/engine.html each line.
#   scripts/check/coverage.sh [--report]     (--report: no build, no tests, the figures of the last run again)
# What is counted: every line and branch of engine/*.{h,cpp,cu} that g++ -O1 has code for (kernels of the GPU as the emulator
# of tests/ runs them). No file, line or function is left out, and there are no exclusion marks in the source. Functions are
# instrumented before any is inlined (-fno-early-inlining), so that one line's branches are counted once and not once a
# caller; code outside of engine/, which is not counted, has no counters (-fprofile-filter-files). A template's
# instantiations count as one: a branch is run when it is in one of them (gcovr adds up the branches of a line by number).
# Not counted, since they are nobody's decision: the edge that g++ adds to each call for an exception that may leave it
# (--exclude-throw-branches), branches on lines without code, as the end of a scope (--exclude-unreachable-branches), and
# those of blocks that only an exception reaches, on lines that other blocks stand on too (scripts/check/gcov_blocks.sh). What a
# catch does counts.
set -euo pipefail
cd "$(dirname "$0")/../.."
least_lines=95 least_branches=85
build=build-coverage
command -v gcovr >/dev/null || { echo "gcovr is not installed (scripts/setup.sh check)"; exit 77; }
if [[ ${1:-} != --report ]]; then
  launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  mkdir -p "$build"
  cmake --preset coverage "${launcher[@]}" >"$build/build.log"
  cmake --build "$build" -j "${SEQGRAD_JOBS:-$(nproc)}" --target seqgrad seqgrad_tests >>"$build/build.log" ||
    { tail -n 40 "$build/build.log"; exit 3; }
  find "$build" -name '*.gcda' -delete
  ctest --test-dir "$build" -R '^test_' -j "${SEQGRAD_JOBS:-$(nproc)}" --output-on-failure >"$build/ctest.log" ||
    { tail -n 40 "$build/ctest.log"; echo "a test fails: no figures"; exit 1; }
fi
gcovr --root . --filter 'engine/' --gcov-executable "$PWD/scripts/check/gcov_blocks.sh" --exclude-throw-branches --exclude-unreachable-branches --gcov-ignore-parse-errors \
  --json-summary "$build/engine.json" --txt "$build/engine.txt" --html-details "$build/engine.html" "$build" 2>"$build/gcovr.log" ||
  { tail -n 20 "$build/gcovr.log"; exit 3; }
jq -r '.files | map({f: .filename, l: (.line_total - .line_covered), b: (.branch_total - .branch_covered)})
  | sort_by(-(2 * .l + .b))[:12][] | select(.l + .b > 0) | "\(.f): \(.l) lines, \(.b) branches not run"' "$build/engine.json"
jq -r --argjson lines "$least_lines" --argjson branches "$least_branches" '
  def percent(a; b): a * 1000 / b | floor / 10;
  percent(.line_covered; .line_total) as $l | percent(.branch_covered; .branch_total) as $b
  | "engine: lines \($l) % (\(.line_covered) of \(.line_total)), branches \($b) % (\(.branch_covered) of \(.branch_total))",
    (if $l < $lines or $b < $branches then "missed" else empty end)' "$build/engine.json" >"$build/figures.txt"
head -n 1 "$build/figures.txt"
! grep -qx missed "$build/figures.txt"
