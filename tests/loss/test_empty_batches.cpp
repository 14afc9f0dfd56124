// Batches in which nothing counts, as the first thing that a thread's tape, or a process, is asked: every preset, form
// of input, dtype and command. What must come out follows from the divisors' definitions alone.
#include <cmath>
#include <thread>

#include "engine/io/safetensors.h"
#include "engine/loss/presets.h"
#include "engine/nn/parameters.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gru.h"
#include "engine/ops/matmul.h"
#include "engine/ops/softmax.h"
#include "tests/support/devices.h"
#include "tests/support/loss_helpers.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// On a tape that has never allocated anything.
void on_a_new_tape(const std::function<void()>& f) {
  std::exception_ptr error;
  std::thread([&] {
    try {
      f();
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  if (error) std::rethrow_exception(error);
}

constexpr int64_t V = 3, D = 2;

struct Size {
  const char* name;
  int64_t batch, steps;
};
constexpr Size sizes[] = {{"no sentences", 0, 3}, {"no steps", 2, 0}, {"neither", 0, 0}, {"all masked", 2, 3}};

LossInputs inputs_of(Size size, const LossOptions& options, const Preset& preset) {
  LossInputs in;
  in.batch = size.batch, in.steps = size.steps, in.classes = V;
  const auto cells = static_cast<size_t>(size.batch * size.steps);
  if (options.target == Target::dense)
    in.dense.assign(cells * V, 1.0 / 3);
  else
    in.targets.assign(cells, 1);
  in.mask.emplace(cells, uint8_t{0});
  if (preset.given == Given::class_weight || preset.divide.flat == "class_weight")
    in.class_weight = std::vector<double>(V, 2.0);
  return in;
}

// A divisor of `batch` examples of which none has an active cell, in an entry of `cells` cells.
double divisor_of(const std::string& name, double k, Size size, int64_t cells) {
  if (name == "one") return 1;
  if (name == "positions") return static_cast<double>(cells);
  if (name == "steps") return static_cast<double>(size.steps);
  if (name == "batch") return static_cast<double>(size.batch);
  if (name == "const") return k;
  return 0;  // all others count what is active; active_minus_batch is negative, which counts as 0
}

std::vector<double> expected(const LossOptions& o, Size size) {
  const int64_t b = size.batch, t = size.steps;
  const size_t entries = static_cast<size_t>(o.over == Over::time    ? b
                                             : o.over == Over::batch ? t
                                             : o.over == Over::none  ? b * t
                                                                     : 1);
  const int64_t cells = o.over == Over::time ? t : o.over == Over::batch ? b : o.over == Over::none ? 1 : b * t;
  const double d = divisor_of(o.divide.nested() ? o.divide.batch : o.divide.flat, o.divide.k, size, cells);
  const bool plus_eps = o.divide_eps > 0 && !o.divide.nested();  // a nested one adds it to its inner divisors
  const double value = d == 0 && !plus_eps && o.on_zero == OnZero::nan ? NaN : 0;
  return std::vector<double>(entries, value);
}

template <class T>
void check_gradient(const Tensor& x) {
  for (const T g : to_host<T>(grad(x))) CHECK((g == 0 && !std::signbit(g)));
}

// Value and gradients of one loss, of one form of input.
template <class T>
void check_loss(const LossOptions& o, const LossInputs& in, Size size, bool hidden, Device device) {
  const auto filled = [&](Shape shape) {
    const T x = o.input == Input::probs ? T(1) / 3 : std::numeric_limits<T>::quiet_NaN();  // which is never read
    return variable(from_host(std::vector<T>(static_cast<size_t>(shape.numel()), x), shape, device));
  };
  const Tensor x = filled({size.batch, size.steps, hidden ? D : V});
  const Tensor w = hidden ? filled({V, D}) : Tensor{}, bias = hidden ? filled({V}) : Tensor{};
  const LossResult r = hidden ? linear_sequence_loss(x, w, bias, in, o) : sequence_loss(x, in, o);
  const std::vector<double> want = expected(o, size);
  check_close(r.values, want, 0);
  CHECK(r.value.numel() == static_cast<int64_t>(want.size()));
  Tape::current().backward(r.value, from_host(std::vector<T>(want.size(), T{1}), r.value.shape, device));
  check_gradient<T>(x);
  if (hidden) check_gradient<T>(w), check_gradient<T>(bias);
}

void check_preset(const Preset& preset, Size size, Device device) {
  LossOptions o = options_of(preset);
  if (preset.given == Given::dense) o.target = Target::dense;
  if (o.smoothing_kind == SmoothingKind::others_excluding) o.smoothing_excluding = {0};
  const LossInputs in = inputs_of(size, o, preset);
  for (const char* form : {"logits", "probs", "hidden"}) {
    const bool probs = std::string(form) == "probs", hidden = std::string(form) == "hidden";
    if (preset.row.input && (*preset.row.input == Input::probs) != probs) continue;
    if (probs && in.class_weight && o.class_scope == ClassScope::per_class) continue;  // refused as E08
    LossOptions of_form = o;
    of_form.input = probs ? Input::probs : Input::logits;
    CAPTURE(preset.name, size.name, form, test_name_of(device));
    on_a_new_tape([&] { check_loss<float>(of_form, in, size, hidden, device); });
    on_a_new_tape([&] { check_loss<double>(of_form, in, size, hidden, device); });
  }
}

}  // namespace

TEST_CASE("a loss of nothing is what its divisor of nothing says, in every form, as a tape's first call") {
  for (const Device device : test_devices())
    for (const Preset& preset : presets())
      for (const Size size : sizes) check_preset(preset, size, device);
}

TEST_CASE(
    "every op takes an empty batch, as a tape's first call, and an operand without elements is not an absent one") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    on_a_new_tape([&] {
      const auto of = [&](Shape shape) { return variable(zeros(shape, DType::f32, device)); };
      const Tensor x = of({0, 4}), none = of({4, 0}), bias = of({0});
      CHECK(x.defined());
      CHECK_FALSE(Tensor{}.defined());
      Tape::current().backward(tanh(x), of({0, 4}));
      CHECK(linear(x, none, bias).shape == Shape{0, 0});
      CHECK(error_of([&] {
              linear(of({2, 4}), of({4, 3}), bias);
            }) ==
            "2 linear: x float32 [2,4], w float32 [4,3], bias float32 [0]; expected x [...,I], w [I,O], bias [O] or "
            "none");
      const Tensor lengths = from_host(std::vector<int32_t>{}, {0}, device);
      CHECK(error_of([&] { softmax(of({2, 4}), lengths); }) == "2 softmax: 0 lengths for 2 rows");
      const Tensor gx = of({2, 3, 6}), w = of({2, 6}), b = of({6});
      CHECK(error_of([&] {
              gru(gx, w, b, of({0, 2}), from_host(std::vector<int32_t>{1, 2}, {2}, device));
            }) ==
            "2 gru: gx float32 [2,3,6], w_hh float32 [2,6], b_hh float32 [6], h0 float32 [0,2], lengths int32 [2]; "
            "expected gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32");
      CHECK(gru(of({0, 3, 6}), w, b, of({0, 2}), lengths).shape == Shape{0, 3, 2});
      CHECK(error_of([&] { Tape::current().backward(tanh(of({})), of({0})); }) ==
            "2 backward: [] needs an upstream gradient of the same shape and dtype");
    });
  }
}

TEST_CASE("a store of no parameters is allocated, read and released") {
  for (const Device device : test_devices())
    on_a_new_tape([&] {
      ParameterStore store(DType::f32, device);
      store.allocate(1);
      store.zero_grad();
      CHECK(store.count() == 0);
      CHECK(store.values().defined());
      store.digest();
    });
}

TEST_CASE("shapes whose elements are more than numbers can count are refused") {
  const int64_t large = int64_t{1} << 32;
  CHECK(error_of([&] {
          Shape{large, large};
        }) == "2 a tensor of shape [4294967296,4294967296] has more elements than 2^60");
  CHECK(error_of([&] {
          Shape{large, 0, large};
        }) == "2 a tensor of shape [4294967296,0,4294967296] has more elements than 2^60");
  CHECK(Shape{int64_t{1} << 30, int64_t{1} << 30}.numel() == int64_t{1} << 60);
  CHECK(Shape{large, 0}.numel() == 0);
  Tape::current().reset();
  CHECK(error_of([] { empty({int64_t{1} << 30, int64_t{1} << 30}, DType::f64); }).starts_with("3 out of memory: "));
}

namespace {

struct Written {
  const char* name;
  int64_t batch, steps;
  const char *form, *preset;
};

// A case of nothing as a framework's user writes it: value 0.
std::string write_case(const Scratch& dir, const Written& c) {
  const auto cells = static_cast<size_t>(c.batch * c.steps);
  const std::string form = c.form;
  const std::vector<float> x(cells * V, 1.0f / 3), weight(V * D, 1.0f);
  const std::vector<int64_t> targets(cells, 1);
  const std::vector<uint8_t> mask(cells, 0);
  const double value = 0;
  std::vector<NamedArray> tensors{named_array("targets", {c.batch, c.steps}, targets.data()),
                                  named_array("mask", {c.batch, c.steps}, mask.data()),
                                  named_array("gold.value", {}, &value)};
  const int64_t width = form == "hidden" ? D : V;
  tensors.push_back(named_array(form, {c.batch, c.steps, width}, x.data()));
  if (form == "hidden") tensors.push_back(named_array("weight", {V, D}, weight.data()));
  std::filesystem::create_directories(dir / (std::string("cases/") + c.name));
  dir.write(std::string("cases/") + c.name + "/case.yaml",
            std::string("name: ") + c.name + "\nloss: {preset: " + c.preset + ", input: " + form + "}\n");
  write_safetensors(dir / (std::string("cases/") + c.name + "/tensors.safetensors"), tensors);
  return dir / (std::string("cases/") + c.name);
}

}  // namespace

TEST_CASE("each command takes a case of nothing as its first") {
  const Scratch dir;
  for (const Written& c : {Written{"no_sentences", 0, 3, "logits", "token_mean"},
                           {"no_steps", 2, 0, "hidden", "sum"},
                           {"all_masked", 2, 3, "probs", "sentence_mean"}}) {
    CAPTURE(c.name);
    const std::string path = write_case(dir, c);
    for (const char* dtype : {"f32", "f64"}) {
      const Result r = run_seqgrad(dir, "check " + path + " --dtype " + dtype);
      CAPTURE(dtype, r.out, r.err);
      CHECK(r.code == 0);
    }
    for (const char* command : {"loss ", "explain ", "gradcheck "}) {
      const Result r = run_seqgrad(dir, command + path);
      CAPTURE(command, r.out, r.err);
      CHECK(r.code == 0);
    }
  }
  const Result all = run_seqgrad(dir, "check " + (dir / "cases"));
  CAPTURE(all.out, all.err);
  CHECK(all.code == 0);
  CHECK(has(all.out, "3"));
}

TEST_CASE("training on examples of weight 0 makes no update, says so and ends") {
  const Scratch dir;
  dir.write("t.tsv", "a b\tc d\t0\nb a\td c\t0\n");
  dir.write("c.yaml",
            "data: {train: {tsv: t.tsv}, dev: {tsv: t.tsv}}\ntrain: {steps: 2, batch: {size: 2}}\n"
            "model: {embedding: 4, encoder: {hidden: 4}, decoder: {hidden: 4}}\n"
            "loss: {weights: {example: true}, preset: tf1.losses.mean}\n");
  const Result r = run_seqgrad(dir, "train " + (dir / "c.yaml") + " --run-dir " + (dir / "run"));
  CAPTURE(r.out, r.err);
  CHECK(r.code == 0);
  CHECK(has(r.out + r.err, "no update was made"));
}
