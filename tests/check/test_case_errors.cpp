// Tensors of a case that do not fit, each with its text; and one loss in every layout that a case may store it in.
#include <array>

#include "engine/check/run_case.h"
#include "engine/core/random.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

constexpr DType f32 = DType::f32, f64 = DType::f64, i32 = DType::i32, i64 = DType::i64, u8 = DType::u8;

// Zeros, or ones where they are lengths.
NamedArray array(const std::string& name, std::vector<int64_t> shape, DType dtype = f64) {
  NamedArray a{name, dtype, std::move(shape), {}};
  a.bytes.assign(static_cast<size_t>(a.numel()) * size_of(dtype), '\0');
  return a;
}

using Tensors = std::vector<NamedArray>;

LossCase case_of(const std::string& loss, Tensors tensors, const std::string& more = "") {
  SafetensorsFile file;
  file.path = "t";
  file.tensors = std::move(tensors);
  return make_case(parse_yaml("name: x\nloss: {" + loss + "}\n" + more, "c.yaml"), std::move(file), "c");
}

struct Wrong {
  std::string loss;
  Tensors tensors;
  std::string error;
};

void check_all(const std::vector<Wrong>& all) {
  for (const Wrong& w : all) {
    CAPTURE(w.error);
    const std::string said = error_of([&] { run_case(case_of(w.loss, w.tensors), f64, Device::cpu); });
    CHECK(said == "2 " + w.error);
  }
}

// B=2, T=3, V=4.
const NamedArray logits = array("logits", {2, 3, 4}), targets = array("targets", {2, 3}, i64),
                 hidden = array("hidden", {2, 3, 5}), weight = array("weight", {4, 5});

}  // namespace

TEST_CASE("tensors that a case cannot have are refused by name") {
  const std::string pair = "t: error: the tensors 'hidden' and 'weight' go together, and one is missing";
  const auto tensor = [](const std::string& name, const std::string& why) {
    return "t: error: tensor '" + name + "': " + why;
  };
  check_all({
      {"", {logits, targets, array("mask", {2, 3})}, tensor("mask", "expected uint8 or bool, got float64")},
      {"", {logits, targets, array("lengths", {2})}, tensor("lengths", "expected int32 or int64, got float64")},
      {"",
       {logits, targets, array("token_weight", {2, 3}, i32)},
       tensor("token_weight", "expected float32 or float64, got int32")},
      {"", {logits, targets, array("gold.value", {}, i64)}, tensor("gold.value", "expected float64, got int64")},
      {"",
       {array("logits", {0, 3, 2'000'000}), targets},
       tensor("logits", "a side of 2000000 without a number; at most 1048576 are read")},
      {"", {logits, targets, array("qqqqqqqq", {})}, tensor("qqqqqqqq", "is none of a case's")},
      {"", {targets}, "t: error: expected exactly one of the tensors logits, probs, hidden and row_loss, got 0"},
      {"",
       {logits, hidden, targets},
       "t: error: expected exactly one of the tensors logits, probs, hidden and row_loss, got 2"},
      {"", {logits}, "t: error: the tensor 'targets' is missing"},
      {"", {hidden, targets}, pair},
      {"", {logits, weight, targets}, pair},
      {"", {logits, targets, array("bias", {4})}, tensor("bias", "goes with hidden")},
      {"",
       {hidden, array("weight", {4, 5}, f32), targets},
       tensor("weight", "is float32, others are float64; a case runs in one dtype")},
      {"", {logits, targets, array("prior", {4})}, tensor("prior", "goes with smoothing.kind: prior")},
      {"layout: list", {logits, targets}, tensor("logits", "layout: list has one array a step: logits.0, logits.1, …")},
      {"layout: list",
       {array("logits.0", {2, 4}), array("logits.2", {2, 4}), array("targets.0", {2}, i64)},
       tensor("logits", "has steps up to 2, but 2 of them")},
      {"layout: list",
       {array("logits.0", {2, 4}), array("targets.0", {2}, i64), array("gold.row_loss.1", {2})},
       tensor("gold.row_loss.1", "step 0 is missing before it")},
      {"layout: list",
       {array("logits.0", {2, 4}), array("targets.0", {2}, i64), array("gold.row_loss.0", {2}),
        array("gold.row_loss.1", {3})},
       tensor("gold.row_loss.1", "its shape differs from that of step 0")},
  });
  for (const char* step : {"logits.x", "logits.01", "logits.-1", "logits.1x", "logits."}) {
    CAPTURE(step);
    CHECK(has(error_of([&] {
                case_of("layout: list", {array(step, {2, 4}), array("targets.0", {2}, i64)});
              }),
              "layout: list has one array a step"));
  }
  CHECK(error_of([] {
          make_case(parse_yaml("loss: {}\ntensors: {logits: [[[0.0]]]}\n", "c.yaml"), SafetensorsFile{}, "c");
        }) == "2 c.yaml: error: tensors stand here and in tensors.safetensors; a case has them once");
  CHECK(error_of([] { make_case(parse_yaml("loss: {}\n", "c.yaml"), std::nullopt, "c"); }) ==
        "2 c.yaml: error: the section 'tensors' is missing");
}

TEST_CASE("keys of a case that its tensors contradict are refused by their place") {
  const auto said = [](const std::string& loss, const Tensors& tensors) {
    return error_of([&] { case_of(loss, tensors); });
  };
  CHECK(said("layout: list", {hidden, weight, array("targets.0", {2}, i64)}) ==
        "2 c.yaml:2:16: error: loss.layout: list is for logits and probs");
  CHECK(has(said("weights: {class: {file: x}}", {logits, targets}),
            "loss.weights.class.file: in a case the tensor class_weight gives them; leave this out"));
  CHECK(has(said("smoothing: {kind: prior, epsilon: 0.1, prior: x}", {logits, targets}),
            "loss.smoothing.prior: in a case the tensor prior gives it; leave this out"));
  CHECK(has(said("smoothing: {kind: prior, epsilon: 0.1}", {logits, targets}),
            "loss.smoothing.kind: needs the tensor 'prior'"));
  CHECK(has(said("input: hidden", {logits, targets}), "write input: logits"));
  CHECK(has(said("mask: {file: true}", {logits, targets}), "is true, but the tensor 'mask' is not"));
}

TEST_CASE("shapes of a case's tensors that do not fit are told as errors of the loss") {
  const std::string step = "layout: list", dense = "target: dense";
  const NamedArray step0 = array("logits.0", {2, 4}), step1 = array("logits.1", {2, 4}),
                   ids0 = array("targets.0", {2}, i64), ids1 = array("targets.1", {2}, i64);
  check_all({
      {"",
       {array("logits", {2, 3}), targets},
       "loss: logits are [2,3]; expected rank 3, [B,T,V]; or flat, [N,V] beside targets [N]"},
      {"", {array("logits", {}), targets}, "loss: logits are []; expected rank 3, [B,T,V]"},
      {"layout: time", {array("logits", {2, 3}), targets}, "loss: logits are [2,3]; expected rank 3, [T,B,V]"},
      {"", {logits, array("targets", {2, 3})}, "targets must be int32/int64, got float64"},
      {dense, {logits, array("targets", {2, 3, 4}, i64)}, "dense targets must be float32/float64, got int64"},
      {step, {step0, array("logits.1", {2, 5}), ids0, ids1}, "loss: logits.1 is [2,5]; expected [B,V], as step 0"},
      {step, {array("logits.0", {4}), ids0}, "loss: logits.0 is [4]; expected [B,V], as step 0"},
      {step, {step0, step1, ids0}, "logits has 2 steps, targets 1"},
      {step, {step0, array("targets.0", {3}, i64)}, "loss: targets.0 is [3]; expected [2]"},
      {"",
       {hidden, array("weight", {4, 6}), targets},
       "loss: hidden [2,3,5], weight [4,6] and bias none do not fit; expected [B,T,D], [V,D] and [V]"},
      {"",
       {hidden, array("weight", {20}), targets},
       "loss: hidden [2,3,5], weight [20] and bias none do not fit; expected [B,T,D], [V,D] and [V]"},
      {"",
       {hidden, weight, array("bias", {3}), targets},
       "loss: hidden [2,3,5], weight [4,5] and bias [3] do not fit; expected [B,T,D], [V,D] and [V]"},
      {"",
       {logits, array("targets", {2, 4}, i64)},
       "loss: targets are [B=2,T=4] but logits are [B=2,T=3,V=4]; are the logits [B,V,T], as PyTorch's cross_entropy "
       "takes them? Write logits.transpose(1, 2)"},
      {"",
       {logits, array("targets", {3, 3}, i64)},
       "loss: targets are [B=3,T=3] but logits are [B=2,T=3,V=4]; B must match"},
      {"layout: time",
       {array("logits", {3, 2, 4}), targets},
       "loss: targets are [B=3,T=2] but logits are [B=2,T=3,V=4]; are the targets [B,T]? Transpose them: layout: time "
       "has all as [T,B,…]"},
      {dense,
       {logits, array("targets", {2, 3, 5})},
       "loss: targets are [B=2,T=3,V=5] but logits are [B=2,T=3,V=4]; V must match"},
      {"", {logits, array("targets", {6}, i64)}, "loss: targets are [6]; expected [B,T] beside logits [2,3,4]"},
      {"",
       {logits, targets, array("token_weight", {2})},
       "token_weight is [2]; expected [2,3]. Per-example weights go in example_weight, as [2]"},
      {"",
       {logits, targets, array("mask", {2}, u8)},
       "mask is [2]; expected [2,3]. Per-example lengths go in lengths, as [2]"},
      {"", {logits, targets, array("mask", {2, 4}, u8)}, "loss: mask is [2,4]; expected [2,3]"},
      {"",
       {logits, targets, array("lengths", {3}, i32)},
       "loss: lengths is [3]; expected [B] = [2]; are the others time-major, [T,B,…]? Then write layout: time"},
      {"",
       {logits, targets, array("example_weight", {2, 1})},
       "loss: example_weight is [2,1]; expected [B] = [2]; squeeze its last dimension"},
      {"", {logits, targets, array("class_weight", {3})}, "loss: class_weight is [3]; expected [V] = [4]"},
      {"smoothing: {kind: prior, epsilon: 0.1}",
       {logits, targets, array("prior", {3})},
       "loss: prior is [3]; expected [V] = [4]"},
      {"reduce: {over: none, divide: one}",
       {logits, targets, array("upstream", {2})},
       "loss: upstream is [2]; the result is [2,3]"},
  });
}

TEST_CASE("a case says the same to the bit in every layout, with an upstream for each position") {
  constexpr int64_t B = 2, T = 3, V = 4, D = 5;
  Random random(21, 0);
  const auto draw = [&](int64_t n) {
    std::vector<double> x(static_cast<size_t>(n));
    for (double& v : x) v = random.uniform() - 0.5;
    return x;
  };
  const std::vector<double> z = draw(B * T * V), h = draw(B * T * D), w = draw(V * D), bias = draw(V),
                            token_weight = {1, 0.5, 2, 0, 1, 3}, upstream = draw(B * T);
  const std::vector<int64_t> ids = {0, 3, 1, 2, 2, 0}, lengths = {3, 2};
  const std::vector<uint8_t> mask = {1, 1, 0, 1, 1, 1};

  const auto run = [&](const std::string& layout, bool from_hidden) {
    Tensors tensors;
    const auto cells = [&](const std::string& name, const auto& values, int64_t width) {
      auto x = values;
      if (layout != "batch") {
        const size_t n = static_cast<size_t>(width);
        for (size_t b = 0; b < B; ++b)
          for (size_t t = 0; t < T; ++t)
            std::copy_n(values.begin() + static_cast<std::ptrdiff_t>((b * T + t) * n), n,
                        x.begin() + static_cast<std::ptrdiff_t>((t * B + b) * n));
      }
      const auto shaped = [&](std::vector<int64_t> shape) {
        if (name == "logits" || name == "hidden") shape.push_back(width);
        return shape;
      };
      if (layout == "list")
        for (int64_t t = 0; t < T; ++t)
          tensors.push_back(named_array(fmt::format("{}.{}", name, t), shaped({B}), x.data() + t * B * width));
      else
        tensors.push_back(named_array(name, layout == "time" ? shaped({T, B}) : shaped({B, T}), x.data()));
    };
    if (from_hidden) {
      cells("hidden", h, D);
      tensors.push_back(named_array("weight", {V, D}, w.data()));
      tensors.push_back(named_array("bias", {V}, bias.data()));
    } else {
      cells("logits", z, V);
    }
    cells("targets", ids, 1);
    cells("mask", mask, 1);
    cells("token_weight", token_weight, 1);
    cells("upstream", upstream, 1);
    tensors.push_back(named_array("lengths", {B}, lengths.data()));
    std::vector<std::vector<double>> out;
    for (const Values& v :
         run_case(case_of("layout: " + layout + ", reduce: {over: none, divide: one}", tensors), f64, Device::cpu)
             .values) {
      const bool by_cell = v.shape.size() >= 2 && v.shape[0] * v.shape[1] == B * T;
      const int64_t width = v.shape.size() == 3 ? v.shape[2] : 1;
      out.push_back(by_cell && layout != "batch" ? from_time_major(v.numbers, B, T, width) : v.numbers);
    }
    return out;
  };
  for (const bool from_hidden : {false, true}) {
    CAPTURE(from_hidden);
    const auto want = run("batch", from_hidden);
    CHECK(want.size() > 4);
    CHECK(want.back()[0] != 0);
    CHECK(run("time", from_hidden) == want);
    if (!from_hidden) CHECK(run("list", from_hidden) == want);
  }
}
