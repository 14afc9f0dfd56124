#!/usr/bin/env bash
# Checks that a file includes its own folder and lower floors only, and that third parties stay in their cages.
set -euo pipefail
cd "$(dirname "${1:-$0}")/.."

floor() {
  case "$1" in
    engine/core) echo 0 ;;
    engine/text) echo 1 ;;
    engine/device | engine/config | engine/io) echo 2 ;;
    engine/ops | engine/loss) echo 3 ;;
    engine/nn | engine/optim | engine/data | engine/metrics) echo 4 ;;
    engine/loss_config) echo 4 ;;
    engine/html) echo 4 ;;
    engine/check | engine/teach | engine/teach/experiments | engine/train) echo 5 ;;
    engine/run) echo 6 ;;
    models) echo 7 ;;
    apps) echo 8 ;;
    tests | tests/*) echo 9 ;;
    *) echo "error: no floor for folder '$1'; add it to scripts/floors.sh" >&2; exit 2 ;;
  esac
}

# Two folders of one floor that may see each other one way: the loss is built on ops, optimisers on parameters,
# the report of a run on the parts of pages, explanations on cases.
allowed_sideways() {
  case "$1>$2" in
    "engine/loss>engine/ops" | "engine/optim>engine/nn" | "engine/metrics>engine/data" | "engine/teach>engine/check" | "engine/teach/experiments>engine/teach" | tests/*">tests/"*) return 0 ;;
    *) return 1 ;;
  esac
}

bad=0
complain() { echo "$1"; bad=1; }
while IFS=: read -r file line text; do
  target=${text#*\"}; target=${target%\"*}
  from=$(dirname "$file"); to=$(dirname "$target")
  [[ $from == "$to" ]] && continue
  mine=$(floor "$from"); theirs=$(floor "$to")
  if ((theirs > mine)) || { ((theirs == mine)) && ! allowed_sideways "$from" "$to"; }; then
    complain "$file:$line: floor $mine includes \"$target\" of floor $theirs"
  fi
done < <(grep -rnE '^#include "' --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' engine models apps tests)

cage() {  # pattern of an include, folder pattern where it may stand
  while IFS=: read -r file line text; do
    [[ $file =~ $2 ]] || complain "$file:$line: ${text#*<} belongs in ${2}"
  done < <(grep -rnE "^#include <$1" --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' engine models apps tests || true)
}
cage 'yaml-cpp/' '^engine/config/[a-z_]+\.cpp$'
cage 'oneapi/' '^engine/device/onednn\.h$'
cage 'catch2/' '^tests/support/catch\.h$'
cage 'CLI/' '^apps/'
cage 'protozero/' '^engine/(io/[a-z_]+|data/bpe_tokenizer)\.cpp$'
cage 'sentencepiece_' '^engine/data/bpe_tokenizer\.cpp$'
cage 'utf8proc' '^engine/text/unicode\.cpp$'
cage 'cu(da|blas)' '^engine/device/gpu_cuda\.cuh$'
exit $bad
