// The public function: its arguments become the `loss` section of a config and the inputs of the loss, so that they are
// checked, refused and computed as those of the trainer and of cases are.
#include "engine/api/include/seqgrad/seqgrad.h"

#include <algorithm>

#include "engine/api/loss_section.h"
#include "engine/core/tape.h"
#include "engine/loss/reduction.h"
#include "engine/loss/sequence_loss.h"

namespace seqgrad {
namespace {

// What belongs to tokens, as the loss wants it: b-major. An array of a wrong size stays as it is, and is refused later.
template <class T>
void to_batch_major(std::vector<T>& x, const LossShape& s, int64_t width = 1) {
  if (static_cast<int64_t>(x.size()) == s.batch * s.steps * width) x = from_time_major(x, s.batch, s.steps, width);
}
template <class T>
void to_time_major(std::vector<T>& x, const LossShape& s) {
  x = from_time_major(x, s.steps, s.batch);  // the same permutation, the other way round
}

LossInputs inputs_of(const LossShape& shape, const LossArray<int64_t>& targets, const LossArguments& a, Layout layout) {
  LossInputs in;
  in.batch = shape.batch, in.steps = shape.steps, in.classes = shape.classes;
  in.targets = targets.values().value_or(std::vector<int64_t>{});
  in.dense = a.dense.f64().value_or(std::vector<double>{});
  in.dense_f32 = a.dense.f32().value_or(std::vector<float>{});
  in.lengths = a.lengths.values();
  in.mask = a.mask.values();
  in.token_weight = a.token_weight.values();
  in.example_weight = a.example_weight.values();
  in.class_weight = a.class_weight.values();
  in.prior = a.prior.values();
  if (layout == Layout::batch) return in;
  to_batch_major(in.targets, shape);
  to_batch_major(in.dense, shape, shape.classes);
  to_batch_major(in.dense_f32, shape, shape.classes);
  if (in.mask) to_batch_major(*in.mask, shape);
  if (in.token_weight) to_batch_major(*in.token_weight, shape);
  return in;
}

template <class T>
Tensor upstream_of(const LossArguments& a, const LossShape& shape, Shape want, Layout layout) {
  std::vector<double> up = a.upstream.values().value_or(std::vector<double>(static_cast<size_t>(want.numel()), 1.0));
  if (static_cast<int64_t>(up.size()) != want.numel())
    refuse(LossCode::shape, "loss: upstream has {} entries; the result is {}", up.size(), want.str());
  if (layout == Layout::time && want.rank() == 2) to_batch_major(up, shape);
  return from_host(std::vector<T>(up.begin(), up.end()), want);
}

std::vector<TokenLoss> token_losses(const LossResult& r, const LiveRows& rows, const LossOptions& options) {
  const std::vector<double> scale = coefficients(rows, options, rows.divisor).rows;
  std::vector<TokenLoss> tokens(static_cast<size_t>(rows.batch * rows.steps));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    tokens[static_cast<size_t>(rows.rows[i].row)] = {r.row_loss[i], r.row_z[i], rows.rows[i].weight,
                                                     scale[i] * (r.row_loss[i] + r.row_z[i]), r.correct[i] != 0};
  return tokens;
}

template <class T>
LossOutput<T> output_of(LossResult r, const LiveRows& rows, const LossOptions& options) {
  LossOutput<T> out;
  const bool scalar = r.value.shape.rank() == 0;
  out.tokens = token_losses(r, rows, options);
  out.values = std::move(r.values);
  if (scalar) {
    out.value = out.values[0];
    out.numerator = r.sum.numerator;
    out.divisor = r.sum.divisor;
    out.reported = r.sum.reported(options);
  } else {
    out.value = out.numerator = out.divisor = out.reported = std::numeric_limits<double>::quiet_NaN();
  }
  out.counted = r.sum.stats.active;
  out.live = r.sum.stats.live;
  out.correct = r.sum.stats.correct;
  out.weight = r.sum.stats.weight;
  out.nll = r.sum.stats.nll_sum;
  for (const auto& list : {rows.warnings, r.warnings})
    for (const LossWarning& w : list) out.warnings.push_back(w.text);
  return out;
}

template <class T>
LossOutput<T> compute(std::span<const T> logits, const LossShape& s, const LossArray<int64_t>& targets,
                      const LossArguments& a) {
  const LossSection section(a);
  const LossOptions& options = section.options;
  check_options(options, s.classes);
  const Layout layout = section.layout;
  const Shape shape = layout == Layout::time ? Shape{s.steps, s.batch, s.classes} : Shape{s.batch, s.steps, s.classes};
  if (static_cast<int64_t>(logits.size()) != shape.numel())
    refuse(LossCode::shape, "loss: {} have {} entries; expected [B={},T={},V={}] = {}",
           options.input == Input::probs ? "probs" : "logits", logits.size(), s.batch, s.steps, s.classes,
           shape.numel());

  const TapeScope tape;
  const LossInputs in = inputs_of(s, targets, a, layout);
  const LiveRows rows = build_live_rows(in, options);
  std::vector<T> gradient(a.gradient ? logits.begin() : logits.end(), logits.end());
  Tensor x = wrap(a.gradient ? gradient.data() : logits.data(), shape);
  if (a.gradient) x = variable(x);
  // A scalar loss of logits overwrites them with their gradient, which is where it is wanted; others make another one.
  LossResult r = sequence_loss(a.gradient ? Tensor(x) : detach(x), in, rows, options, rows.divisor, layout);
  if (a.gradient) {
    Tape::current().backward(r.value, upstream_of<T>(a, s, r.value.shape, layout));
    if (const T* g = grad(x).template as<T>(); g != gradient.data()) std::copy_n(g, gradient.size(), gradient.data());
  }
  LossOutput<T> out = output_of<T>(std::move(r), rows, options);
  out.d_logits = std::move(gradient);
  if (layout == Layout::time) {
    to_time_major(out.tokens, s);
    if (options.over == Over::none && options.then == Then::nothing) to_time_major(out.values, s);
  }
  return out;
}

template <class T>
LossOutput<T> loss_of(std::span<const T> logits, const LossShape& shape, const LossArray<int64_t>& targets,
                      const LossArguments& arguments) {
  try {
    return compute(logits, shape, targets, arguments);
  } catch (const LossError& e) {
    throw LossRefused(str(e.loss_code), e.what());
  } catch (const InputError& e) {  // of the shape: all else has a number of its own
    throw LossRefused(str(LossCode::shape), e.what());
  }
}

}  // namespace

LossOutput<float> loss(std::span<const float> logits, LossShape shape, const LossArray<int64_t>& targets,
                       const LossArguments& arguments) {
  return loss_of(logits, shape, targets, arguments);
}

LossOutput<double> loss(std::span<const double> logits, LossShape shape, const LossArray<int64_t>& targets,
                        const LossArguments& arguments) {
  return loss_of(logits, shape, targets, arguments);
}

}  // namespace seqgrad
