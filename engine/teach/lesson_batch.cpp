// Cases brought to one form, and the loss layer called on it as training calls it.
#include "engine/teach/lesson_batch.h"

#include <cmath>

#include "engine/loss/reduction.h"

namespace seqgrad {
namespace {

// hidden·Wᵀ + bias, in float64.
std::vector<double> logits_of(const CaseArrays& a, int64_t width, int64_t classes) {
  const size_t d = static_cast<size_t>(width), v = static_cast<size_t>(classes), n = d ? a.x.size() / d : 0;
  std::vector<double> z(n * v, 0.0);
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k < v; ++k) {
      double sum = a.bias.empty() ? 0.0 : a.bias[k];
      for (size_t j = 0; j < d; ++j) sum += a.x[i * d + j] * a.weight[k * d + j];
      z[i * v + k] = sum;
    }
  return z;
}

void softmax_row(const double* z, double* p, size_t n) {
  double most = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; ++i) most = std::max(most, z[i]);
  for (size_t i = 0; i < n; ++i) sum += p[i] = std::exp(z[i] - most);
  for (size_t i = 0; i < n; ++i) p[i] /= sum;
}

}  // namespace

LessonBatch lesson_batch_of(const LossCase& c) {
  if (c.refused) throw *c.refused;
  CaseInputs in = inputs_of(c);
  const CaseArrays arrays = arrays_of(c, in);
  LessonBatch s;
  s.x = in.hidden ? logits_of(arrays, in.width, in.loss.classes) : arrays.x;
  if (c.layout != Layout::batch) s.x = from_time_major(s.x, in.loss.batch, in.loss.steps, in.loss.classes);
  if (c.find("upstream") || c.find("upstream.0")) s.upstream = upstream_of(c, in, build_live_rows(in.loss, in.options));
  s.row_loss = in.row_loss;
  s.inputs = std::move(in.loss);
  s.options = std::move(in.options);
  return s;
}

LessonBatch with_probabilities(const LessonBatch& s) {
  LessonBatch out = s;
  out.options.input = Input::probs;
  const auto v = static_cast<size_t>(s.inputs.classes);
  for (size_t i = 0; i + v <= s.x.size(); i += v) softmax_row(&s.x[i], &out.x[i], v);
  return out;
}

namespace {

std::vector<double> upstream_of(const LessonBatch& s, const LossResult& r) {
  return s.upstream.size() == r.values.size() ? s.upstream : std::vector<double>(r.values.size(), 1.0);
}

// The loss, and its gradient [B,T,V].
LossResult of_prediction(const LessonBatch& s, const LiveRows& rows, std::vector<double>& gradient) {
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor x = variable(from_host(s.x, {s.inputs.batch, s.inputs.steps, s.inputs.classes}));
  LossResult r = sequence_loss(x, s.inputs, rows, s.options);
  tape.backward(r.value, from_host(upstream_of(s, r), r.value.shape));
  gradient = to_host<double>(grad(x));
  return r;
}

}  // namespace

Outcome evaluate(const LessonBatch& s) {
  const LossInputs& in = s.inputs;
  const LossOptions& o = s.options;
  Outcome out;
  out.rows = build_live_rows(in, o);
  LossResult r = s.row_loss ? reduce_row_losses(s.x, out.rows, o) : of_prediction(s, out.rows, out.gradient);
  const std::vector<double> upstream = upstream_of(s, r);
  const size_t cells = s.cells();
  for (auto* v : {&out.weight, &out.row_loss, &out.coefficient}) v->assign(cells, 0.0);
  out.live.assign(cells, 0);
  const bool scalar = o.over == Over::all;
  for (size_t i = 0; i < cells; ++i) {
    const LiveRow cell{static_cast<int64_t>(i), 0, -1, 0};
    out.entry.push_back(scalar ? 0 : group_of(out.rows, cell, o.over));
  }
  const Coefficients c = coefficients(out.rows, o, out.rows.divisor);
  for (size_t i = 0; i < out.rows.rows.size(); ++i) {
    const LiveRow& row = out.rows.rows[i];
    const auto at = static_cast<size_t>(row.row);
    const auto entry = static_cast<size_t>(r.value.shape.rank() == 0 ? 0 : out.entry[at]);
    out.live[at] = 1;
    out.weight[at] = row.weight;
    out.row_loss[at] = r.row_loss[i] + r.row_z[i];
    out.coefficient[at] = c.rows[i] * upstream[entry];
  }
  if (s.row_loss) out.gradient = out.coefficient;
  out.values = std::move(r.values);
  out.numerators = std::move(r.numerators);
  out.divisors = std::move(r.divisors);
  out.sum = r.sum;
  out.warnings = out.rows.warnings;
  out.warnings.insert(out.warnings.end(), r.warnings.begin(), r.warnings.end());
  return out;
}

std::optional<CellAlone> cell_alone(const LessonBatch& s, int64_t b, int64_t t, std::string* why) {
  const LossInputs& in = s.inputs;
  const auto at = static_cast<size_t>(b * in.steps + t), v = static_cast<size_t>(in.classes);
  LessonBatch one;
  one.row_loss = s.row_loss;
  one.options = s.options;
  one.options.over = Over::all;
  one.options.divide = {"one", "", "", 0};
  one.options.divide_eps = 0;
  one.options.then = Then::nothing;
  one.options.scope = Scope::global;
  one.options.ignore_index.reset();
  one.options.nonfinite = Nonfinite::error;
  one.inputs.batch = one.inputs.steps = 1;
  one.inputs.classes = in.classes;
  one.inputs.prior = in.prior;
  if (s.options.class_scope == ClassScope::per_class) one.inputs.class_weight = in.class_weight;
  one.x.assign(s.x.begin() + static_cast<std::ptrdiff_t>(at * v),
               s.x.begin() + static_cast<std::ptrdiff_t>(at * v + v));
  if (in.dense.empty())
    one.inputs.targets = {in.targets[at]};
  else
    one.inputs.dense.assign(in.dense.begin() + static_cast<std::ptrdiff_t>(at * v),
                            in.dense.begin() + static_cast<std::ptrdiff_t>(at * v + v));
  try {
    Outcome o = evaluate(one);
    if (!o.live[0]) return std::nullopt;
    const double norm = gradient_norm(one, o);
    const double nll = s.row_loss ? o.row_loss[0] : o.sum.stats.nll_sum;
    return CellAlone{o.row_loss[0], nll, o.sum.stats.correct > 0, std::move(o.gradient), norm};
  } catch (const LossError& e) {
    if (why) {  // with the cell's own place
      *why = e.what();
      const std::string place = "b=0,t=0";
      if (const size_t at = why->find(place); at != std::string::npos)
        why->replace(at, place.size(), fmt::format("b={},t={}", b, t));
    }
    return std::nullopt;
  }
}

double gradient_norm(const LessonBatch& s, const Outcome& o) {
  const auto v = static_cast<size_t>(s.inputs.classes);
  double sum = 0;
  for (size_t cell = 0; cell < s.cells(); ++cell) {
    if (!o.live[cell]) continue;
    const double *g = &o.gradient[cell * v], *p = &s.x[cell * v];
    double along = 0;
    if (s.options.input == Input::probs)  // back through the softmax: dz = p∘(g − Σ p g)
      for (size_t i = 0; i < v; ++i) along += p[i] * g[i];
    for (size_t i = 0; i < v; ++i) {
      const double d = s.options.input == Input::probs ? p[i] * (g[i] - along) : g[i];
      sum += d * d;
    }
  }
  return std::sqrt(sum);
}

}  // namespace seqgrad
