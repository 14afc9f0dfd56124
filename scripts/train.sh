#!/usr/bin/env bash
# From a bare machine to a trained model: installs what is missing, builds the executable, trains.
#   scripts/train.sh configs/phrases.yaml [options of `seqgrad train`]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [[ $# -eq 0 || $1 == -h || $1 == --help ]]; then
  echo "usage: scripts/train.sh CONFIG.yaml [options of \`seqgrad train\`]"
  echo "  e.g. scripts/train.sh configs/phrases.yaml --set train.epochs=3"
  [[ $# -gt 0 ]] && exit 0 || exit 2
fi

say() { printf '%s\n' "$*" >&2; }
"$root/scripts/setup.sh" build | sed 's/^/[1\/3] /' >&2
# Kernels of the GPU take minutes to compile; what is configured already stays as it is.
if [[ ! -e /proc/driver/nvidia && ! -e $root/build/CMakeCache.txt ]]; then export SEQGRAD_CUDA=${SEQGRAD_CUDA:-OFF}; fi
start=$SECONDS
SEQGRAD_UNITY=ON "$root/scripts/build.sh" seqgrad
took=$((SECONDS - start))
say "[2/3] build: build/seqgrad, Release ($(printf '%d:%02d' $((took / 60)) $((took % 60))))"
SEQGRAD_STAGE="[3/3] " exec "$root/build/seqgrad" train "$@"  # the first line of train, unless the config is refused
