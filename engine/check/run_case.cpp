// Forward, backward, and the results in the shapes of the case's file.
#include "engine/check/run_case.h"

#include <cmath>

#include "engine/loss/reduction.h"

namespace seqgrad {
namespace {

std::vector<int64_t> dims(const Shape& s) { return {s.begin(), s.end()}; }

// [B,T…] as the file has it: time-major but for layout: batch.
Values cells(std::string name, const std::vector<double>& x, Layout layout, int64_t b, int64_t t) {
  if (layout == Layout::batch) return {std::move(name), {b, t}, x};
  return {std::move(name), {t, b}, from_time_major(x, t, b)};  // the same permutation, the other way round
}

// Numerator and divisor of each entry of the result.
void add_parts(CaseRun& run, Layout layout) {
  const LossOptions& o = run.inputs.options;
  const LiveRows& rows = run.rows;
  const int64_t b = rows.batch, t = rows.steps;
  std::vector<double> numerators, divisors;
  if (o.over == Over::all || o.then != Then::nothing) {
    numerators = {run.loss.sum.numerator};
    divisors = {rows.divisor};
  } else {
    LossOptions sum = o;
    sum.divide = {"one", "", "", 0};
    sum.divide_eps = 0;
    std::vector<double> losses = run.loss.row_loss;
    for (size_t i = 0; i < losses.size(); ++i) losses[i] += run.loss.row_z[i];
    numerators = reduce(rows, losses, sum, 1).value;
    for (const Counts& c : rows.groups)
      divisors.push_back(o.divide.flat == "const" ? o.divide.k : divisor(o.divide.flat).value(c));
  }
  const std::vector<int64_t> shape = dims(result_shape(rows, o));
  for (auto& [name, x] : {std::pair{"value", run.loss.values}, {"numerator", numerators}, {"divisor", divisors}})
    run.values.push_back(shape.size() == 2 ? cells(name, x, layout, b, t) : Values{name, shape, x});
}

// The prediction's gradient in the file's own order.
Values gradient(std::string name, const Tensor& of) {
  Values v{std::move(name), dims(of.shape), {}};
  dispatch(of.dtype, [&]<class T> {
    const auto g = to_host<T>(grad(of));
    v.numbers.assign(g.begin(), g.end());
  });
  return v;
}

Tensor tensor(const std::vector<double>& x, Shape shape, DType dtype, Device device) {
  return dispatch(dtype, [&]<class T> { return from_host(std::vector<T>(x.begin(), x.end()), shape, device); });
}

Prediction prediction(const LossCase& c, const CaseArrays& a, const CaseInputs& in, DType dtype, Device device) {
  const int64_t b = in.loss.batch, t = in.loss.steps, v = in.loss.classes, width = in.hidden ? in.width : v;
  // Hidden states are b-major for the loss; logits keep the layout of the file.
  const bool swap = in.hidden && c.layout == Layout::time;
  Prediction p;
  p.x = tensor(swap ? from_time_major(a.x, b, t, width) : a.x,
               c.layout == Layout::batch || in.hidden ? Shape{b, t, width} : Shape{t, b, width}, dtype, device);
  if (in.hidden) p.weight = tensor(a.weight, {v, width}, dtype, device);
  if (!a.bias.empty()) p.bias = tensor(a.bias, {v}, dtype, device);
  return p;
}

// Of losses of positions: the reduction alone.
LossResult reduced(const LossCase& c, const CaseArrays& a, const LiveRows& rows, const LossOptions& options) {
  return reduce_row_losses(c.layout == Layout::time ? from_time_major(a.x, rows.batch, rows.steps) : a.x, rows,
                           options);
}

LossResult forward(const LossCase& c, const Prediction& p, const LossInputs& inputs, const LiveRows& rows,
                   const LossOptions& options, const CaseInputs& in, std::vector<Tensor>* steps = nullptr) {
  if (in.hidden) return linear_sequence_loss(p.x, p.weight, p.bias, inputs, rows, options, rows.divisor);
  if (c.layout == Layout::list && steps) return sequence_loss(*steps, inputs, rows, options, rows.divisor);
  return sequence_loss(p.x, inputs, rows, options, rows.divisor,
                       c.layout == Layout::batch ? Layout::batch : Layout::time);
}

}  // namespace

LossResult reduce_row_losses(const std::vector<double>& losses, const LiveRows& rows, const LossOptions& options) {
  LossResult out;
  for (const LiveRow& r : rows.rows) {
    const double x = losses[static_cast<size_t>(r.row)];
    if (!std::isfinite(x) && options.nonfinite == Nonfinite::error)
      throw NonfiniteLoss(fmt::format("row_loss is {} at (b={},t={})", std::isnan(x) ? "nan" : fmt::format("{}", x),
                                      r.row / rows.steps, r.row % rows.steps));
    out.row_loss.push_back(x);
  }
  out.row_z.assign(rows.rows.size(), 0.0);
  Reduced r = reduce(rows, out.row_loss, options, rows.divisor);
  out.value = from_host(r.value, result_shape(rows, options));
  out.values = std::move(r.value);
  out.numerators = std::move(r.numerator);
  out.divisors = std::move(r.divisor);
  out.sum = r.sum;
  return out;
}

const Values* CaseRun::find(const std::string& name) const {
  for (const Values& v : values)
    if (v.name == name) return &v;
  return nullptr;
}

const Values& CaseRun::of(const std::string& name) const {
  const Values* v = find(name);
  if (!v) refuse("the case has no {}", name);
  return *v;
}

CaseArrays arrays_of(const LossCase& c, const CaseInputs& in) {
  CaseArrays a;
  for (const NamedArray* part : in.logits) {
    const std::vector<double> x = to_doubles(*part);
    a.x.insert(a.x.end(), x.begin(), x.end());
  }
  if (const NamedArray* w = c.find("weight")) a.weight = to_doubles(*w);
  if (const NamedArray* b = c.find("bias")) a.bias = to_doubles(*b);
  return a;
}

std::vector<double> upstream_of(const LossCase& c, const CaseInputs& in, const LiveRows& rows) {
  const Shape want = result_shape(rows, in.options);
  const bool time_major = c.layout != Layout::batch && want.rank() == 2;
  std::vector<double> up;
  std::vector<int64_t> shape;
  if (const NamedArray* a = c.find("upstream")) {
    up = to_doubles(*a);
    shape = a->shape;
  } else if (c.find("upstream.0")) {
    for (int64_t t = 0; const NamedArray* step = c.find(fmt::format("upstream.{}", t)); ++t) {
      const std::vector<double> x = to_doubles(*step);
      up.insert(up.end(), x.begin(), x.end());
      shape = {t + 1, static_cast<int64_t>(x.size())};
    }
  } else {
    return std::vector<double>(static_cast<size_t>(want.numel()), 1.0);
  }
  const std::vector<int64_t> stored = time_major ? std::vector<int64_t>{want[1], want[0]} : dims(want);
  if (shape != stored)
    refuse(LossCode::shape, "loss: upstream is [{}]; the result is [{}]", fmt::join(shape, ","),
           fmt::join(stored, ","));
  return time_major ? from_time_major(up, in.loss.batch, in.loss.steps) : up;
}

LossResult loss_of(const LossCase& c, const CaseArrays& arrays, const LossInputs& inputs, const LiveRows& rows,
                   const LossOptions& options, const CaseInputs& in) {
  Tape::current().reset();
  const NoGrad no_grad;
  if (in.row_loss) return reduced(c, arrays, rows, options);
  return forward(c, prediction(c, arrays, in, DType::f64, Device::cpu), inputs, rows, options, in);
}

namespace {

// The gradient of what predicts, as the case stores it; `steps` are the leaves of the list form.
Values gradient_of_prediction(const LossCase& c, const CaseRun& run, const Prediction& p,
                              const std::vector<Tensor>& steps) {
  const CaseInputs& in = run.inputs;
  const int64_t b = run.rows.batch, t = run.rows.steps;
  const char* name = in.hidden ? "d_hidden" : in.options.input == Input::probs ? "d_probs" : "d_logits";
  if (!steps.empty()) {
    Values whole{name, {t, b, run.rows.classes}, {}};
    for (const Tensor& s : steps) {
      const Values step = gradient(name, s);
      whole.numbers.insert(whole.numbers.end(), step.numbers.begin(), step.numbers.end());
    }
    return whole;
  }
  Values g = gradient(name, p.x);
  if (in.hidden && c.layout == Layout::time) {
    g.numbers = from_time_major(g.numbers, t, b, in.width);
    std::swap(g.shape[0], g.shape[1]);
  }
  return g;
}

// s·ω·upstream of each live row.
std::vector<double> pulls(const CaseRun& run, const std::vector<double>& upstream) {
  const LossOptions& o = run.inputs.options;
  const Coefficients coefficients = seqgrad::coefficients(run.rows, o, run.rows.divisor);
  const bool scalar = run.loss.value.shape.rank() == 0;
  std::vector<double> out;
  for (size_t i = 0; i < run.rows.rows.size(); ++i) {
    const auto entry = scalar ? 0 : static_cast<size_t>(group_of(run.rows, run.rows.rows[i], o.over));
    out.push_back(coefficients.rows[i] * upstream[entry]);
  }
  return out;
}

// Row losses, where they stand, and how strongly each row pulls, its sign too.
void add_row_losses(const LossCase& c, const std::vector<double>& upstream, CaseRun& run) {
  const int64_t b = run.rows.batch, t = run.rows.steps;
  std::vector<double> row_loss(static_cast<size_t>(b * t), 0.0);
  for (size_t i = 0; i < run.rows.rows.size(); ++i)
    row_loss[static_cast<size_t>(run.rows.rows[i].row)] = run.loss.row_loss[i];
  add_parts(run, c.layout);
  run.values.insert(run.values.begin() + 1, cells("row_loss", row_loss, c.layout, b, t));
  run.pull = pulls(run, upstream);
}

// Of losses of positions.
void run_reduction(const LossCase& c, const std::vector<double>& upstream, CaseRun& run) {
  const int64_t b = run.rows.batch, t = run.rows.steps;
  run.loss = reduced(c, arrays_of(c, run.inputs), run.rows, run.inputs.options);
  add_row_losses(c, upstream, run);
  std::vector<double> gradient(static_cast<size_t>(b * t), 0.0);
  for (size_t i = 0; i < run.rows.rows.size(); ++i) gradient[static_cast<size_t>(run.rows.rows[i].row)] = run.pull[i];
  run.values.push_back(cells("d_row_loss", gradient, c.layout, b, t));
}

// Of what predicts, forward and backward.
void run_prediction(const LossCase& c, const std::vector<double>& upstream, Device device, CaseRun& run) {
  const CaseInputs& in = run.inputs;
  const int64_t b = run.rows.batch, t = run.rows.steps, v = run.rows.classes;
  Tape& tape = Tape::current();
  tape.reset();
  const CaseArrays arrays = arrays_of(c, in);
  Prediction p = prediction(c, arrays, in, run.dtype, device);
  std::vector<Tensor> steps;  // leaves of their own, as the list form has them
  if (c.layout == Layout::list && !in.hidden)
    for (int64_t i = 0; i < t; ++i) {
      const auto first = arrays.x.begin() + i * b * v;
      steps.push_back(variable(tensor(std::vector<double>(first, first + b * v), {b, v}, run.dtype, device)));
    }
  p.x = variable(p.x);
  if (p.weight.defined()) p.weight = variable(p.weight);
  if (p.bias.defined()) p.bias = variable(p.bias);
  run.loss = forward(c, p, in.loss, run.rows, in.options, in, &steps);
  tape.backward(run.loss.value, tensor(upstream, run.loss.value.shape, run.dtype, device));
  add_row_losses(c, upstream, run);
  run.values.push_back(gradient_of_prediction(c, run, p, steps));
  if (p.weight.defined()) run.values.push_back(gradient("d_weight", p.weight));
  if (p.bias.defined()) run.values.push_back(gradient("d_bias", p.bias));
}

}  // namespace

CaseRun run_case(const LossCase& c, DType dtype, Device device) {
  if (c.refused) throw *c.refused;
  CaseRun run;
  run.dtype = dtype;
  run.inputs = inputs_of(c);
  run.rows = build_live_rows(run.inputs.loss, run.inputs.options);
  const std::vector<double> upstream = upstream_of(c, run.inputs, run.rows);
  if (run.inputs.row_loss)
    run_reduction(c, upstream, run);
  else
    run_prediction(c, upstream, device, run);
  for (double& pull : run.pull) pull = std::abs(pull);
  return run;
}

}  // namespace seqgrad
