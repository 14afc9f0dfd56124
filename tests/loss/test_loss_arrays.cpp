// Arrays as a file has them: dtypes of ids, and the texts of wrong dtypes and shapes (E01, E02, E03, E05, E08, E17).
#include "engine/check/run_case.h"
#include "engine/config/yaml.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

using Dims = std::vector<int64_t>;

template <class T>
NamedArray filled(const std::string& name, const Dims& shape, T value) {
  int64_t count = 1;
  for (const int64_t d : shape) count *= d;
  const std::vector<T> numbers(static_cast<size_t>(count), value);
  return named_array(name, shape, numbers.data());
}

LossCase case_of(const std::string& loss, std::vector<NamedArray> tensors) {
  return make_case(parse_yaml("name: c\nloss: {" + loss + "}\nexpect: value\n", "c.yaml"),
                   SafetensorsFile{"c.safetensors", std::move(tensors), {}}, "c.yaml");
}

// What the inputs of a case are refused for; logits [4,9,50] unless given.
std::string said(const std::string& loss, std::vector<NamedArray> tensors, const Dims& logits = {4, 9, 50}) {
  tensors.push_back(filled("logits", logits, 0.5));
  const LossCase c = case_of(loss, std::move(tensors));
  return message_of([&] { inputs_of(c); });
}

const NamedArray ids = filled<int64_t>("targets", {4, 9}, 1);

}  // namespace

TEST_CASE("int32 and int64 ids stay integers: the largest of each arrives as it is") {
  for (const bool wide : {false, true}) {
    const int64_t y = wide ? (int64_t{1} << 53) + 1 : 2147483647;  // the first has no float64
    const NamedArray targets =
        wide ? filled<int64_t>("targets", {1, 1}, y) : filled<int32_t>("targets", {1, 1}, 2147483647);
    const LossCase c = case_of("", {targets, filled("logits", {1, 1, 3}, 0.5)});
    const CaseInputs in = inputs_of(c);
    CHECK(in.loss.targets == std::vector<int64_t>{y});
    CHECK(message_of([&] { build_live_rows(in.loss, in.options); }) ==
          fmt::format("target id {} at (b=0,t=0) is outside [0,3); mask it or set ignore_index", y));
  }
}

TEST_CASE("E01: shapes that differ name both tensors") {
  CHECK(said("", {ids}) == "no error");
  CHECK(said("", {filled<int64_t>("targets", {4, 7}, 1)}) ==
        "loss: targets are [B=4,T=7] but logits are [B=4,T=9,V=50]; T must match (did you forget to shift or trim?)");
  CHECK(said("layout: time", {filled<int64_t>("targets", {7, 4}, 1)}, {9, 4, 50}) ==
        "loss: targets are [B=4,T=7] but logits are [B=4,T=9,V=50]; T must match (did you forget to shift or trim?)");
  CHECK(said("", {filled<int64_t>("targets", {3, 9}, 1)}) ==
        "loss: targets are [B=3,T=9] but logits are [B=4,T=9,V=50]; B must match");
  CHECK(said("", {ids}, {4, 450}) ==
        "loss: logits are [4,450]; expected rank 3, [B,T,V]; or flat, [N,V] beside targets [N]");
  CHECK(said("", {ids, filled<int64_t>("lengths", {3}, 1)}) == "loss: lengths is [3]; expected [B] = [4]");
  CHECK(said("target: dense", {filled("targets", {4, 9, 49}, 0.5)}) ==
        "loss: targets are [B=4,T=9,V=49] but logits are [B=4,T=9,V=50]; V must match");
}

TEST_CASE("E02: a number an example where one a position is expected, even where it would broadcast") {
  CHECK(said("", {ids, filled("token_weight", {4}, 1.0)}) ==
        "token_weight is [4]; expected [4,9]. Per-example weights go in example_weight, as [4]");
  CHECK(said("", {ids, filled<uint8_t>("mask", {4}, 1)}) ==
        "mask is [4]; expected [4,9]. Per-example lengths go in lengths, as [4]");
  CHECK(said("", {filled<int64_t>("targets", {4, 4}, 1), filled("token_weight", {4}, 1.0)}, {4, 4, 3}) ==
        "token_weight is [4]; expected [4,4]. Per-example weights go in example_weight, as [4]");
  CHECK(said("", {ids, filled("token_weight", {4, 1}, 1.0)}) ==
        "token_weight is [4,1]; expected [4,9]. Per-example weights go in example_weight, as [4]");
}

TEST_CASE("E03: lists with unequal numbers of steps") {
  const auto list = [](int targets, int weights) {
    std::vector<NamedArray> tensors;
    for (int t = 0; t < 5; ++t) tensors.push_back(filled("logits." + std::to_string(t), {2, 3}, 0.5));
    for (int t = 0; t < targets; ++t) tensors.push_back(filled<int64_t>("targets." + std::to_string(t), {2}, 1));
    for (int t = 0; t < weights; ++t) tensors.push_back(filled("token_weight." + std::to_string(t), {2}, 1.0));
    const LossCase c = case_of("layout: list", tensors);
    return message_of([&] { inputs_of(c); });
  };
  CHECK(list(5, 5) == "no error");
  CHECK(list(5, 4) == "logits has 5 steps, token_weight 4");
  CHECK(list(4, 5) == "logits has 5 steps, targets 4");
}

TEST_CASE("E05, E08, E17: and options before dtypes before shapes") {
  const NamedArray floats = filled<float>("targets", {4, 7}, 1.0f);  // the wrong T as well
  CHECK(said("", {floats}) == "targets must be int32/int64, got float32");
  CHECK(said("", {filled("targets", {4, 9}, 1.0)}) == "targets must be int32/int64, got float64");
  CHECK(said("smoothing: {epsilon: 0.1, kind: others_excluding, excluding: [50]}", {floats}) ==
        "loss: smoothing.excluding: id 50 is outside [0,50)");
  CHECK(said("", {ids, filled("class_weight", {49}, 1.0)}) == "loss: class_weight is [49]; expected [V] = [50]");
  const LossCase c = case_of("", {ids, filled("hidden", {4, 9, 3}, 0.5), filled("weight", {50, 2}, 0.5)});
  CHECK(message_of([&] { inputs_of(c); }) ==
        "loss: hidden [4,9,3], weight [50,2] and bias none do not fit; expected [B,T,D], [V,D] and [V]");
}
