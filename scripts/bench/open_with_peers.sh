#!/usr/bin/env bash
# Opens what a run wrote with other people's readers: its event files with TensorBoard's EventAccumulator and with protoc,
# its weights with the safetensors package, and compares every value of the events with metrics.jsonl.
#   scripts/bench/open_with_peers.sh [RUN]      (default: a small run under build/peers, stopped by kill -9 and resumed)
# Needs a Python with tensorboard, safetensors and numpy in SEQGRAD_PYTHON (default python3), and protoc; else exit 77.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${SEQGRAD_PYTHON:-python3}
"$python" -c 'import tensorboard, safetensors, numpy' 2>/dev/null ||
  { echo "not run: $python has no tensorboard, safetensors and numpy (name one that has in SEQGRAD_PYTHON)"; exit 77; }
command -v protoc >/dev/null || { echo "not run: protoc is not installed (Debian: protobuf-compiler)"; exit 77; }
[[ -x build/seqgrad ]] || scripts/build.sh seqgrad >&2
run=${1:-}
if [[ -z $run ]]; then
  run=build/peers
  rm -rf "$run"
  build/seqgrad train configs/copy.yaml -q --threads 1 --run-dir "$run" --set data.sizes.train=2000 --set data.sizes.dev=20 \
    --set data.sizes.test=20 --set train.epochs=null --set train.steps=400 --set train.log_every=5 \
    --set train.validate_every=50 --set 'loss.compare=[sum]' >/dev/null &
  pid=$!
  until [[ -e $run/checkpoints/step-000050 ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
  sleep 0.3
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  build/seqgrad train -q --threads 1 --resume "$run" >/dev/null
fi
"$python" scripts/bench/open_with_peers.py "$run"
