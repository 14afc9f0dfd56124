#!/usr/bin/env bash
# Adds an elementwise op, an op, a loss preset, a config key, a task and a device to a copy of the tree, counts the files that each
# one touches, builds, and asks the executable whether its registries know them.
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

# A task: a file.
cat >engine/data/task_rotate.cpp <<'CPP'
// Task `rotate`: the first number goes to the end.
#include <algorithm>

#include "engine/data/number_lists.h"

namespace seqgrad {

static Splits make_rotate(const TaskOptions& options) {
  return number_list_splits(
      "rotate", options,
      [](std::vector<int> numbers) {
        std::rotate(numbers.begin(), numbers.begin() + 1, numbers.end());
        return numbers;
      },
      true);
}

static const bool registered = register_task({"rotate", "lists of numbers whose first goes to the end", "word", make_rotate});

}  // namespace seqgrad
CPP
touched "task" 1 0

# A device: its enumerator with its name, and files of its own, here one. It keeps tensors in memory of the host and has the
# CPU compute two ops.
sed -i 's|^enum class Device : uint8_t { cpu, cuda };$|enum class Device : uint8_t { cpu, cuda, stub };|; s|device_names\[\] = {"cpu", "cuda"}|device_names[] = {"cpu", "cuda", "stub"}|' engine/core/backend.h
cat >engine/ops/stub_device.cpp <<'CPP'
// A device in memory of the host, with kernels for float32 tanh and scale.
#include <cstdlib>
#include <cstring>

#include "engine/core/error.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

class Stub final : public Backend {
 public:
  void* allocate(size_t bytes) const override {
    void* memory = std::aligned_alloc(64, bytes / 64 * 64 + 64);
    if (!memory) system_failure("out of memory: {} bytes asked of the stub", bytes);
    zero(memory, bytes);
    return memory;
  }
  void release(void* memory, size_t) const noexcept override { std::free(memory); }
  void zero(void* memory, size_t bytes) const override { std::memset(memory, 0, bytes); }
  void copy(void* to, const void* from, size_t bytes) const override {
    if (bytes > 0) std::memmove(to, from, bytes);
  }
  void upload(void* to, const void* host, size_t bytes) const override { copy(to, host, bytes); }
  void download(void* host, const void* from, size_t bytes) const override { copy(host, from, bytes); }
  void synchronise() const override {}
  std::string describe() const override { return "memory of the host"; }
  size_t memory_bytes() const override { return backend(Device::cpu).memory_bytes(); }
};

constexpr Stub stub;

template <auto& slot, class Args>
void on_cpu(const Args& args) {
  slot(Device::cpu, args);
}

const bool installed = install_backend(Device::stub, stub) &&
                       install<Device::stub>(kernels::unary<float, Tanh>, on_cpu<kernels::unary<float, Tanh>>) &&
                       install<Device::stub>(kernels::unary_grad<float, Tanh>, on_cpu<kernels::unary_grad<float, Tanh>>) &&
                       install<Device::stub>(kernels::axpy<float>, on_cpu<kernels::axpy<float>>);

}  // namespace
}  // namespace seqgrad
CPP
cat >tests/device/test_stub_device.cpp <<'CPP'
// Tensors on the device that scripts/check/extension_points.sh adds.
#include "engine/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("a tensor goes to a new device, through ops that have kernels there, and back") {
  Tape::current().reset();
  const std::vector<float> values = {-1, 0, 0.5f};
  const auto gradient = [&](Device device) {
    const Tensor x = variable(from_host(values, {3}, device)), y = tanh(scale(x, 2));
    CHECK(y.device == device);
    Tape::current().backward(y, from_host(values, {3}, device));
    return std::pair(to_host<float>(y), to_host<float>(grad(x)));
  };
  CHECK(to_host<float>(from_host(values, {3}, Device::stub)) == values);
  CHECK(gradient(Device::stub) == gradient(Device::cpu));
}

TEST_CASE("an op without a kernel there says so, and so does one whose operands are on two devices") {
  Tape::current().reset();
  const Tensor x = from_host(std::vector<float>{1}, {1}, Device::stub), y = from_host(std::vector<float>{1}, {1});
  CHECK(error_of([&] { sigmoid(x); }) == "3 sigmoid: no stub kernel in this build");
  CHECK(has(error_of([&] { add(x, y); }), "must be on one device"));
}
CPP
touched "device" 2 1

# The tests that walk the registries; the others have nothing to say about these, and take minutes to compile.
find tests -name '*.cpp' ! -name test_ops.cpp ! -name test_loss_presets.cpp ! -name test_config_keys.cpp ! -name test_stub_device.cpp ! -path 'tests/ops/[!t]*' ! -path '*/example/*' ! -path '*/emulate/*' ! -path '*/preload/*' ! -path '*/reference/*' ! -path '*/mpi_process/*' -delete
SEQGRAD_UNITY=ON SEQGRAD_TESTS=ON SEQGRAD_CUDA=OFF scripts/build.sh seqgrad seqgrad_tests
build/seqgrad info --ops | grep -E '^(cube|halve) '
build/seqgrad info --presets | grep '^house.mean_of_all '
build/seqgrad config --reference | grep 'house_key'
build/seqgrad config --schema | grep -c '"house_key"'
build/seqgrad config --reference | grep -c 'rotate'
build/seqgrad train configs/copy.yaml --set data.task=rotate --max-steps 2 --run-dir runs/rotate -q
build/seqgrad info | grep '^stub     memory of the host'
build/seqgrad config --reference | grep 'cpu, cuda, stub, auto'
refused=$(build/seqgrad train configs/copy.yaml --device stub --run-dir runs/stub 2>&1) && { echo "error: trained without kernels"; exit 1; }
grep 'no stub kernel in this build' <<<"$refused" || { echo "$refused"; exit 1; }
build/tests/seqgrad_tests -# '[#test_ops],[#test_loss_presets],[#test_config_keys],[#test_stub_device]' | tail -n 2
echo "measured: op 2 new 0 edited (3 with CUDA) and its samples, elementwise op 2 edited (its maths, its reference), preset 1 row and its expected value, config key 1 line, task 1 file, device 1 enumerator and files of its own, with a test"
