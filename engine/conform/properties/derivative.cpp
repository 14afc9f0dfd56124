// Central differences along random directions, of the program's own value: f(x + hd) − f(x − hd) over 2h beside Σ g·d.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"
#include "engine/core/random.h"

namespace seqgrad {
namespace {

struct Direction {
  std::vector<double> x, weight, bias;
};

// By how much the value rises, over all entries. One of a vector that is no number, as a mean of nothing is, has no
// slope.
double rise(const std::vector<double>& from, const std::vector<double>& to, const std::vector<double>& at) {
  double sum = 0;
  for (size_t i = 0; i < to.size(); ++i)
    if (at.size() == 1 || std::isfinite(at[i])) sum += to[i] - from[i];
  return sum;
}

std::vector<double> signs(size_t n, Random& random) {
  std::vector<double> d(n);
  for (double& value : d) value = random.below(2) ? 1 : -1;
  return d;
}

Direction draw_direction(const LossBatch& b, const Program& p, Random& random) {
  Direction d{signs(b.x.size(), random), {}, {}};
  if (p.gradients.count("d_weight")) d.weight = signs(b.weight.size(), random);
  if (p.gradients.count("d_bias")) d.bias = signs(b.bias.size(), random);
  if (b.kind != PredictionKind::probs) return d;
  // Probabilities move in proportion to themselves and keep their sum, which some losses ask for.
  const auto v = static_cast<size_t>(b.width());
  for (size_t row = 0; row < d.x.size(); row += v) {
    double mean = 0;
    for (size_t j = row; j < row + v; ++j) mean += b.x[j] * d.x[j];
    for (size_t j = row; j < row + v; ++j) d.x[j] = b.x[j] * (d.x[j] - mean);
  }
  return d;
}

LossBatch moved(LossBatch b, const Direction& d, double h, FloatType type) {
  const auto add = [&](std::vector<double>& x, const std::vector<double>& by) {
    for (size_t i = 0; i < by.size(); ++i) x[i] = rounded(x[i] + h * by[i], type);
  };
  add(b.x, d.x);
  add(b.weight, d.weight);
  add(b.bias, d.bias);
  return b;
}

// Σ g·δ over all that moved, with the distance that the dtype left of it. What a dead row has for a gradient that is no
// number is told by poison.
double claimed(const LossAnswer& a, const LossBatch& up, const LossBatch& down) {
  double sum = 0;
  const std::vector<uint8_t> live = live_predictions(up);
  const auto width = static_cast<size_t>(up.width());
  for (size_t i = 0; i < a.d_x.size(); ++i)
    if (live[i / width] || std::isfinite(a.d_x[i])) sum += a.d_x[i] * (up.x[i] - down.x[i]);
  const auto add = [&](const std::vector<double>& g, const std::vector<double>& x, const std::vector<double>& y) {
    for (size_t i = 0; i < g.size(); ++i) sum += g[i] * (x[i] - y[i]);
  };
  if (!a.d_weight.empty()) add(a.d_weight, up.weight, down.weight);
  if (!a.d_bias.empty()) add(a.d_bias, up.bias, down.bias);
  return sum;
}

double magnitude(const LossAnswer& a) {
  double sum = 0;
  for (const auto* g : {&a.d_x, &a.d_weight, &a.d_bias})
    for (const double x : *g) sum += std::isfinite(x) ? std::abs(x) : 0;
  return sum;
}

// How far logits, or logarithms of probabilities, move at most along a direction. The third derivative of log-sum-exp
// along steps of at most s is the third central moment of a number within ±s, below 0.8 s³; of log p it is 2 s³.
double logit_step(const LossBatch& b, const Direction& d) {
  if (b.kind == PredictionKind::probs) return 2;
  if (b.kind != PredictionKind::hidden) return 1;
  const auto most_of_row = [width = static_cast<size_t>(b.width())](const std::vector<double>& x) {
    double most = 0;
    for (size_t row = 0; row < x.size(); row += width) {
      double sum = 0;
      for (size_t i = row; i < row + width; ++i) sum += std::abs(x[i]);
      most = std::max(most, sum);
    }
    return most;
  };
  return most_of_row(b.weight) + (d.weight.empty() ? 0 : most_of_row(b.x)) + 1;
}

// Which of the two is what it should be.
const char* id_of(const Trial& t, const LossBatch& batch, const LossAnswer& got) {
  const std::optional<LossAnswer> want = t.expected(batch);
  if (!want) return "derivative:neither";
  const Scale limits = t.scale_of(batch, *want);
  if (!worst_of(got.value, want->value, limits.value).differs()) return "derivative:value_is_meant";
  if (!want->d_x.empty() && !worst_of(got.d_x, want->d_x, limits.d_x).differs()) return "derivative:gradient_is_meant";
  return "derivative:neither";
}

}  // namespace

PropertyResult check_derivative(Trial& t) {
  if (!t.has_gradient()) return not_tried("derivative", "gives no gradient");
  const FloatType type = t.dtype();
  if (type == FloatType::bf16 || type == FloatType::f16) return not_tried("derivative", "16 bits are too few");
  constexpr int directions = 8;
  constexpr size_t most_batches = 3;
  // Where rounding, u/h, and curvature, h², are of one size.
  const double h = type == FloatType::f64 ? 1e-5 : 0x1p-5;
  Random random(t.seed, 101);
  std::vector<Evidence> found;
  for (size_t k = 0; k < std::min(most_batches, t.telling.size()); ++k) {
    const size_t i = t.telling[k];
    const LossBatch& batch = t.batches[i];
    const LossAnswer& answer = t.replies[i].answer;
    const Scale limits = t.scale_of(batch, answer);
    for (int n = 0; n < directions && found.empty(); ++n) {
      const Direction d = draw_direction(batch, t.program, random);
      const LossBatch up = moved(batch, d, h, type), down = moved(batch, d, -h, type);
      const Reply above = t.ask(up, "derivative", false), below = t.ask(down, "derivative", false);
      if (!above.refusal.empty() || !below.refusal.empty()) {
        found.push_back({"refuses:derivative", "refused: " + shown(above.refusal + below.refusal), up, 0, 0, false});
        break;
      }
      const double got = claimed(answer, up, down) / (2 * h);
      const double want = rise(below.answer.value, above.answer.value, answer.value) / (2 * h);
      const auto entries = static_cast<double>(std::max<size_t>(1, answer.value.size()));
      const double step = logit_step(batch, d);
      const double limit = entries * limits.value / h + 0.5 * step * step * step * h * h * limits.coefficients +
                           1e-7 * magnitude(answer) + limits.d_x * static_cast<double>(answer.d_x.size());
      if (std::abs(got - want) <= limit) continue;
      found.push_back({id_of(t, batch, answer),
                       fmt::format("along one direction the value has slope {}, the gradient says {}",
                                   number_text(want), number_text(got)),
                       batch, got, want, false});
    }
  }
  return judged("derivative", std::move(found));
}

}  // namespace seqgrad
