#!/usr/bin/env bash
# Adds an elementwise op, an op, a loss preset and a config key to a copy of the tree, counts the files that each one
# touches, builds, and asks the executable whether its registries know them.
set -euo pipefail
unset SEQGRAD_BUILD  # the copy has a build of its own
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$root" && tar -c --exclude=./build --exclude='./build-*' --exclude=./runs --exclude=./.git .) | tar -x -C "$copy"
cd "$copy"
git init -q . && git add -A && git -c user.name=x -c user.email=x@example.org commit -qm base

touched() {  # what, expected new files, expected edited files
  git add -A
  local new edited
  new=$(git diff --cached --name-only --diff-filter=A | wc -l)
  edited=$(git diff --cached --name-only --diff-filter=M | wc -l)
  echo "$1: $new new files, $edited edited"
  [[ $new -eq $2 && $edited -eq $3 ]] || { echo "error: promised $2 new and $3 edited"; exit 1; }
  git -c user.name=x -c user.email=x@example.org commit -qm "$1"
}

# An elementwise op: a struct and its place in the list, both in one file, and what it is compared with, in the tests.
sed -i 's|^template <class... Op>$|struct Cube {\n  static constexpr const char* name = "cube";\n  template <class T>\n  SEQGRAD_HD static T f(T x) {\n    return x * x * x;\n  }\n  template <class T>\n  SEQGRAD_HD static T df(T x, T) {\n    return 3 * x * x;\n  }\n};\n\n&|; s|using UnaryOps = OpList<|&Cube, |' engine/ops/elementwise.h
sed -i 's|^UnaryReference reference(Tanh) {|UnaryReference reference(Cube) {\n  return {-2, 2, [](double x) { return std::pow(x, 3); }};\n}\n&|' tests/ops/elementwise.cpp
touched "elementwise op" 0 2

# An op of its own: header and source (a CUDA build adds a third file), and its samples among the tests.
cat >engine/ops/halve.h <<'CPP'
// Half of a tensor.
#pragma once
#include "engine/core/tape.h"

namespace seqgrad {
Tensor halve(const Tensor& x);
}  // namespace seqgrad
CPP
cat >engine/ops/halve.cpp <<'CPP'
// Half of a tensor, by the scale op.
#include "engine/ops/halve.h"

#include "engine/core/op_registry.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {

Tensor halve(const Tensor& x) { return scale(x, 0.5); }

static const bool registered = register_op({"halve", "half of a tensor"});

}  // namespace seqgrad
CPP
cat >tests/ops/halve.cpp <<'CPP'
// Samples of halve.
#include "engine/ops/halve.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

static const bool registered = register_samples("halve", {{"[3]", {SampleInput::reals({3})},
    [](std::span<const Tensor> in) { return halve(in[0]); },
    [](const std::vector<Values>& in) { return Values{in[0][0] / 2, in[0][1] / 2, in[0][2] / 2}; }}});
CPP
touched "op" 3 0

# A loss preset: a row of the table (and its expected value beside the test).
sed -i 's|^    {"sum", .*|&\n    {"house.mean_of_all", all, by("positions"), 0, zero, global, -1, 0, 0, "this script", "Σ ωℓ / (B·T)"},|' engine/loss/presets.cpp
sed -i 's|^    {"sum", -1, true, {12.5}},|&\n    {"house.mean_of_all", -1, true, {0.694444444}},|' tests/loss/test_loss_presets.cpp
touched "loss preset" 0 2

# A config key: one line.
sed -i 's|^struct ReportConfig : Section {$|&\n  // the line below is the whole of it|; s|^  Field<int64_t> samples{this, "samples".*|  Field<int64_t> house_key{this, "house_key", 3, at_least(0), "a key of this script"};\n&|' engine/train/config.h
touched "config key" 0 1

# The tests that walk the registries; the others have nothing to say about these, and take minutes to compile.
find tests -name '*.cpp' ! -name test_ops.cpp ! -name test_loss_presets.cpp ! -name test_config_keys.cpp ! -path 'tests/ops/[!t]*' ! -path '*/example/*' ! -path '*/emulate/*' ! -path '*/preload/*' ! -path '*/reference/*' ! -path '*/mpi_process/*' -delete
SEQGRAD_TESTS=ON SEQGRAD_CUDA=OFF scripts/build.sh seqgrad seqgrad_tests
build/seqgrad info --ops | grep -E '^(cube|halve) '
build/seqgrad info --presets | grep '^house.mean_of_all '
build/seqgrad config --reference | grep 'house_key'
build/seqgrad config --schema | grep -c '"house_key"'
build/tests/seqgrad_tests -# '[#test_ops],[#test_loss_presets],[#test_config_keys]' | tail -n 2
echo "measured: op 2 new 0 edited (3 with CUDA) and its samples, elementwise op 2 edited (its maths, its reference), preset 1 row and its expected value, config key 1 line"
