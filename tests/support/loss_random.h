// Random batches for the promises: every input form, target kind, source, option and reduction.
#pragma once
#include <cstring>

#include "engine/core/random.h"
#include "tests/support/devices.h"
#include "tests/support/loss_helpers.h"

namespace seqgrad::testing {

struct RandomCase {
  LossInputs in;
  LossOptions options;
  DType dtype = DType::f32;
  int64_t width = 5;                         // D
  std::vector<double> x;                     // [B,T,V] logits or probabilities
  std::vector<double> hidden, weight, bias;  // [B,T,D], [V,D], [V]
  double up = 1;                             // upstream of a scalar
  std::vector<double> up_b, up_t, up_bt;     // of [B], [T] and [B,T]

  // The same seed gives the same case; `input` and `target` restrict it, sequences have up to `longest` steps.
  RandomCase(uint64_t seed, DType type, std::optional<Input> input = {}, std::optional<Target> target = {},
             int64_t longest = 6);

  int64_t cells() const { return in.batch * in.steps; }
  bool active(int64_t n) const;
  bool weightless(int64_t n) const;  // active, but of weight 0 before class weights
  bool live(int64_t n) const;
  void poison(uint64_t seed);  // NaN, infinities and the id 10^9 in every dead cell

  // f(values, numbers a cell), for each source that has one entry a cell; and for those with one an example.
  template <class F>
  void each_by_cell(F&& f) {
    if (!in.targets.empty()) f(in.targets, int64_t{1});
    if (!in.dense.empty()) f(in.dense, in.classes);
    if (in.mask) f(*in.mask, int64_t{1});
    if (in.token_weight) f(*in.token_weight, int64_t{1});
    f(x, in.classes);
    f(hidden, width);
    f(up_bt, int64_t{1});
  }
  template <class F>
  void each_by_example(F&& f) {
    if (in.lengths) f(*in.lengths);
    if (in.example_weight) f(*in.example_weight);
    f(up_b);
  }
};

inline RandomCase::RandomCase(uint64_t seed, DType type, std::optional<Input> input, std::optional<Target> target,
                              int64_t longest)
    : dtype(type) {
  Random r(seed, 0);
  const auto chance = [&](uint64_t one_in) { return r.below(one_in) == 0; };
  const auto any_of = [&](std::initializer_list<const char*> names) { return names.begin()[r.below(names.size())]; };
  in.batch = 1 + static_cast<int64_t>(r.below(5));
  in.steps = 1 + static_cast<int64_t>(r.below(static_cast<uint64_t>(longest)));
  in.classes = 4 + static_cast<int64_t>(r.below(chance(5) ? 150 : 20));
  const auto cell_count = static_cast<size_t>(cells()), v = static_cast<size_t>(in.classes);
  const bool probs = input ? *input == Input::probs : chance(4), dense = target ? *target == Target::dense : chance(3);
  options.input = probs ? Input::probs : Input::logits;
  options.target = dense ? Target::dense : Target::ids;

  if (!chance(4)) {
    in.lengths.emplace();
    for (int64_t b = 0; b < in.batch; ++b)
      in.lengths->push_back(static_cast<int64_t>(r.below(static_cast<uint64_t>(in.steps) + 1)));
  }
  if (chance(2)) {
    in.mask.emplace();
    for (size_t n = 0; n < cell_count; ++n) in.mask->push_back(r.below(5) > 0);
  }
  const auto weight_of = [&] { return chance(6) ? 0.0 : r.uniform() + 0.1; };
  if (chance(2)) {
    in.token_weight.emplace();
    for (size_t n = 0; n < cell_count; ++n) in.token_weight->push_back(weight_of());
  }
  if (chance(3)) {
    in.example_weight.emplace();
    for (int64_t b = 0; b < in.batch; ++b) in.example_weight->push_back(weight_of());
  }
  if (chance(3) && !(probs && dense)) {
    options.class_scope = probs || (!dense && chance(2)) ? ClassScope::target : ClassScope::per_class;
    in.class_weight.emplace();
    for (size_t i = 0; i < v; ++i) in.class_weight->push_back(chance(8) ? 0.0 : r.uniform() + 0.2);
  }
  if (!chance(3)) {
    options.smoothing = 0.1;
    options.smoothing_kind = static_cast<SmoothingKind>(r.below(4));
    if (dense && options.smoothing_kind != SmoothingKind::prior) options.smoothing_kind = SmoothingKind::uniform;
    options.report_kl = chance(4);
  }
  if (options.smoothing_kind == SmoothingKind::others_excluding)
    options.smoothing_excluding = chance(2) ? std::vector<int64_t>{0} : std::vector<int64_t>{0, 2};
  const auto distribution = [&](std::vector<double>& out) {
    std::vector<double> q(v);
    double sum = 0;
    for (double& p : q) sum += p = chance(3) ? 0.0 : r.uniform();
    for (const double p : q) out.push_back(sum > 0 ? p / sum : 1 / static_cast<double>(v));
  };
  if (options.smoothing_kind == SmoothingKind::prior) distribution(in.prior.emplace());

  options.dense_sum = static_cast<DenseSum>(r.below(3));
  if (dense)
    for (size_t n = 0; n < cell_count; ++n) {
      if (chance(3)) {
        in.dense.resize(in.dense.size() + v, 0.0);
        in.dense[n * v + r.below(v)] = 1;
      } else {
        distribution(in.dense);
      }
      if (options.dense_sum != DenseSum::require)
        for (size_t i = n * v; i < (n + 1) * v; ++i) in.dense[i] *= 0.5 + r.uniform();
    }
  else
    for (size_t n = 0; n < cell_count; ++n) {
      int64_t y = static_cast<int64_t>(r.below(v));
      for (const int64_t excluded : options.smoothing_excluding)
        if (y == excluded) y = 1;
      in.targets.push_back(y);
    }
  if (!dense && chance(3)) {
    options.ignore_index = chance(2) ? -100 : 3;
    for (int64_t& y : in.targets)
      if (chance(4)) y = *options.ignore_index;
  }

  static const char* flat[] = {
      "active", "one",    "batch", "nonzero", "weight", "positions", "steps", "active_batch", "active_minus_batch",
      "const",  "active", "weight"};
  options.divide = {flat[r.below(12)], "", "", 3.5};
  if (in.class_weight && chance(2)) options.divide.flat = "class_weight";
  if (chance(2)) {
    options.over = static_cast<Over>(1 + r.below(3));
    options.then = static_cast<Then>(r.below(3));
  } else if (chance(3)) {
    options.divide = {"", any_of({"one", "steps", "active", "nonzero", "weight", "const"}),
                      any_of({"one", "batch", "active_batch", "const"}), 3.5};
  }
  if (chance(4)) options.divide_eps = 1e-3;
  options.on_zero = chance(4) ? OnZero::nan : OnZero::zero;
  if (!probs && chance(4)) options.softcap = 3.0;
  if (!probs && chance(4)) options.z_loss = 0.01;
  options.probs_mode = static_cast<ProbsMode>(r.below(3));
  options.nonfinite = Nonfinite::propagate;  // a mass on p = 0 may be drawn in `strict`

  for (size_t n = 0; n < cell_count; ++n) {
    std::vector<double> row(v);
    for (double& z : row) z = static_cast<float>(r.normal() * 2);
    if (probs) {
      double sum = 0;
      const bool saturated = options.probs_mode != ProbsMode::strict && chance(4);
      for (double& z : row) sum += z = std::exp(saturated ? 12 * z : z);
      for (double& z : row) z /= sum;
    }
    x.insert(x.end(), row.begin(), row.end());
  }
  const auto fill = [&](std::vector<double>& out, int64_t count) {
    for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<float>(r.normal()));
  };
  fill(hidden, cells() * width);
  fill(weight, in.classes * width);
  fill(bias, in.classes);
  fill(up_b, in.batch);
  fill(up_t, in.steps);
  fill(up_bt, cells());
  if (chance(2)) up = r.normal();
}

inline bool RandomCase::active(int64_t n) const {
  const auto i = static_cast<size_t>(n);
  return (!in.lengths || n % in.steps < (*in.lengths)[static_cast<size_t>(n / in.steps)]) &&
         (!in.mask || (*in.mask)[i]) && (!options.ignore_index || in.targets[i] != *options.ignore_index);
}

inline bool RandomCase::weightless(int64_t n) const {
  return active(n) && ((in.token_weight && (*in.token_weight)[static_cast<size_t>(n)] == 0) ||
                       (in.example_weight && (*in.example_weight)[static_cast<size_t>(n / in.steps)] == 0));
}

inline bool RandomCase::live(int64_t n) const {
  const bool by_target = in.class_weight && options.class_scope == ClassScope::target;
  return active(n) && !weightless(n) &&
         !(by_target && (*in.class_weight)[static_cast<size_t>(in.targets[static_cast<size_t>(n)])] == 0);
}

inline void RandomCase::poison(uint64_t seed) {
  Random r(seed, 1);
  const auto bad = [&] {
    static const double values[] = {NaN, infinity, -infinity, 1e38};
    return values[r.below(4)];
  };
  const auto spoil = [&](std::vector<double>& values, int64_t n, int64_t size) {
    for (int64_t i = n * size; i < (n + 1) * size; ++i) values[static_cast<size_t>(i)] = bad();
  };
  std::vector<uint8_t> is_active, is_weightless, is_live;
  for (int64_t n = 0; n < cells(); ++n) {
    is_active.push_back(active(n));
    is_weightless.push_back(weightless(n));
    is_live.push_back(live(n));
  }
  for (int64_t b = 0; b < in.batch; ++b) {
    bool any = false;
    for (int64_t t = 0; t < in.steps; ++t) {
      const int64_t n = b * in.steps + t;
      const auto i = static_cast<size_t>(n);
      any |= is_active[i] != 0;
      if (is_live[i]) continue;
      spoil(x, n, in.classes);
      spoil(hidden, n, width);
      if (is_active[i] && !is_weightless[i]) continue;  // its class weight is 0, which its target says
      if (options.target == Target::dense) spoil(in.dense, n, in.classes);
      if (options.target == Target::ids && !(options.ignore_index && in.targets[i] == *options.ignore_index))
        in.targets[i] = 1000000000;
      if (!is_active[i] && in.token_weight) (*in.token_weight)[i] = bad();
    }
    if (!any && in.example_weight) (*in.example_weight)[static_cast<size_t>(b)] = bad();
  }
}

// Numbers as their bits.
using Bits = std::vector<uint64_t>;

template <class T>
Bits bits(const std::vector<T>& values) {
  Bits out(values.size(), 0);
  for (size_t i = 0; i < values.size(); ++i) std::memcpy(&out[i], &values[i], sizeof(T));
  return out;
}
inline Bits bits(const Tensor& t) {
  return dispatch(t.dtype, [&]<class T> { return bits(to_host<T>(t)); });
}

// What a form of the loss gives, as bits; gradients batch-major.
struct Outcome {
  Bits value, dx, dweight, dbias;
  Bits row_loss, sums;  // Σ of losses in float64, counts
  bool operator==(const Outcome&) const = default;
};

inline Tensor tensor_of(const std::vector<double>& values, Shape shape, DType dtype, Device device = Device::cpu) {
  return dispatch(dtype,
                  [&]<class T> { return from_host(std::vector<T>(values.begin(), values.end()), shape, device); });
}

inline Tensor upstream_of(const RandomCase& c, const Tensor& value) {
  const bool scalar = value.shape.rank() == 0;
  const std::vector<double>& u = scalar                          ? std::vector<double>{c.up}
                                 : c.options.over == Over::time  ? c.up_b
                                 : c.options.over == Over::batch ? c.up_t
                                                                 : c.up_bt;
  return tensor_of(u, value.shape, c.dtype, value.device);
}

inline Outcome outcome(const LossResult& r) {
  const LossSum& s = r.sum;
  std::vector<double> sums = {s.numerator,
                              s.divisor,
                              s.stats.weight,
                              s.stats.nll_sum,
                              s.stats.z_sum,
                              s.stats.smoothed_sum,
                              static_cast<double>(s.stats.active),
                              static_cast<double>(s.stats.live),
                              static_cast<double>(s.stats.correct),
                              static_cast<double>(s.stats.clip_hits),
                              static_cast<double>(s.stats.empty)};
  return {bits(r.value), {}, {}, {}, bits(r.row_loss), bits(sums)};
}

// Logits or probabilities in a layout.
inline Outcome direct(const RandomCase& c, Layout layout = Layout::batch, Device device = Device::cpu) {
  const LossInputs& in = c.in;
  Tape& tape = Tape::current();
  tape.reset();
  std::vector<double> time_major;
  for (int64_t t = 0; layout != Layout::batch && t < in.steps; ++t)
    for (int64_t b = 0; b < in.batch; ++b) {
      const auto at = c.x.begin() + (b * in.steps + t) * in.classes;
      time_major.insert(time_major.end(), at, at + in.classes);
    }
  if (layout == Layout::list) {
    std::vector<Tensor> steps;
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto at = time_major.begin() + t * in.batch * in.classes;
      steps.push_back(
          variable(tensor_of({at, at + in.batch * in.classes}, Shape{in.batch, in.classes}, c.dtype, device)));
    }
    const LossResult r = sequence_loss(steps, in, c.options);
    tape.backward(r.value, upstream_of(c, r.value));
    Outcome out = outcome(r);
    for (const Tensor& z : steps) {
      const Bits g = bits(grad(z));
      out.dx.insert(out.dx.end(), g.begin(), g.end());
    }
    out.dx = from_time_major(out.dx, in.batch, in.steps, in.classes);
    return out;
  }
  const bool time = layout == Layout::time;
  const Tensor z = variable(time ? tensor_of(time_major, {in.steps, in.batch, in.classes}, c.dtype, device)
                                 : tensor_of(c.x, {in.batch, in.steps, in.classes}, c.dtype, device));
  const LossResult r = sequence_loss(z, in, c.options, layout);
  tape.backward(r.value, upstream_of(c, r.value));
  Outcome out = outcome(r);
  out.dx = bits(grad(z));
  if (time) out.dx = from_time_major(out.dx, in.batch, in.steps, in.classes);
  return out;
}

// Hidden states [B,T,D], or flat [B·T,D].
inline Outcome fused(const RandomCase& c, bool flat = false, Device device = Device::cpu) {
  const LossInputs& in = c.in;
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor h = variable(tensor_of(c.hidden, flat ? Shape{c.cells(), c.width} : Shape{in.batch, in.steps, c.width},
                                      c.dtype, device)),
               w = variable(tensor_of(c.weight, {in.classes, c.width}, c.dtype, device)),
               bias = variable(tensor_of(c.bias, {in.classes}, c.dtype, device));
  const LossResult r = linear_sequence_loss(h, w, bias, in, c.options);
  tape.backward(r.value, upstream_of(c, r.value));
  Outcome out = outcome(r);
  out.dx = bits(grad(h));
  out.dweight = bits(grad(w));
  out.dbias = bits(grad(bias));
  return out;
}

// All forms that the case has: of logits or probabilities, and of hidden states.
inline std::vector<Outcome> everything(const RandomCase& c, Device device = Device::cpu) {
  std::vector<Outcome> out = {direct(c, Layout::batch, device)};
  if (c.options.input == Input::logits) out.push_back(fused(c, false, device));
  return out;
}

// The i-th random case of a promise: both dtypes in turn, 500 of each on the CPU and 100 on the GPU.
constexpr uint64_t promise_cases = 1000, promise_cases_cuda = 200;
inline DType dtype_of_seed(uint64_t seed) { return seed % 2 == 0 ? DType::f32 : DType::f64; }

template <class F>
void each_promise_case(F&& f) {  // f(seed, device)
  for (const Device device : test_devices())
    for (uint64_t seed = 0; seed < (device == Device::cpu ? promise_cases : promise_cases_cuda); ++seed) {
      CAPTURE(seed, test_name_of(device));
      f(seed, device);
    }
}

inline RandomCase poisoned(uint64_t seed, std::optional<Input> input = {}, std::optional<Target> target = {}) {
  RandomCase c(seed, dtype_of_seed(seed), input, target);
  c.poison(seed);
  return c;
}

}  // namespace seqgrad::testing
