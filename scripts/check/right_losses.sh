#!/usr/bin/env bash
# Right losses of PyTorch, JAX and Keras, drawn at random, must pass `seqgrad check`; planted faults must not.
#   scripts/check/right_losses.sh [--count N] [--no-faults] [PYTHON]…
# Each PYTHON (python3) is asked for all three; one virtual environment each is best: pip install torch numpy, jax numpy, or
# tensorflow-cpu numpy. SEQGRAD names the executable (build/seqgrad). Exit 77 where no framework is found. The faults are those of
# scripts/mutate/planted_faults.sh, which builds them; wide vocabularies are checked with the losses of the first framework found.
set -euo pipefail
cd "$(dirname "$0")/../.."
count=1000 faults=yes pythons=()
while [ $# -gt 0 ]; do
  case $1 in
    --count) count=$2; shift 2 ;;
    --no-faults) faults=no; shift ;;
    *) pythons+=("$1"); shift ;;
  esac
done
[ ${#pythons[@]} -gt 0 ] || pythons=(python3)
seqgrad=${SEQGRAD:-build/seqgrad}
[ -x "$seqgrad" ] || { echo "error: $seqgrad is not built"; exit 2; }
export TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow PYTHONDONTWRITEBYTECODE=1

found=()  # "PYTHON FRAMEWORK"
for framework in torch jax keras; do
  for python in "${pythons[@]}"; do
    if "$python" -c "import numpy, $framework" >/dev/null 2>&1; then
      found+=("$python|$framework")
      break
    fi
  done
done
[ ${#found[@]} -gt 0 ] || { echo "none of torch, jax and keras in ${pythons[*]}"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
right=0 failed=0 versions=""
for i in "${!found[@]}"; do
  python=${found[i]%|*} framework=${found[i]#*|}
  share=$(((count + i) / ${#found[@]}))
  "$python" scripts/record/right_losses.py "$framework" "$seqgrad" --count "$share" >"$scratch/out" 2>"$scratch/err" ||
    { grep -v -E 'absl::|oneDNN' "$scratch/err" || true; }
  read -r n bad version <<<"$(tail -n 1 "$scratch/out")"
  [ -n "${version:-}" ] || { echo "error: $framework did not end"; exit 1; }
  right=$((right + n)) failed=$((failed + bad)) versions+="${versions:+, }$version"
done
line="$right right losses ($versions), $failed false alarms"
code=$((failed > 0))
if [ $faults = yes ]; then
  "${found[0]%|*}" scripts/record/right_losses.py "${found[0]#*|}" "$seqgrad" --wide "$scratch/wide"
  scripts/mutate/planted_faults.sh --wide "$scratch/wide" | tee "$scratch/faults" || code=1
  line+="; $(tail -n 1 "$scratch/faults")"
fi
echo "$line"
exit $code
