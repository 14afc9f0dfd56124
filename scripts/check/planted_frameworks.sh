#!/usr/bin/env bash
# Planted bugs and right losses in PyTorch, JAX and Keras (tests/conform/planted) through the Python package: every bug must be
# named, every right loss pass. One line a framework; what is not as expected stands before it.
#   scripts/check/planted_frameworks.sh [PYTHON]…
# Each PYTHON (python3) is asked for all three, as in right_losses.sh. SEQGRAD_BUILD: where the executable is, else build.
# SEQGRAD_AT_MOST: seconds that a check may take after the import, without what JAX compiles. Exit 77 where no framework is found.
set -euo pipefail
cd "$(dirname "$0")/../.."
SEQGRAD_EXECUTABLE=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
export SEQGRAD_EXECUTABLE TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow PYTHONDONTWRITEBYTECODE=1
pythons=("$@")
[[ ${#pythons[@]} -gt 0 ]] || pythons=(python3)
code=77
for framework in torch jax keras; do
  for python in "${pythons[@]}"; do
    "$python" -c "import numpy, $framework" >/dev/null 2>&1 || continue
    [[ $code -ne 77 ]] || code=0
    "$python" tests/conform/planted/check_framework.py "$framework" ${SEQGRAD_AT_MOST:+--at-most "$SEQGRAD_AT_MOST"} 2>/dev/null | grep -v '^ok ' || true
    [[ ${PIPESTATUS[0]} -eq 0 ]] || code=1
    break
  done
done
[[ $code -ne 77 ]] || echo "skipped: none of torch, jax and keras in ${pythons[*]}"
exit "$code"
