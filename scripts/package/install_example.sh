#!/usr/bin/env bash
# Installs seqgrad under a scratch prefix, builds tests/example against it as somebody else's program, and compares what
# it prints with float64 arithmetic done by awk.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${SEQGRAD_BUILD:-build}
scripts/build.sh install_tree
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >"$work/log"
cmake -S tests/example -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >>"$work/log" || { tail -n 20 "$work/log"; exit 1; }
cmake --build "$work/build" >>"$work/log" || { tail -n 20 "$work/log"; exit 1; }
"$work/build/example" | tee "$work/out"
awk 'BEGIN {
  e = exp(1); z = e + e * e + e * e * e; nll = 2 * (log(z) - 3) + log(3)
  printf "loss %.9f = %.9f / 3\n", nll / 3, nll
  printf "d_logits(0,0) %9.6f %9.6f %9.6f\n", e / z / 3, e * e / z / 3, (e * e * e / z - 1) / 3
  printf "d_logits(0,1) %9.6f %9.6f %9.6f\n", (e * e * e / z - 1) / 3, e * e / z / 3, e / z / 3
  printf "d_logits(1,0) %9.6f %9.6f %9.6f\n", 1 / 9, -2 / 9, 1 / 9
  printf "d_logits(1,1) %9.6f %9.6f %9.6f\n", 0, 0, 0
}' >"$work/want"
# The value is float64 of float32 rows: 6 digits are shared.
cut -c1-13 "$work/out" | diff - <(cut -c1-13 "$work/want") && diff <(tail -n 4 "$work/out") <(tail -n 4 "$work/want")
"$work/prefix/bin/seqgrad" --version
