// Gradients against central differences in float64, over the cross product of what a loss can be.
#include "engine/check/gradcheck.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "tests/support/loss_helpers.h"
#include "tests/support/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr int64_t B = 2, T = 2, V = 4, D = 3;
enum class Form { logits, hidden, probs };

// One row loss on a small batch; its reduction is changed from outside. The last cell is dead.
struct Subject {
  Form form;
  LossInputs in;
  LossOptions options;
  std::vector<double> x;  // logits or probabilities; or hidden states, weight and bias in one

  LossResult run(const LiveRows& rows, std::vector<Tensor>* leaves = nullptr) const {
    Tape::current().reset();
    const auto leaf = [&](size_t begin, Shape shape) {
      const Tensor t = variable(from_host(std::vector<double>(x.begin() + static_cast<int64_t>(begin),
                                                              x.begin() + static_cast<int64_t>(begin) + shape.numel()),
                                          shape));
      if (leaves) leaves->push_back(t);
      return t;
    };
    if (form != Form::hidden) return sequence_loss(leaf(0, {B, T, V}), in, rows, options);
    const Tensor h = leaf(0, {B, T, D}), w = leaf(B * T * D, {V, D}), b = leaf(B * T * D + V * D, {V});
    return linear_sequence_loss(h, w, b, in, rows, options, rows.divisor);
  }
};

std::vector<Subject> subjects() {
  std::vector<Subject> out;
  uint64_t seed = 0;
  const auto kinds = {SmoothingKind::uniform, SmoothingKind::others, SmoothingKind::others_excluding,
                      SmoothingKind::prior};
  for (const Form form : {Form::logits, Form::hidden, Form::probs})
    for (const ProbsMode mode : {ProbsMode::renorm_clip, ProbsMode::clip_then_softmax, ProbsMode::strict})
      for (const Target target : {Target::ids, Target::dense})
        for (const double epsilon : {0.0, 0.1})
          for (const SmoothingKind kind : kinds)
            for (const int scope : {0, 1, 2})  // no class weights, scope class, scope target
              for (const double cap : {0.0, 2.0})
                for (const double zeta : {0.0, 0.02}) {
                  const bool ids = target == Target::ids, probs = form == Form::probs;
                  const bool others = kind == SmoothingKind::others || kind == SmoothingKind::others_excluding;
                  if ((!probs && mode != ProbsMode::renorm_clip) || (epsilon == 0 && kind != SmoothingKind::uniform) ||
                      (!ids && (others || scope == 2)) || (probs && (scope == 1 || cap > 0 || zeta > 0)))
                    continue;  // one and the same, or refused
                  Subject s;
                  Random r(++seed, 7);
                  s.form = form;
                  s.in.batch = B, s.in.steps = T, s.in.classes = V;
                  s.in.lengths = {2, 1};
                  s.in.token_weight = {1.0, 0.5, 1.5, NaN};
                  s.in.example_weight = {1.25, 0.75};
                  s.options.input = probs ? Input::probs : Input::logits;
                  s.options.probs_mode = mode;
                  s.options.target = target;
                  s.options.smoothing = epsilon;
                  s.options.smoothing_kind = kind;
                  if (kind == SmoothingKind::others_excluding) s.options.smoothing_excluding = {0};
                  if (kind == SmoothingKind::prior) s.in.prior = {.4, .3, .2, .1};
                  if (scope > 0) s.in.class_weight = {.5, 1.5, .8, 1.2};
                  s.options.class_scope = scope == 2 ? ClassScope::target : ClassScope::per_class;
                  if (cap > 0) s.options.softcap = cap;
                  s.options.z_loss = zeta;
                  if (ids) s.in.targets = {1, 3, 2, 99};
                  if (!ids) s.in.dense = {.2, .3, 0, .5, 0, 1, 0, 0, .4, .4, .4, .4, NaN, NaN, NaN, NaN};
                  if (!ids) s.options.dense_sum = DenseSum::allow;
                  s.x.resize(form == Form::hidden ? B * T * D + V * D + V : B * T * V);
                  for (double& x : s.x) x = r.normal();
                  for (size_t n = 0; probs && n < B * T; ++n) {
                    double sum = 0;
                    for (size_t v = n * V; v < (n + 1) * V; ++v) sum += s.x[v] = r.uniform() + 0.2;
                    for (size_t v = n * V; v < (n + 1) * V; ++v) s.x[v] *= (mode == ProbsMode::strict ? 1 : .9) / sum;
                  }
                  const size_t dead = form == Form::hidden ? D : V, end = dead * B * T;
                  std::fill(s.x.begin() + static_cast<int64_t>(end - dead), s.x.begin() + static_cast<int64_t>(end),
                            NaN);
                  out.push_back(s);
                }
  return out;
}

struct Reduction {
  Over over;
  Then then;
  Divide divide;
};

std::vector<Reduction> reductions() {
  std::vector<Reduction> out;
  std::vector<std::string> flat = divisor_names();
  flat.emplace_back("const");
  for (const auto& [over, then] : {std::pair{Over::all, Then::nothing},
                                   {Over::time, Then::nothing},
                                   {Over::batch, Then::nothing},
                                   {Over::none, Then::nothing},
                                   {Over::time, Then::mean},
                                   {Over::batch, Then::sum}})
    for (const std::string& name : flat) out.push_back({over, then, {name, "", "", 2.5}});
  for (const char* time : {"one", "steps", "active", "nonzero", "weight", "const"})
    for (const char* batch : {"one", "batch", "active_batch", "const"})
      out.push_back({Over::all, Then::nothing, {"", time, batch, 2.5}});
  return out;
}

// Checks every number (each = true), or one random direction through all of them.
void check(Subject s, const Reduction& how, bool each, uint64_t seed) {
  s.options.over = how.over;
  s.options.then = how.then;
  s.options.divide = how.divide;
  const LiveRows rows = build_live_rows(s.in, s.options);
  Random r(seed, 8);
  std::vector<Tensor> leaves;
  const LossResult at = s.run(rows, &leaves);
  std::vector<double> upstream;
  for (size_t i = 0; i < at.values.size(); ++i) upstream.push_back(r.normal());
  Tape::current().backward(at.value, from_host(upstream, at.value.shape));
  std::vector<double> g;
  for (const Tensor& t : leaves) {
    const auto more = to_host<double>(grad(t));
    g.insert(g.end(), more.begin(), more.end());
  }
  const auto loss = [&] {
    const LossResult now = s.run(rows);
    double sum = 0;
    for (size_t i = 0; i < upstream.size(); ++i) sum += upstream[i] * now.values[i];
    return sum;
  };
  GradientReport report;
  if (each) {
    std::replace_if(
        s.x.begin(), s.x.end(), [](double x) { return std::isnan(x); }, 7.0);  // what has no differences
    const GradientClaim claim{"x", s.x.data(), g.data(), static_cast<int64_t>(g.size())};
    report = check_gradients(loss, {&claim, 1});
  } else {
    const std::vector<double> start = s.x;
    std::vector<double> direction(g.size());
    double step = 0, slope = 0;
    for (size_t i = 0; i < g.size(); ++i) {
      direction[i] = r.normal();
      slope += std::isnan(start[i]) ? 0 : direction[i] * g[i];
    }
    const GradientClaim claim{"along a direction", &step, &slope, 1};
    report = check_gradients(
        [&] {
          for (size_t i = 0; i < g.size(); ++i) s.x[i] = start[i] + step * direction[i];
          return loss();
        },
        {&claim, 1});
  }
  INFO(report.where);
  REQUIRE(report.passed());
  REQUIRE(report.checked == (each ? static_cast<int64_t>(g.size()) : 1));
}

}  // namespace

TEST_CASE(
    "gradients agree with central differences: inputs, targets, smoothing, class scopes, caps, z-loss, reductions") {
  const auto all = reductions();
  uint64_t seed = 0;
  size_t turn = 0, checked = 0;
  for (const Subject& s : subjects()) {
    CAPTURE(static_cast<int>(s.form), static_cast<int>(s.options.probs_mode), static_cast<int>(s.options.target),
            s.options.smoothing, static_cast<int>(s.options.smoothing_kind), s.in.class_weight.has_value(),
            static_cast<int>(s.options.class_scope), s.options.softcap.value_or(0), s.options.z_loss);
    for (const Reduction& how : all) {
      if (how.divide.flat == "class_weight" && !s.in.class_weight) continue;
      CAPTURE(static_cast<int>(how.over), static_cast<int>(how.then), str(how.divide));
      check(s, how, false, ++seed);
      ++checked;
    }
    for (int i = 0; i < 4; ++i) {  // number by number for a few reductions in turn
      const Reduction& how = all[turn++ % all.size()];
      if (how.divide.flat == "class_weight" && !s.in.class_weight) continue;
      CAPTURE(static_cast<int>(how.over), static_cast<int>(how.then), str(how.divide));
      check(s, how, true, ++seed);
    }
  }
  CHECK(checked > 15000);
}

TEST_CASE("without cap and z-loss the gradient of a row of logits sums to 0") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, DType::f64, Input::logits);
    c.options.softcap.reset();
    c.options.z_loss = 0;
    const Outcome got = direct(c);
    for (int64_t n = 0; n < c.cells(); ++n) {
      double sum = 0, size = 0;
      for (int64_t v = 0; v < c.in.classes; ++v) {
        double g = 0;
        std::memcpy(&g, &got.dx[static_cast<size_t>(n * c.in.classes + v)], sizeof g);
        sum += g;
        size += std::abs(g);
      }
      REQUIRE(std::abs(sum) <= 1e-14 * size);
    }
  }
}

TEST_CASE("backward twice doubles every gradient of the loss") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    const RandomCase c(seed, DType::f64, Input::logits);
    Tape& tape = Tape::current();
    tape.reset();
    const Tensor z = variable(tensor_of(c.x, {c.in.batch, c.in.steps, c.in.classes}, c.dtype)),
                 h = variable(tensor_of(c.hidden, {c.in.batch, c.in.steps, c.width}, c.dtype)),
                 w = variable(tensor_of(c.weight, {c.in.classes, c.width}, c.dtype)),
                 bias = variable(tensor_of(c.bias, {c.in.classes}, c.dtype));
    const Tensor a = sequence_loss(z, c.in, c.options).value,
                 b = linear_sequence_loss(h, w, bias, c.in, c.options).value;
    std::vector<std::vector<double>> once;
    const auto back = [&] {
      tape.backward(a, upstream_of(c, a));
      tape.backward(b, upstream_of(c, b));
    };
    back();
    for (const Tensor& x : {z, h, w, bias}) once.push_back(to_host<double>(grad(x)));
    back();
    size_t i = 0;
    for (const Tensor& x : {z, h, w, bias}) {
      for (double& g : once[i]) g *= 2;
      REQUIRE(to_host<double>(grad(x)) == once[i++]);
    }
  }
}

TEST_CASE("logits that are moved in have their gradient in place, times the upstream one, and once only") {
  Numbers n(2, 2, 3, {0.5, -1, 2, 0, 1, -2, 3, 0.25, -0.5, 1, 1, 0}, {0, 1, 2, 0});
  n.in.lengths = {2, 1};
  const LiveRows rows = build_live_rows(n.in, n.options);
  const auto gradient = [&](bool moved, double upstream) {
    Tape::current().reset();
    const Tensor leaf = variable(from_host(n.x, {2, 2, 3}));
    Tensor logits = scale(leaf, 1);
    const Tensor loss = moved ? sequence_loss(std::move(logits), n.in, rows, n.options, rows.divisor).value
                              : sequence_loss(logits, n.in, rows, n.options, rows.divisor).value;
    CHECK(logits.defined() == !moved);
    Tape::current().backward(scale(loss, upstream));
    const std::vector<double> once = to_host<double>(grad(leaf));
    if (moved)
      CHECK(message_of([&] { Tape::current().backward(scale(loss, upstream)); }) ==
            "sequence_loss: backward ran twice over logits that were moved in; pass them without std::move");
    return once;
  };
  for (const double upstream : {1.0, 3.0, -0.5}) {
    CAPTURE(upstream);
    check_close(gradient(true, upstream), gradient(false, upstream), 1e-15);
  }
  CHECK(gradient(true, 1)[0] != 0);
  CHECK(gradient(true, 1)[9] == 0);  // beyond the length
}

namespace {

// Of the logits of one small loss, times an upstream gradient, in T.
template <class T>
std::vector<T> upstream_times_gradient(bool moved, T upstream, Device device) {
  const std::vector<double> x{0.5, -1, 2, 0, 1, -2, 3, 0.25, -0.5, 1, 1, 0};
  LossInputs in;
  in.batch = in.steps = 2, in.classes = 3, in.targets = {0, 1, 2, 0}, in.lengths = {2, 1};
  const LiveRows rows = build_live_rows(in, {});
  Tape::current().reset();
  const Tensor leaf = variable(from_host(std::vector<T>(x.begin(), x.end()), {2, 2, 3}, device));
  Tensor logits = leaf;
  const Tensor loss = moved ? sequence_loss(std::move(logits), in, rows, {}, rows.divisor).value
                            : sequence_loss(logits, in, rows, {}, rows.divisor).value;
  Tape::current().backward(loss, from_host(std::vector<T>{upstream}, {}, device));
  return to_host<T>(grad(leaf));
}

template <class T>
void check_small_upstreams() {
  for (const Device device : test_devices()) {
    const std::vector<T> one = upstream_times_gradient<T>(false, T{1}, device);
    for (const double upstream : {1.0, 1e-6, 3e-8, 1e-30, 0.0, -1e-6, -0.5, -3e4}) {
      CAPTURE(test_name_of(device), upstream, dtype_of<T> == DType::f32);
      const std::vector<T> moved = upstream_times_gradient<T>(true, static_cast<T>(upstream), device);
      for (size_t i = 0; i < one.size(); ++i) {
        const double want = static_cast<double>(static_cast<T>(upstream)) * static_cast<double>(one[i]);
        CHECK(std::abs(static_cast<double>(moved[i]) - want) <= std::numeric_limits<T>::epsilon() * std::abs(want));
        if (i >= 9) CHECK((moved[i] == 0 && !std::signbit(moved[i])));  // beyond the length: +0, whatever the sign
      }
    }
  }
}

template <class T>
void check_dead_rows_of_infinite_upstreams() {
  for (const Device device : test_devices())
    for (const bool moved : {false, true})
      for (const double upstream : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
        CAPTURE(test_name_of(device), moved, upstream, dtype_of<T> == DType::f32);
        const std::vector<T> g = upstream_times_gradient<T>(moved, static_cast<T>(upstream), device);
        CHECK(!std::isfinite(g[0]));
        for (size_t i = 9; i < g.size(); ++i) CHECK((g[i] == 0 && !std::signbit(g[i])));
      }
}

}  // namespace

TEST_CASE("rows that do not count have gradient +0 under an upstream that is not finite") {
  check_dead_rows_of_infinite_upstreams<float>();
  check_dead_rows_of_infinite_upstreams<double>();
}

TEST_CASE("logits that are moved in have their gradient times an upstream of any size, in either precision") {
  check_small_upstreams<float>();
  check_small_upstreams<double>();
}

TEST_CASE(
    "gradients formed in forward are refused after another backward, which would begin those of hidden states anew") {
  LossInputs in;
  in.batch = 2, in.steps = 1, in.classes = 3, in.targets = {0, 2};
  const LiveRows rows = build_live_rows(in, {});
  Tape& tape = Tape::current();
  const auto numbers = [](int64_t n) {
    std::vector<double> x;
    for (int64_t i = 0; i < n; ++i) x.push_back(0.1 * static_cast<double>(i % 7) - 0.3);
    return x;
  };
  const auto refused = [&](int first, ParameterGradients when) {  // 0: a sum, 1: a loss later, 2: a loss now
    tape.reset();
    const Tensor leaf = variable(from_host(numbers(8), {2, 1, 4})), w = variable(from_host(numbers(12), {3, 4}));
    const Tensor h = tanh(leaf);
    const auto loss = [&](ParameterGradients how) {
      return linear_sequence_loss(h, w, {}, in, rows, {}, rows.divisor, how).value;
    };
    if (first >= 0)
      tape.backward(first == 0 ? sum(h) : loss(first == 1 ? ParameterGradients::in_backward : ParameterGradients::now));
    return message_of([&] { tape.backward(loss(when)); });
  };
  const std::string refusal = "linear_sequence_loss: its parameters have their gradients already";
  CHECK(refused(-1, ParameterGradients::now) == "no error");
  for (const int first : {0, 1, 2}) CHECK(refused(first, ParameterGradients::now).starts_with(refusal));
  for (const int first : {-1, 0, 1}) CHECK(refused(first, ParameterGradients::in_backward) == "no error");
}
