#!/usr/bin/env bash
# Builds build/wheel/seqgrad-VERSION-py3-none-manylinux_2_34_x86_64.whl: the executable with its libraries, the Python package
# (apps/python) and the licences of what is in it. Then installs it into a fresh environment, without a network, and tries it.
#   scripts/package/wheel.sh [OPTION of pip wheel]…       ($SEQGRAD_PYTHON: a Python with venv; else python3)
# Needs the network once, for scikit-build-core, wheel and numpy; the same commit gives the same bytes in every folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/build/wheel
mkdir -p "$work"
tools=$work/tools
if [[ ! -x $tools/bin/python ]]; then
  "${SEQGRAD_PYTHON:-python3}" -m venv "$tools"
  "$tools/bin/pip" -q install "scikit-build-core>=0.10" wheel pathspec
fi
house=$work/house
[[ -n $(ls "$house"/numpy-* 2>/dev/null) ]] || "$tools/bin/pip" -q download numpy --no-deps -d "$house"

echo "== build"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date -r CMakeLists.txt +%s)
export SOURCE_DATE_EPOCH CXXFLAGS="${CXXFLAGS:-} -ffile-prefix-map=$PWD=."
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
fi
rm -rf "$work/raw" "$work/tree"
"$tools/bin/pip" wheel ./apps/python --no-deps --no-build-isolation -w "$work/raw" -C build-dir="$work/build" "$@" >"$work/log" 2>&1 ||
  { grep -E 'error|Error' "$work/log" | head -n 20; tail -n 5 "$work/log"; echo "error: the build failed; $work/log"; exit 3; }

echo "== what is in it"
"$tools/bin/wheel" unpack -d "$work/tree" "$work"/raw/seqgrad-*.whl >/dev/null
tree=$(echo "$work"/tree/seqgrad-*)
for file in "$tree"/seqgrad/lib/*.so*; do  # what were links are copies in a wheel: one of each is enough
  [[ $(objdump -p "$file" | awk '$1 == "SONAME" { print $2 }') == "$(basename "$file")" ]] || rm "$file"
done
files=("$tree"/seqgrad/bin/seqgrad "$tree"/seqgrad/lib/*.so*)
limits=(GLIBC_2.34 GLIBCXX_3.4.29 CXXABI_1.3.13 GCC_4.5 GOMP_5.0)
bad=0
for file in "${files[@]}"; do
  while read -r symbol; do  # of each kind, the newest that is asked for
    for limit in "${limits[@]}"; do
      [[ ${symbol%_*} != "${limit%_*}" || $(printf '%s\n' "$symbol" "$limit" | sort -V | tail -n 1) == "$limit" ]] ||
        { echo "error: $(basename "$file") asks for $symbol; at most $limit"; bad=1; }
    done
  done < <(objdump -T "$file" | grep -F '*UND*' | grep -oE '(GLIBC|GLIBCXX|CXXABI)_[0-9.]+' | sort -u)
  for needed in $(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }'); do
    [[ $needed =~ ^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so.*)$ || -e $tree/seqgrad/lib/$needed ]] ||
      { echo "error: $(basename "$file") needs $needed, which is not in the wheel"; bad=1; }
  done
done
[[ $bad -eq 0 ]] || exit 1

# Headers of the first line are compiled in, libraries of the second lie in lib/.
packages=(libcli11-dev nlohmann-json3-dev libxxhash-dev libprotozero-dev)
for file in "$tree"/seqgrad/lib/*.so*; do
  owner=$(dpkg-query -S "*/$(basename "$file")" 2>/dev/null | head -n 1 | cut -d: -f1) || true
  [[ -n $owner ]] || { echo "error: no package owns $(basename "$file")"; exit 1; }
  packages+=("$owner")
done
{
  echo "No licence has been chosen for seqgrad itself yet. This wheel holds the following of others, under their own:"
  for package in $(printf '%s\n' "${packages[@]}" | sort -u); do
    printf '\n==== %s %s\n\n' "$package" "$(dpkg-query -W -f='${source:Upstream-Version}' "$package")"
    cat "/usr/share/doc/$package/copyright"
  done
} >"$tree/seqgrad/NOTICE"
"$tools/bin/wheel" pack -d "$work/raw" "$tree" >/dev/null
"$tools/bin/wheel" tags --remove --platform-tag manylinux_2_34_x86_64 "$work"/raw/seqgrad-*-linux_x86_64.whl >/dev/null
rm -f "$house"/seqgrad-*.whl
mv "$work"/raw/seqgrad-*.whl "$house"
wheel=$(echo "$house"/seqgrad-*.whl)
echo "$(basename "$wheel"): $(($(stat -c %s "$wheel") / 1000000)) MB, sha256 $(sha256sum "$wheel" | cut -c1-16)"

echo "== installed"
rm -rf "$work/fresh"
"${SEQGRAD_PYTHON:-python3}" -m venv "$work/fresh"
"$work/fresh/bin/pip" -q install --no-index --find-links "$house" seqgrad
scripts/package/try_wheel.sh "$work/fresh/bin"
