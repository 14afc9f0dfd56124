#!/usr/bin/env bash
# Checks that headers of third parties are included only where each is wrapped.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

only_in() {  # files that may include it, what the include begins with
  while IFS=: read -r file line text; do
    [[ $file =~ $1 ]] || { echo "$file:$line: <${text#*<} belongs in $1"; bad=1; }
  done < <(grep -rnE "^#include <$2" --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' engine models apps tests || true)
}
only_in '^engine/config/[a-z_]+\.cpp$' 'yaml-cpp/'
only_in '^engine/device/onednn\.h$' 'oneapi/'
only_in '^tests/support/catch\.h$' 'catch2/'
only_in '^(apps/(options|command)|tests/apps/test_flags)\.cpp$' 'CLI/'
only_in '^engine/(io/[a-z_]+|data/bpe_tokenizer)\.cpp$' 'protozero/'
only_in '^engine/data/bpe_tokenizer\.cpp$' 'sentencepiece_'
only_in '^engine/text/unicode\.cpp$' 'utf8proc'
only_in '^engine/comm/comm_mpi\.cpp$' 'mpi\.h'
only_in '^engine/device/gpu_cuda\.cuh$' 'cu(da|blas)'
exit $bad
