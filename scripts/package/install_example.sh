#!/usr/bin/env bash
# Installs seqgrad under a scratch prefix and looks at what came there; builds README's program (tests/example) against it by
# find_package and by pkg-config, and compares what each prints with float64 arithmetic done by awk; adds the sources to it by
# FetchContent, and looks at what would be built. Exit 77 (skipped) without pkg-config.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v pkg-config >/dev/null || { echo "skipped: pkg-config is not installed (scripts/setup.sh test)"; exit 77; }
build=${SEQGRAD_BUILD:-build}
scripts/build.sh all
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quietly() { "$@" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; echo "error: $*"; exit 1; }; }

echo "== what is installed"
quietly cmake --install "$build" --prefix "$work/prefix"
lib=$(cd "$work/prefix" && dirname lib*/libseqgrad.so lib*/*/libseqgrad.so | grep -v '\*')
version=$(sed -n 's/^project(seqgrad VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
config=$(sed -n 's/^CMAKE_BUILD_TYPE:STRING=//p' "$build/CMakeCache.txt")
diff <(cd "$work/prefix" && find . ! -type d | sort) <(printf '%s\n' ./bin/seqgrad ./include/seqgrad/seqgrad.h \
  ./share/{bash-completion/completions/seqgrad,zsh/site-functions/_seqgrad,fish/vendor_completions.d/seqgrad.fish,man/man1/seqgrad.1} \
  "./$lib/libseqgrad.so" "./$lib/libseqgrad.so.${version%.*}" "./$lib/libseqgrad.so.$version" "./$lib/pkgconfig/seqgrad.pc" \
  "./$lib/cmake/seqgrad/seqgrad"{Config,ConfigVersion,Targets,Targets-"${config,,}"}.cmake \
  $(cd "$build" && ls libseqgrad_*mpi*.so 2>/dev/null | sed "s|^|./$lib/|") | sort)
[[ $("$work/prefix/bin/seqgrad" --version) == *"$version"* ]]
if objdump -p "$work/prefix/bin/seqgrad" | grep -E 'R(UN)?PATH'; then echo "error: what is installed looks for libraries elsewhere"; exit 1; fi
shown=$(nm --dynamic --demangle --defined-only "$work/prefix/$lib/libseqgrad.so" | cut -d' ' -f3- |
  grep -vE '^(seqgrad::loss\(|(vtable|typeinfo|typeinfo name) for seqgrad::LossRefused$)' || true)
[[ -z $shown ]] || { echo "error: the library shows more than its header:"; echo "$shown" | head; exit 1; }
needed=$(objdump -p "$work/prefix/$lib/libseqgrad.so" | awk '$1 == "NEEDED" { print $2 }')
if grep -E 'sentencepiece|protobuf|cuda' <<<"$needed"; then echo "error: a caller may have another of these"; exit 1; fi

echo "== README"
block() { awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next } /^```/ { inside = 0 } inside' README.md; }
diff <(block cpp) tests/example/main.cpp
while IFS= read -r line; do
  grep -qF "$line" tests/example/CMakeLists.txt || { echo "error: tests/example/CMakeLists.txt has no line '$line'"; exit 1; }
done < <(block cmake | sed 's|SOURCE_DIR .*||')

awk 'function row(b, t, nll, x, y, z) {
  printf "token (%d,%d) %9.6f d_logits %9.6f %9.6f %9.6f\n", b, t, nll, x / 3, y / 3, z / 3
}
BEGIN {
  e = exp(1); s = e + e * e + e * e * e; nll = log(s) - 3
  printf "loss %.9f = %.9f / 3\n", (2 * nll + log(3)) / 3, 2 * nll + log(3)
  row(0, 0, nll, e / s, e * e / s, e * e * e / s - 1)
  row(0, 1, nll, e * e * e / s - 1, e * e / s, e / s)
  row(1, 0, log(3), 1 / 3, -2 / 3, 1 / 3)
  row(1, 1, 0, 0, 0, 0)
}' >"$work/want"
right() {  # PROGRAM; its value is float64 of float32 rows: 6 digits are shared
  "$1" >"$work/out"
  diff <(cut -c1-13 "$work/out") <(cut -c1-13 "$work/want") && diff <(tail -n 4 "$work/out") <(tail -n 4 "$work/want")
}

echo "== find_package"
quietly cmake -S tests/example -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix"
quietly cmake --build "$work/cmake"
right "$work/cmake/example"
"$work/cmake/threads"
minor=${version#*.} minor=${minor%%.*}
for other in 0.$((minor - 1)) 0.$((minor + 1)) 1.$minor; do
  mkdir -p "$work/other"
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(other NONE)\nfind_package(seqgrad %s QUIET)\n' "$other" >"$work/other/CMakeLists.txt"
  printf 'if(seqgrad_FOUND)\n  message(FATAL_ERROR "seqgrad %s was found")\nendif()\n' "$other" >>"$work/other/CMakeLists.txt"
  quietly cmake -S "$work/other" -B "$work/other/build" -DCMAKE_PREFIX_PATH="$work/prefix"
done

echo "== pkg-config"
export PKG_CONFIG_PATH="$work/prefix/$lib/pkgconfig"
[[ $(pkg-config --modversion seqgrad) == "$version" ]]
read -ra flags < <(pkg-config --cflags --libs seqgrad)
quietly g++ -std=c++20 -Wall -Wextra -Werror tests/example/main.cpp "${flags[@]}" -o "$work/example"
LD_LIBRARY_PATH="$work/prefix/$lib" right "$work/example"

echo "== FetchContent"  # built by scripts/check/long.sh threads
quietly cmake -S tests/example -B "$work/fetch" -G Ninja -DSEQGRAD_SOURCE="$PWD"
objects=$(ninja -C "$work/fetch" -t targets all | sed -n 's/^_deps\/seqgrad-build\/.*\.dir\/\(.*\)\.o: .*/\1/p')
grep -q engine/api/ <<<"$objects"
if grep -E '^(apps|models|tests)/|^engine/(data|train|teach)/' <<<"$objects"; then
  echo "error: a program that adds this project builds more than the library"; exit 1
fi
quietly cmake --install "$work/fetch" --prefix "$work/nothing"
[[ ! -e $work/nothing ]] || { echo "error: a program that adds this project installs it"; exit 1; }
echo "installed, found, linked and added: $version"
