#!/usr/bin/env bash
# Builds build/wheel/house/seqgrad-VERSION-py3-none-manylinux_2_34_x86_64.whl: the executable of a build with the libraries that
# it needs, the Python package (apps/python) and the licences of what is in it. Then installs it into a fresh environment,
# without a network, tries it, and runs the package's tests there.
#   scripts/package/wheel.sh        SEQGRAD_BUILD: the build that is packed, else build; SEQGRAD_PYTHON: a Python, else python3
# Exit 77 without a python3 that makes environments, or without a network the first time (scikit-build-core, wheel, numpy, pytest).
# The same commit gives the same bytes in every folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${SEQGRAD_BUILD:-build}
python=${SEQGRAD_PYTHON:-python3}
work=$PWD/$build/wheel
tools=$work/tools house=$work/house
mkdir -p "$house"
umask 022
command -v "$python" >/dev/null || { echo "skipped: $python is not installed"; exit 77; }
"$python" -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
  { echo "skipped: $python makes no environments (Debian: python3-venv)"; exit 77; }
fetch() { "$tools/bin/pip" -q --disable-pip-version-check --retries 1 "$@" 2>"$work/log" || { tail -n 1 "$work/log"; echo "skipped: the first wheel needs a network, for scikit-build-core, wheel, numpy and pytest"; exit 77; }; }
if [[ ! -x $tools/bin/wheel ]]; then
  "$python" -m venv "$tools"
  fetch install "scikit-build-core>=0.10" wheel
fi
[[ -n $(ls "$house"/numpy-* 2>/dev/null) ]] || fetch download numpy pytest -d "$house"

echo "== build"
scripts/build.sh seqgrad
if grep -q '^CMAKE_CUDA_COMPILER:[A-Z]*=/' "$build/CMakeCache.txt"; then
  echo "error: $build is for GPUs, a wheel is not; SEQGRAD_BUILD=build-cpu SEQGRAD_CUDA=OFF $0"
  exit 2
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r CMakeLists.txt +%s)}
export SOURCE_DATE_EPOCH
rm -rf "$work/raw" "$work/tree"
quietly() { "$@" >"$work/log" 2>&1 || { grep -E 'error|Error' "$work/log" | head -n 20; tail -n 5 "$work/log"; echo "error: $* failed; $work/log"; exit 3; }; }
quietly "$tools/bin/pip" wheel ./apps/python --no-deps --no-build-isolation -w "$work/raw" -C wheel.cmake=false -C wheel.platlib=true
quietly "$tools/bin/wheel" unpack -d "$work/tree" "$work"/raw/seqgrad-*.whl
rm "$work"/raw/*
tree=$(echo "$work"/tree/seqgrad-*)
quietly cmake --install "$build" --component bundle --prefix "$tree/seqgrad"
mkdir -p "$tree/$(basename "$tree").data/data"
mv "$tree/seqgrad/share" "$tree/$(basename "$tree").data/data"  # what pip puts below its prefix
strip "$tree/seqgrad/bin/seqgrad"

echo "== what is in it"
find "$tree/seqgrad/lib" -type l -delete  # a wheel has no links: each library under the name that it is looked for by
for file in "$tree"/seqgrad/lib/*; do
  soname=$(objdump -p "$file" | awk '$1 == "SONAME" { print $2 }')
  [[ $soname == "$(basename "$file")" ]] || mv "$file" "$tree/seqgrad/lib/$soname"
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
  done < <(objdump -T "$file" | grep -F '*UND*' | grep -oE '(GLIBC|GLIBCXX|CXXABI|GCC|GOMP)_[0-9.]+' | sort -u)
  for needed in $(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }'); do
    [[ $needed =~ ^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so.*)$ || -e $tree/seqgrad/lib/$needed ]] ||
      { echo "error: $(basename "$file") needs $needed, which is not in the wheel"; bad=1; }
  done
done
[[ $bad -eq 0 ]] || exit 1
packages=()
for file in "$tree"/seqgrad/lib/*.so*; do
  owner=$(dpkg-query -S "*/$(basename "$file")" 2>/dev/null | head -n 1 | cut -d: -f1) || true
  [[ -n $owner ]] || { echo "error: no package owns $(basename "$file")"; exit 1; }
  packages+=("$owner")
done
scripts/package/notice.sh "${packages[@]}" >"$tree/seqgrad/NOTICE"
quietly "$tools/bin/wheel" pack -d "$work/raw" "$tree"
quietly "$tools/bin/wheel" tags --remove --platform-tag manylinux_2_34_x86_64 "$work"/raw/seqgrad-*.whl
rm -f "$house"/seqgrad-*.whl
mv "$work"/raw/seqgrad-*.whl "$house"
wheel=$(echo "$house"/seqgrad-*.whl)
echo "$(basename "$wheel"): $(($(stat -c %s "$wheel") / 1000000)) MB, sha256 $(sha256sum "$wheel" | cut -c1-16)"

echo "== installed"
rm -rf "$work/fresh"
"$python" -m venv "$work/fresh"
"$work/fresh/bin/pip" -q --disable-pip-version-check install --no-index --find-links "$house" seqgrad pytest
scripts/package/try_wheel.sh "$work/fresh/bin"
SEQGRAD_PYTHON=$work/fresh/bin/python SEQGRAD_INSTALLED=1 scripts/check/python_package.sh
