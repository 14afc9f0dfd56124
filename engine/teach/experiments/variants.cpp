// Batches cut, padded and reduced.
#include "engine/teach/experiments/variants.h"

#include <cmath>

namespace seqgrad {

LessonBatch reduced(const LessonBatch& s, const Divide& divide) {
  LessonBatch out = s;
  out.upstream.clear();
  out.options.over = Over::all;
  out.options.then = Then::nothing;
  out.options.report = {};
  out.options.scope = Scope::global;
  out.options.divide = divide;
  out.options.divide_eps = 0;
  out.options.on_zero = OnZero::zero;
  return out;
}

LessonBatch reduced(const LessonBatch& s, const char* divisor) { return reduced(s, Divide{divisor, "", "", 0}); }

template <class T>
static std::vector<T> rows_of(const std::vector<T>& x, const std::vector<int64_t>& rows, int64_t width) {
  std::vector<T> out;
  for (const int64_t b : rows) out.insert(out.end(), x.begin() + b * width, x.begin() + (b + 1) * width);
  return out;
}

LessonBatch sentences(const LessonBatch& s, const std::vector<int64_t>& rows) {
  LessonBatch out = s;
  const LossInputs& in = s.inputs;
  LossInputs& to = out.inputs;
  const int64_t t = in.steps, v = in.classes;
  to.batch = static_cast<int64_t>(rows.size());
  out.x = rows_of(s.x, rows, t * v);
  if (!in.targets.empty()) to.targets = rows_of(in.targets, rows, t);
  if (!in.dense.empty()) to.dense = rows_of(in.dense, rows, t * v);
  if (in.lengths) to.lengths = rows_of(*in.lengths, rows, 1);
  if (in.mask) to.mask = rows_of(*in.mask, rows, t);
  if (in.token_weight) to.token_weight = rows_of(*in.token_weight, rows, t);
  if (in.example_weight) to.example_weight = rows_of(*in.example_weight, rows, 1);
  return out;
}

PartsSum sum_of_parts(const LessonBatch& s, const std::vector<std::vector<int64_t>>& parts, double share) {
  const auto width = static_cast<size_t>(s.inputs.steps * s.inputs.classes);
  PartsSum out{0, std::vector<double>(s.x.size(), 0.0)};
  for (const std::vector<int64_t>& rows : parts) {
    const Outcome o = evaluate(sentences(s, rows));
    out.value += o.value() * share;
    for (size_t i = 0; i < rows.size(); ++i)
      for (size_t j = 0; j < width; ++j)
        out.gradient[static_cast<size_t>(rows[i]) * width + j] = o.gradient[i * width + j] * share;
  }
  return out;
}

std::vector<uint8_t> active_cells(const LessonBatch& s) {
  const LossInputs& in = s.inputs;
  std::vector<uint8_t> out(s.cells(), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto n = static_cast<int64_t>(i);
    if (in.lengths && n % in.steps >= (*in.lengths)[static_cast<size_t>(n / in.steps)]) out[i] = 0;
    if (in.mask && !(*in.mask)[i]) out[i] = 0;
    if (s.options.ignore_index && !in.targets.empty() && in.targets[i] == *s.options.ignore_index) out[i] = 0;
  }
  return out;
}

LessonBatch unmasked(const LessonBatch& s) {
  LessonBatch out = s;
  out.inputs.lengths.reset();
  out.inputs.mask.reset();
  out.options.ignore_index.reset();
  return out;
}

// Each sentence's `width` numbers a cell, followed by `count` copies of `more` (or of its own first cell).
template <class T>
static std::vector<T> longer(const std::vector<T>& x, const LossInputs& in, int64_t count, int64_t width,
                             const T* more) {
  std::vector<T> out;
  const int64_t sentence = in.steps * width;
  for (int64_t b = 0; b < in.batch; ++b) {
    const auto first = x.begin() + b * sentence;
    out.insert(out.end(), first, first + sentence);
    for (int64_t i = 0; i < count; ++i)
      if (more)
        out.push_back(*more);
      else
        out.insert(out.end(), first, first + width);
  }
  return out;
}

LessonBatch more_columns(const LessonBatch& s, int64_t count) {
  LessonBatch out = s;
  const LossInputs& in = s.inputs;
  LossInputs& to = out.inputs;
  const uint8_t masked = 0;
  const double nothing = 0;
  std::vector<uint8_t> mask = in.mask.value_or(std::vector<uint8_t>(s.cells(), 1));
  to.steps = in.steps + count;
  to.mask = longer(mask, in, count, 1, &masked);
  out.x = longer(s.x, in, count, in.classes, static_cast<const double*>(nullptr));
  if (!in.targets.empty()) to.targets = longer(in.targets, in, count, 1, static_cast<const int64_t*>(nullptr));
  if (!in.dense.empty()) to.dense = longer(in.dense, in, count, in.classes, static_cast<const double*>(nullptr));
  if (in.token_weight) to.token_weight = longer(*in.token_weight, in, count, 1, &nothing);
  return out;
}

double relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double apart = 0, size = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    apart += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return size == 0 ? 0 : std::sqrt(apart / size);
}

}  // namespace seqgrad
