#!/usr/bin/env bash
# Builds the bundle for a GPU, runs its checks on the GPU of this machine and judges the named parts of them (a name may
# end in *). Exit 77 (not run) without a GPU.    scripts/gpu/parts.sh PART…        e.g. scripts/gpu/parts.sh reverse
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ $# -gt 0 ]] || { echo "error: name at least one part of scripts/gpu/gpu_check.sh" >&2; exit 2; }
[[ -e /proc/driver/nvidia ]] || { echo "there is no GPU here"; exit 77; }
scripts/gpu/bundle.sh >&2
result=$PWD/build-gpu/check.json
(cd build-gpu/bundle && ./gpu_check.sh "$result" >&2) || true
failed=0 said=()
while IFS=$'\t' read -r name verdict text; do
  for wanted in "$@"; do
    # shellcheck disable=SC2053
    [[ $name == $wanted ]] || continue
    said+=("$name: $verdict, $text")
    [[ $verdict == passed ]] || failed=1
  done
done < <(sed -nE 's/^ *\{"part": "([^"]*)", "verdict": "([^"]*)", "seconds": [0-9]+, "said": "([^"]*)"\}.*/\1\t\2\t\3/p' "$result")
[[ ${#said[@]} -gt 0 ]] || { echo "error: no part matches '$*'" >&2; exit 2; }
(IFS=';'; echo "${said[*]}")
exit $failed
