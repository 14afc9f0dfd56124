// What a meaning answers: through sequence_loss, or for row losses and logarithms of probabilities through its
// reduction.
#include <algorithm>
#include <cmath>

#include "engine/loss/row_target.h"
#include "engine/loss/sequence_loss.h"
#include "engine/naming/meaning.h"

namespace seqgrad {
namespace {

// s·ω·upstream of each live row.
std::vector<double> pulls(const LiveRows& rows, const LossOptions& o, double divisor, const std::vector<double>& up) {
  Coefficients c = coefficients(rows, o, divisor);
  for (size_t i = 0; i < rows.rows.size() && !up.empty(); ++i)
    c.rows[i] *= up[up.size() == 1 ? 0 : static_cast<size_t>(group_of(rows, rows.rows[i], o.over))];
  return c.rows;
}

// Row losses that need no softmax, and their derivative in each number of the row.
struct PlainRows {
  std::vector<double> loss, slope;  // [live], [live·width]
};

PlainRows plain_rows(const LossBatch& batch, const LiveRows& rows, const LossOptions& o) {
  PlainRows out;
  if (batch.kind == PredictionKind::row_loss) {
    for (const LiveRow& r : rows.rows) out.loss.push_back(batch.x[static_cast<size_t>(r.row)]);
    out.slope.assign(rows.rows.size(), 1.0);
    return out;
  }
  const RowRule rule = row_rule(batch.inputs, o);
  const TargetEntropy entropy(rule);
  for (const LiveRow& r : rows.rows) {
    const RowTask task{0, r.target, rows.distribution(r), r.q_sum};
    double loss = o.report_kl ? -entropy(rows, r) : 0.0;
    for (int64_t v = 0; v < rows.classes; ++v) {
      const double share = rule.r(task, v);
      if (share != 0) loss -= share * batch.x[static_cast<size_t>(r.row * rows.classes + v)];
      out.slope.push_back(-share);
    }
    out.loss.push_back(loss);
  }
  return out;
}

void answer_plain(const LossBatch& batch, const LiveRows& rows, const LossOptions& o, double divisor,
                  const std::vector<double>& pull, MeantAnswer& out) {
  const PlainRows plain = plain_rows(batch, rows, o);
  out.value = reduce(rows, plain.loss, o, divisor).value;
  const auto width = static_cast<size_t>(batch.width());
  out.d_x.assign(batch.x.size(), 0.0);
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const auto row = static_cast<size_t>(rows.rows[i].row);
    out.row_loss[row] = plain.loss[i];
    for (size_t v = 0; v < width; ++v) out.d_x[row * width + v] = pull[i] * plain.slope[i * width + v];
  }
}

void answer_softmax(const LossBatch& batch, const LiveRows& rows, const LossOptions& o, double divisor,
                    MeantAnswer& out) {
  const int64_t b = rows.batch, t = rows.steps, v = rows.classes, width = batch.width();
  const bool hidden = batch.kind == PredictionKind::hidden;
  const Tensor x = variable(from_host(batch.x, {b, t, width}));
  Tensor weight, bias;
  if (hidden) weight = variable(from_host(batch.weight, {v, width}));
  if (!batch.bias.empty()) bias = variable(from_host(batch.bias, {v}));
  const LossResult r = hidden ? linear_sequence_loss(x, weight, bias, batch.inputs, rows, o, divisor)
                              : sequence_loss(x, batch.inputs, rows, o, divisor);
  std::vector<double> up = batch.upstream;
  if (up.empty()) up.assign(static_cast<size_t>(r.value.shape.numel()), 1.0);
  Tape::current().backward(r.value, from_host(up, r.value.shape));
  out.value = r.values;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    out.row_loss[static_cast<size_t>(rows.rows[i].row)] = r.row_loss[i] + r.row_z[i];
  out.d_x = to_host<double>(grad(x));
  if (weight.defined()) out.d_weight = to_host<double>(grad(weight));
  if (bias.defined()) out.d_bias = to_host<double>(grad(bias));
}

// The answer for T−1 columns as one for T: the last column of x is dead.
void unshift(const LossBatch& batch, MeantAnswer& out) {
  const int64_t b = batch.inputs.batch, t = batch.inputs.steps;
  const auto widen = [&](std::vector<double>& x, int64_t width) {
    std::vector<double> wide(static_cast<size_t>(b * t * width), 0.0);
    for (int64_t i = 0; i < b && t > 1; ++i)
      std::copy_n(x.begin() + i * (t - 1) * width, (t - 1) * width, wide.begin() + i * t * width);
    x = std::move(wide);
  };
  widen(out.d_x, batch.width());
  widen(out.row_loss, 1);
  widen(out.coefficient, 1);
}

}  // namespace

MeantAnswer answer_of(const LossOptions& o, const LossBatch& batch) {
  if (batch.shifts) {
    MeantAnswer out = answer_of(o, shifted(batch));
    unshift(batch, out);
    return out;
  }
  TapeScope scope;
  const LiveRows rows = build_live_rows(batch.inputs, o);
  const double divisor = batch.num_items.value_or(rows.divisor);
  const std::vector<double> pull = pulls(rows, o, divisor, batch.upstream);
  MeantAnswer out;
  out.divisor = divisor;
  const auto cells = static_cast<size_t>(rows.batch * rows.steps);
  out.row_loss.assign(cells, 0.0);
  out.coefficient.assign(cells, 0.0);
  for (size_t i = 0; i < rows.rows.size(); ++i) out.coefficient[static_cast<size_t>(rows.rows[i].row)] = pull[i];
  if (batch.kind == PredictionKind::row_loss || batch.kind == PredictionKind::log_probs)
    answer_plain(batch, rows, o, divisor, pull, out);
  else
    answer_softmax(batch, rows, o, divisor, out);
  return out;
}

MeantAnswer answer_of(const LossMeaning& meaning, const LossBatch& batch) {
  return answer_of(options_for(meaning, batch), batch);
}

Tolerances tolerances_of(const MeantAnswer& meant, const LossBatch& batch, double u, double floor) {
  double sum = 0, most = 0, top = 0, value = 0;
  int64_t live = 0;
  const auto width = static_cast<size_t>(batch.width());
  const auto v = static_cast<double>(batch.inputs.classes);
  for (size_t n = 0; n < meant.coefficient.size(); ++n) {
    const double c = std::abs(meant.coefficient[n]);
    if (c == 0) continue;
    ++live;
    sum += c * std::max(1.0, std::abs(meant.row_loss[n]));
    most = std::max(most, c);
    for (size_t j = 0; j < width; ++j)
      if (const double z = std::abs(batch.x[n * width + j]); std::isfinite(z)) top = std::max(top, z);
  }
  for (const double x : meant.value)
    if (std::isfinite(x)) value = std::max(value, std::abs(x));
  // Of logits that are a product, both sides count: |z| is at most Σ_d |h_d W_vd|, and a gradient is summed over V or
  // N.
  double weight_size = 0, weight_top = 0;
  for (size_t i = 0; i < batch.weight.size(); i += width) {
    double row = 0;
    for (size_t d = 0; d < width; ++d) row += std::abs(batch.weight[i + d]);
    weight_size += row;
    weight_top = std::max(weight_top, row);
  }
  const double x_top = top;
  if (batch.kind == PredictionKind::hidden) {
    top *= weight_top;
    for (const double x : batch.bias) top = std::max(top, top + std::abs(x));
  }
  const auto n = static_cast<double>(live);
  const double rounding = u * (1 + top), sums = sum_roundoff(u);
  Tolerances out;
  out.value = std::max(8 * (rounding + sums * (std::sqrt(n) + v)) * sum, floor * value);
  const double logit = std::max(8 * (rounding + sums * v) * most, floor * most);
  out.d_x = batch.kind == PredictionKind::hidden ? logit * std::max(1.0, weight_size) : logit;
  out.d_weight = logit * n * std::max(1.0, x_top);
  out.d_bias = logit * n;
  return out;
}

}  // namespace seqgrad
