// Row losses and slopes of a variant.
#include "engine/naming/variant.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/loss/probs_formulas.h"

namespace seqgrad {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// log Σ exp of a row as top + rest, apart, since the loss of a class that is nearly certain is their small difference.
LogSum log_sum_exp(const double* a, int64_t n) {
  const double top = *std::max_element(a, a + n);
  if (!std::isfinite(top)) return {top, 0};
  double tops = 0, others = 0;
  for (int64_t v = 0; v < n; ++v) a[v] == top ? tops += 1 : others += std::exp(a[v] - top);
  return {top, std::log(tops) + std::log1p(others / tops)};
}

double capped_logit(double z, const LossOptions& o) { return o.softcap ? *o.softcap * std::tanh(z / *o.softcap) : z; }

// The row after a soft cap; `capped` holds it where there is one.
const double* capped_row(const double* x, int64_t classes, const LossOptions& o, std::vector<double>& capped) {
  if (!o.softcap) return x;
  capped.resize(static_cast<size_t>(classes));
  for (int64_t v = 0; v < classes; ++v) capped[static_cast<size_t>(v)] = capped_logit(x[v], o);
  return capped.data();
}

double of_logits(const RowView& row) {
  std::vector<double> capped;
  const double* a = capped_row(row.x, row.classes, row.options, capped);
  const LogSum sum = log_sum_exp(a, row.classes);
  double loss = row.options.z_loss * sum.lambda() * sum.lambda();
  for (int64_t v = 0; v < row.classes; ++v)
    if (row.r[v] != 0) loss += row.r[v] * sum.less(a[v]);
  return loss;
}

double of_probs(const RowView& row) {
  RowRule rule;
  rule.probs_mode = row.options.probs_mode;
  rule.probs_eps = row.options.probs_eps;
  double sum = 0, clipped = 0;
  for (int64_t v = 0; v < row.classes; ++v) sum += row.x[v];
  ProbsFormulas f(rule, sum);
  for (int64_t v = 0; v < row.classes; ++v) clipped += f.clip(f.share(row.x[v]));
  f.set_clipped_sum(clipped);
  ProbsSums sums;
  for (int64_t v = 0; v < row.classes; ++v) f.accumulate(sums, row.x[v], row.r[v], 0);
  return sums.loss;
}

double surprise(double q) { return q > 0 ? -q * std::log(q) : 0; }

// Target distributions of the positions, one at a time.
class Targets {
 public:
  explicit Targets(const Variant& x) : x_(x), in_(x.inputs), r_(static_cast<size_t>(in_.classes)) {}

  // r of position n, or null where its target is none; and what `report_kl` takes off.
  const double* at(int64_t n, double* entropy) {
    const LossOptions& o = x_.options;
    const int64_t v = in_.classes, y = in_.dense.empty() ? in_.targets[static_cast<size_t>(n)] : 0;
    if (y < 0 || y >= v) return nullptr;
    const double* q = in_.dense.empty() ? nullptr : in_.dense.data() + n * v;
    double scale = 1;
    if (q && o.dense_sum == DenseSum::normalize) {
      scale = 0;
      for (int64_t j = 0; j < v; ++j) scale += q[j];
    }
    for (int64_t j = 0; j < v; ++j) r_[static_cast<size_t>(j)] = q ? q[j] / scale : j == y ? 1.0 : 0.0;
    if (o.smoothing != 0) smooth(y);
    *entropy = 0;
    if (o.report_kl)
      for (const double share : r_) *entropy += surprise(share);
    if (in_.class_weight && o.class_scope == ClassScope::per_class)
      for (size_t j = 0; j < r_.size(); ++j) r_[j] *= (*in_.class_weight)[j];
    return r_.data();
  }

 private:
  void smooth(int64_t y) {
    const LossOptions& o = x_.options;
    const double e = o.smoothing;
    const auto v = static_cast<double>(in_.classes);
    const auto& out = o.smoothing_excluding;
    const auto excluded = [&](int64_t j) {
      return o.smoothing_kind == SmoothingKind::others_excluding && std::find(out.begin(), out.end(), j) != out.end();
    };
    for (int64_t j = 0; j < in_.classes; ++j) {
      double u = 1 / v;
      if (o.smoothing_kind == SmoothingKind::prior && in_.prior) u = (*in_.prior)[static_cast<size_t>(j)];
      if (o.smoothing_kind == SmoothingKind::others) u = j == y ? 0 : 1 / (v - 1);
      if (o.smoothing_kind == SmoothingKind::others_excluding)
        u = j == y || excluded(j) ? 0 : 1 / (v - 1 - static_cast<double>(out.size()));
      double& r = r_[static_cast<size_t>(j)];
      r = (1 - e) * r + e * u;
    }
  }

  const Variant& x_;
  const LossInputs& in_;
  std::vector<double> r_;
};

}  // namespace

double usual_row_loss(const RowView& row) {
  switch (row.kind) {
    case PredictionKind::row_loss: return row.x[0];
    case PredictionKind::probs: return of_probs(row);
    case PredictionKind::log_probs: {
      double loss = 0;
      for (int64_t v = 0; v < row.classes; ++v)
        if (row.r[v] != 0) loss -= row.r[v] * row.x[v];
      return loss;
    }
    default: return of_logits(row);
  }
}

namespace {

// Calls f(n, view, entropy) for each position that has a target.
template <class F>
void each_row(const Variant& x, const F& f) {
  Targets targets(x);
  const bool alone = x.kind == PredictionKind::row_loss;
  const int64_t width = alone ? 1 : x.inputs.classes;
  for (int64_t n = 0; n < x.inputs.batch * x.inputs.steps; ++n) {
    double entropy = 0;
    const double* r = alone ? nullptr : targets.at(n, &entropy);
    if (r || alone) f(n, RowView{x.options, x.kind, x.x.data() + n * width, r, width, x.parameter}, entropy);
  }
}

}  // namespace

bool has_plain_ids(const Variant& x) {
  return x.kind == PredictionKind::logits && !x.formula && x.inputs.dense.empty() && x.options.smoothing == 0 &&
         x.inputs.classes > 0;
}

LogSums log_sums(const Variant& x) {
  LogSums out{x.x, x.options.softcap, {}};
  const int64_t v = x.inputs.classes;
  std::vector<double> capped;
  for (int64_t n = 0; n < x.inputs.batch * x.inputs.steps; ++n)
    out.rows.push_back(log_sum_exp(capped_row(x.x.data() + n * v, v, x.options, capped), v));
  return out;
}

namespace {

std::vector<double> plain_id_losses(const Variant& x, const LogSums& known) {
  std::vector<double> out(known.rows.size(), not_a_number);
  const bool weighted = x.inputs.class_weight && x.options.class_scope == ClassScope::per_class;
  for (size_t n = 0; n < out.size(); ++n) {
    const int64_t y = x.inputs.targets[n];
    if (y < 0 || y >= x.inputs.classes) continue;
    const LogSum& sum = known.rows[n];
    const double r = weighted ? (*x.inputs.class_weight)[static_cast<size_t>(y)] : 1;
    out[n] = x.options.z_loss * sum.lambda() * sum.lambda();
    const size_t at = n * static_cast<size_t>(x.inputs.classes) + static_cast<size_t>(y);
    if (r != 0) out[n] += r * sum.less(capped_logit(x.x[at], x.options));
  }
  return out;
}

}  // namespace

std::vector<double> row_losses(const Variant& x, const LogSums* known) {
  if (known && has_plain_ids(x) && known->x.are(x.x) && known->softcap == x.options.softcap)
    return plain_id_losses(x, *known);
  std::vector<double> out(static_cast<size_t>(x.inputs.batch * x.inputs.steps), not_a_number);
  const RowFormula formula = x.formula ? x.formula : usual_row_loss;
  each_row(
      x, [&](int64_t n, const RowView& row, double entropy) { out[static_cast<size_t>(n)] = formula(row) - entropy; });
  return out;
}

std::vector<double> row_slopes(const Variant& x) {
  std::vector<double> out(x.x.size(), not_a_number);
  const RowFormula formula = x.formula ? x.formula : usual_row_loss;
  const bool exact = !x.formula && x.kind == PredictionKind::logits && !x.options.softcap && x.options.z_loss == 0;
  std::vector<double> moved;
  each_row(x, [&](int64_t n, const RowView& row, double) {
    double* slope = out.data() + n * row.classes;
    if (exact) {
      const double lambda = log_sum_exp(row.x, row.classes).lambda();
      double mass = 0;
      for (int64_t v = 0; v < row.classes; ++v) mass += row.r[v];
      for (int64_t v = 0; v < row.classes; ++v) slope[v] = mass * std::exp(row.x[v] - lambda) - row.r[v];
      return;
    }
    moved.assign(row.x, row.x + row.classes);
    for (int64_t v = 0; v < row.classes; ++v) {
      double& z = moved[static_cast<size_t>(v)];
      const double before = z, h = 1e-5 * std::max(row.kind == PredictionKind::probs ? before : 1.0, 1e-3);
      const RowView there{row.options, row.kind, moved.data(), row.r, row.classes, row.parameter};
      z = before + h;
      const double up = formula(there);
      z = before - h;
      const double down = formula(there);
      z = before;
      slope[v] = (up - down) / (2 * h);
    }
  });
  return out;
}

Variant variant_of(const LossBatch& given, const LossOptions& options) {
  LossBatch batch = shifted(given);
  Variant out{std::move(batch.inputs), options, batch.kind, std::move(batch.x)};
  if (batch.kind != PredictionKind::hidden) return out;
  const int64_t v = out.inputs.classes, cells = out.inputs.batch * out.inputs.steps;
  const int64_t d = v > 0 ? static_cast<int64_t>(batch.weight.size()) / v : 0;
  const SharedNumbers hidden = out.x;
  out.kind = PredictionKind::logits;
  std::vector<double> logits(static_cast<size_t>(cells * v), 0.0);
  for (int64_t n = 0; n < cells; ++n)
    for (int64_t j = 0; j < v; ++j) {
      double z = batch.bias.empty() ? 0 : batch.bias[static_cast<size_t>(j)];
      for (int64_t k = 0; k < d; ++k)
        z += hidden[static_cast<size_t>(n * d + k)] * batch.weight[static_cast<size_t>(j * d + k)];
      logits[static_cast<size_t>(n * v + j)] = z;
    }
  out.x = std::move(logits);
  return out;
}

std::vector<uint8_t> active_cells(const LossInputs& in, const LossOptions& o) {
  std::vector<uint8_t> m(static_cast<size_t>(in.batch * in.steps), 0);
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      m[n] = (!in.lengths || t < (*in.lengths)[static_cast<size_t>(b)]) && (!in.mask || (*in.mask)[n]) &&
             (!o.ignore_index || in.targets.empty() || in.targets[n] != *o.ignore_index);
    }
  return m;
}

}  // namespace seqgrad
