#!/usr/bin/env bash
# gcov for scripts/check/coverage.sh: names the blocks of each line, and leaves out the branches of blocks that only an exception
# reaches (gcov marks them $$$$$ where none did: destructors of half-built temporaries, each behind a flag of the compiler).
# Those of a catch, whose lines nothing else reaches, stay.
set -euo pipefail
said=$(gcov --all-blocks "$@")
printf '%s\n' "$said"
sed -n "s/^Creating '\(.*\)'$/\1/p" <<<"$said" | while IFS= read -r file; do
  awk '/^ *[^ :]+: *[0-9]+:/ { caught = /^ *=====/; skip = 0 }
       /^ *[^ :]+: *[0-9]+-block / { skip = !caught && /^ *\$\$\$\$\$/ }
       !(skip && /^branch /)' "$file" >"$file.kept"
  mv "$file.kept" "$file"
done
