#!/usr/bin/env bash
# Checks that a file includes only its own folder and folders that stand before it in this order.
#   scripts/check/include_order.sh [--print]     (--print: the order)
set -euo pipefail
cd "$(dirname "$0")/../.."
order=(engine/core engine/text engine/io engine/comm engine/config engine/device engine/ops engine/loss engine/loss_config engine/api engine/nn
       engine/optim engine/data engine/metrics engine/html engine/naming engine/check engine/conform engine/teach engine/train engine/run
       models apps tests)
if [[ ${1:-} == --print ]]; then
  printf '%s\n' "${order[@]}"
  exit
fi

grep -rnE '^#include "' --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' engine models apps tests |
  awk -F: -v order="${order[*]}" '
    function place(file,   parts) {  # of the folder that the file lies in, however deep
      split(file, parts, "/")
      folder = parts[1] == "engine" ? parts[1] "/" parts[2] : parts[1]
      if (folder in rank) return rank[folder]
      print "error: no place for the folder of " file "; add it to scripts/check/include_order.sh"
      bad = 2
      exit
    }
    BEGIN { n = split(order, folders, " "); for (i = 1; i <= n; ++i) rank[folders[i]] = i }
    {
      split($0, quoted, "\"")
      if (place(quoted[2]) > place($1)) {
        print $1 ":" $2 ": " folders[place($1)] " stands below the folder of \"" quoted[2] "\""
        bad = 1
      }
    }
    END { exit bad }'
