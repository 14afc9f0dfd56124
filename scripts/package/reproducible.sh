#!/usr/bin/env bash
# Builds the wheel and the Debian packages of a commit twice, each time from nothing, in two folders, and compares their bytes.
#   scripts/package/reproducible.sh [COMMIT]         (HEAD)
# Two whole builds of the executable: some ten minutes on two cores. Exit 77 where one of the packages cannot be built here.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=$(git rev-parse "${1:-HEAD}")
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH CCACHE_DISABLE=1 SEQGRAD_UNITY=ON
unset SEQGRAD_BUILD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folders=("$work/one" "$work/another/with/a/longer/name")
for folder in "${folders[@]}"; do
  git clone -q --no-checkout --shared . "$folder"
  git -C "$folder" checkout -q "$commit"
  for script in deb wheel; do
    code=0
    SEQGRAD_CUDA=OFF "$folder/scripts/package/$script.sh" >"$work/log" 2>&1 || code=$?
    [[ $code -eq 0 ]] || { tail -n 15 "$work/log"; [[ $code -eq 77 ]] || echo "error: $script.sh failed in $folder"; exit "$code"; }
  done
done
bad=0
for file in "${folders[0]}"/build/deb/*.deb "${folders[0]}"/build/wheel/house/seqgrad-*.whl; do
  other=${folders[1]}${file#"${folders[0]}"}
  if cmp -s "$file" "$other"; then
    echo "$(basename "$file"): the same $(stat -c %s "$file") bytes, sha256 $(sha256sum "$file" | cut -c1-16)"
    continue
  fi
  bad=1
  echo "$(basename "$file") differs:"
  for tree in "$file" "$other"; do
    mkdir -p "$tree.tree"
    if [[ $file == *.deb ]]; then dpkg-deb -R "$tree" "$tree.tree"; else python3 -m zipfile -e "$tree" "$tree.tree"; fi
  done
  diff -rq "$file.tree" "$other.tree" | sed 's/^/  /' || echo "  (names, times or modes)"
done
[[ $bad -eq 1 ]] || echo "wheel and packages of ${commit:0:12}: the same bytes from two folders"
exit "$bad"
