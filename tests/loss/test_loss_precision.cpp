// The precision contract: every device against the formulas of engine/loss/README.md, written out in long double.
#include "tests/support/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

using Real = long double;

// Devices that this build has kernels for; P12 is that each stays within the bounds, not that they agree in bits.

struct Row {
  Real loss = 0;
  std::vector<Real> gradient;  // for a coefficient of 1
  bool single = false;         // one class has all the mass
};

// q' of a live cell (engine/loss/README.md, Targets).
std::vector<Real> smoothed_target(const RandomCase& c, int64_t n) {
  const auto v = static_cast<size_t>(c.in.classes);
  const LossOptions& o = c.options;
  std::vector<Real> q(v, 0), u(v, 0);
  if (o.target == Target::ids) {
    q[static_cast<size_t>(c.in.targets[static_cast<size_t>(n)])] = 1;
  } else {
    Real sum = 0;
    for (size_t i = 0; i < v; ++i) sum += q[i] = static_cast<Real>(c.in.dense[static_cast<size_t>(n) * v + i]);
    if (o.dense_sum == DenseSum::normalize)
      for (Real& x : q) x /= sum;
  }
  Real share = 0;  // of the classes that `others` kinds smooth over
  for (size_t i = 0; i < v; ++i) {
    const bool excluded = std::find(o.smoothing_excluding.begin(), o.smoothing_excluding.end(),
                                    static_cast<int64_t>(i)) != o.smoothing_excluding.end();
    if (o.smoothing_kind == SmoothingKind::uniform) u[i] = 1 / static_cast<Real>(v);
    if (o.smoothing_kind == SmoothingKind::prior) u[i] = static_cast<Real>((*c.in.prior)[i]);
    if (o.smoothing_kind == SmoothingKind::others) u[i] = q[i] == 0;
    if (o.smoothing_kind == SmoothingKind::others_excluding) u[i] = q[i] == 0 && !excluded;
    share += u[i];
  }
  if (o.smoothing_kind == SmoothingKind::others || o.smoothing_kind == SmoothingKind::others_excluding)
    for (Real& x : u) x /= share;
  for (size_t i = 0; i < v; ++i)
    q[i] = (1 - static_cast<Real>(o.smoothing)) * q[i] + static_cast<Real>(o.smoothing) * u[i];
  return q;
}

Row reference(const RandomCase& c, int64_t n, const std::vector<Real>& x) {
  const size_t v = x.size();
  const LossOptions& o = c.options;
  const std::vector<Real> q = smoothed_target(c, n);
  std::vector<Real> r = q;
  if (c.in.class_weight && o.class_scope == ClassScope::per_class)
    for (size_t i = 0; i < v; ++i) r[i] *= static_cast<Real>((*c.in.class_weight)[i]);
  Row out;
  out.gradient.resize(v);
  out.single = std::count_if(r.begin(), r.end(), [](Real m) { return m != 0; }) == 1;
  Real mass = 0, entropy = 0;
  for (const Real m : r) mass += m;
  for (const Real m : q) entropy -= m > 0 ? m * std::log(m) : 0;
  if (o.report_kl) out.loss -= entropy;

  if (o.input == Input::logits) {
    std::vector<Real> a = x;
    const Real cap = static_cast<Real>(o.softcap.value_or(0));
    if (cap > 0)
      for (Real& z : a) z = cap * std::tanh(z / cap);
    const Real top = *std::max_element(a.begin(), a.end());
    Real sum = 0;
    for (const Real z : a) sum += std::exp(z - top);
    const Real lambda = top + std::log(sum);
    for (size_t i = 0; i < v; ++i) {
      if (r[i] != 0) out.loss += r[i] * (lambda - a[i]);
      const Real p = std::exp(a[i] - lambda), slope = cap > 0 ? 1 - (a[i] / cap) * (a[i] / cap) : 1;
      Real away = 0;  // 1 − p of the only class with mass, as the sum over the others
      for (size_t j = 0; out.single && j < v; ++j) away += j == i ? 0 : std::exp(a[j] - lambda);
      const Real pulled = 2 * static_cast<Real>(o.z_loss) * lambda * p;
      out.gradient[i] = ((out.single && r[i] != 0 ? -mass * away : mass * p - r[i]) + pulled) * slope;
    }
    return out;
  }
  const Real e = static_cast<Real>(o.probs_eps);
  Real sum = 0, clipped_sum = 0, pull = 0;
  for (const Real p : x) sum += p;
  std::vector<Real> gamma(v, 0);
  for (size_t i = 0; i < v; ++i) {
    const Real share = o.probs_mode == ProbsMode::renorm_clip ? x[i] / sum : x[i];
    const Real clipped = o.probs_mode == ProbsMode::strict ? share : std::clamp(share, e, 1 - e);
    clipped_sum += clipped;
    if (r[i] != 0) out.loss -= r[i] * std::log(clipped);
    if (clipped == share) gamma[i] = -r[i] / clipped;
    pull += gamma[i] * share;
  }
  if (o.probs_mode == ProbsMode::clip_then_softmax) out.loss += mass * std::log(clipped_sum);
  for (size_t i = 0; i < v; ++i) {
    const bool inside = x[i] >= e && x[i] <= 1 - e;
    out.gradient[i] = o.probs_mode == ProbsMode::renorm_clip         ? (gamma[i] - pull) / sum
                      : o.probs_mode == ProbsMode::clip_then_softmax ? (inside ? mass / clipped_sum + gamma[i] : 0)
                                                                     : gamma[i];
  }
  return out;
}

double number(uint64_t bits, DType dtype) {
  float f = 0;
  double d = 0;
  std::memcpy(&f, &bits, sizeof f);
  std::memcpy(&d, &bits, sizeof d);
  return dtype == DType::f32 ? static_cast<double>(f) : d;
}

}  // namespace

TEST_CASE("P12: row losses and gradients of each device stay within the contract of the written formulas") {
  double worst_loss = 0, worst_gradient = 0;
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    RandomCase c(seed, dtype_of_seed(seed));
    const bool single = c.dtype == DType::f32;
    if (seed % 5 == 0 && c.options.input == Input::logits && !c.options.softcap && c.options.target == Target::ids)
      for (int64_t n = 0; n < c.cells(); ++n)  // a confident model: 1 − p_y is about 1e-13
        if (const int64_t y = c.in.targets[static_cast<size_t>(n)]; y >= 0)
          c.x[static_cast<size_t>(n * c.in.classes + y)] = 32;
    if (single)
      for (double& x : c.x) x = static_cast<float>(x);
    c.options.then = Then::nothing;
    c.up = 1;
    for (auto* u : {&c.up_b, &c.up_t, &c.up_bt}) std::fill(u->begin(), u->end(), 1.0);
    const LiveRows rows = build_live_rows(c.in, c.options);
    const Coefficients scale = coefficients(rows, c.options, rows.divisor);
    for (const Device device : test_devices()) {
      if (device == Device::cuda && seed >= promise_cases_cuda) continue;
      const Outcome got = direct(c, Layout::batch, device);
      for (size_t i = 0; i < rows.rows.size(); ++i) {
        const int64_t n = rows.rows[i].row;
        const auto at = static_cast<size_t>(n * c.in.classes);
        const Row want = reference(c, n,
                                   std::vector<Real>(c.x.begin() + static_cast<int64_t>(at),
                                                     c.x.begin() + static_cast<int64_t>(at) + c.in.classes));
        CAPTURE(seed, n, test_name_of(device));
        const double bound = single ? 1e-6 : 1e-13, s = scale.rows[i];
        const double loss =
            std::abs(static_cast<double>(static_cast<Real>(number(got.row_loss[i], DType::f64)) - want.loss)) /
            (bound + bound * std::abs(static_cast<double>(want.loss)));
        REQUIRE(loss <= 1);
        worst_loss = std::max(worst_loss, loss);
        for (size_t v = 0; v < want.gradient.size(); ++v) {
          const double g = number(got.dx[at + v], c.dtype), w = static_cast<double>(want.gradient[v]) * s;
          CAPTURE(v, g, w, s);
          // Gradients by probabilities are unbounded as p nears 0: there the bound is relative.
          const double size =
              c.options.input == Input::probs ? std::max(1.0, std::abs(static_cast<double>(want.gradient[v]))) : 1;
          const double error = std::abs(g - w) / (bound * std::abs(s) * size);
          if (s != 0) {
            REQUIRE(error <= 1);
            worst_gradient = std::max(worst_gradient, error);
          } else {
            REQUIRE(g == 0);
          }
          if (want.single && want.gradient[v] < 0 && c.options.input == Input::logits && !c.options.softcap &&
              c.options.z_loss == 0)
            REQUIRE(std::abs(g - w) <= (single ? 1e-5 : 1e-12) * std::abs(w));
        }
      }
    }
  }
  CHECK(worst_loss > 0.01);  // rounding is seen: the comparison has not come to nothing
  CHECK(worst_gradient > 0.01);
}

TEST_CASE("float32 hidden states: the bound of the row kernel plus that of the products") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, DType::f32, Input::logits);
    RandomCase wide = c;
    wide.dtype = DType::f64;
    const LiveRows rows = build_live_rows(c.in, c.options);
    const Outcome a = fused(c), b = fused(wide);
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      double worst = 0;  // of the logits of the row
      for (int64_t v = 0; v < c.in.classes; ++v) {
        double sum = 0;
        for (int64_t d = 0; d < c.width; ++d)
          sum += std::abs(c.hidden[static_cast<size_t>(rows.rows[i].row * c.width + d)] *
                          c.weight[static_cast<size_t>(v * c.width + d)]);
        worst = std::max(worst, 0x1p-20 * sum);
      }
      double mass = 1;  // an upper bound of Σ r, by which an error of z counts twice: in λ and in a
      if (c.in.class_weight) mass = 2;
      if (c.options.target == Target::dense) mass *= 2;
      const double x = number(a.row_loss[i], DType::f64), y = number(b.row_loss[i], DType::f64);
      CAPTURE(i, x, y, worst);
      REQUIRE(std::abs(x - y) <= 1e-6 + 1e-6 * std::abs(y) + 2 * mass * worst);
    }
  }
}
