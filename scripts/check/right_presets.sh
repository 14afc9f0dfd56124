#!/usr/bin/env bash
# Right losses, and every preset as tests/conform/planted/presets.py writes it in numpy, PyTorch, JAX and Keras, through
# `seqgrad conform` and the Python package over SEEDS seeds: none may have a finding. One line a framework; what is not as
# expected stands before it. Hours, where all three frameworks are there.
#   scripts/check/right_presets.sh [SEEDS] [PYTHON]…
# SEEDS (20) from 1 on, each with another preset of those that are one formula. Each PYTHON (python3) is asked for all of
# them. SEQGRAD_BUILD: where the executable is, else build. Exit 77 where not even numpy is found.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-20}
shift || true
SEQGRAD_EXECUTABLE=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
export SEQGRAD_EXECUTABLE TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow PYTHONDONTWRITEBYTECODE=1
# JAX keeps what it compiled: batches of one seed have shapes of another's.
JAX_COMPILATION_CACHE_DIR=$(mktemp -d)
trap 'rm -rf "$JAX_COMPILATION_CACHE_DIR"' EXIT
export JAX_COMPILATION_CACHE_DIR JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
pythons=("$@")
[[ ${#pythons[@]} -gt 0 ]] || pythons=(python3)
code=77
for framework in numpy torch jax keras; do
  for python in "${pythons[@]}"; do
    "$python" -c "import numpy, $framework" >/dev/null 2>&1 || continue
    [[ $code -ne 77 ]] || code=0
    if [[ $framework == numpy ]]; then
      "$python" tests/conform/planted/run.py "$SEQGRAD_EXECUTABLE" --right --seeds "$seeds" | sed 's/^/numpy: /' || code=1
    else
      "$python" tests/conform/planted/check_framework.py "$framework" --right --seeds "$seeds" 2>/dev/null | grep -v '^ok ' || true
      [[ ${PIPESTATUS[0]} -eq 0 ]] || code=1
    fi
    break
  done
done
[[ $code -ne 77 ]] || echo "skipped: no numpy in ${pythons[*]}"
exit "$code"
