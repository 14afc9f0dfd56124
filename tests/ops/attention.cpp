// Samples of attention and additive_attention, with results from the definition.
#include "engine/ops/attention.h"

#include <cmath>

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

Values naive(const Values& q, const Values& keys, const Values* v, const Values& values, const Values& lengths,
             size_t steps, size_t source, size_t d, size_t c) {
  Values y;
  for (size_t b = 0; b < lengths.size(); ++b)
    for (size_t t = 0; t < steps; ++t) {
      Values w;
      double total = 0;
      for (size_t s = 0; s < static_cast<size_t>(lengths[b]); ++s) {
        double score = 0;
        for (size_t i = 0; i < d; ++i) {
          const double x = q[(b * steps + t) * d + i], k = keys[(b * source + s) * d + i];
          score += v ? (*v)[i] * std::tanh(x + k) : x * k;
        }
        w.push_back(std::exp(score));
        total += w.back();
      }
      for (size_t j = 0; j < c; ++j) {
        double sum = 0;
        for (size_t s = 0; s < w.size(); ++s) sum += w[s] / total * values[(b * source + s) * c + j];
        y.push_back(sum);
      }
    }
  return y;
}

// The rows of x [N,...] that `rows` names, side by side.
Values gathered(const Values& x, const Values& rows, size_t n) {
  const size_t width = x.size() / n;
  Values y;
  for (const double row : rows) {
    const auto from = x.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(row) * width);
    y.insert(y.end(), from, from + static_cast<std::ptrdiff_t>(width));
  }
  return y;
}

const bool registered =
    register_samples(
        "attention",
        {{"[4,3,5] over 6",
          {SampleInput::reals({4, 3, 5}), SampleInput::reals({4, 6, 5}), SampleInput::reals({4, 6, 2}),
           SampleInput::ids({4}, 7)},
          [](std::span<const Tensor> in) { return attention(in[0], in[1], in[2], in[3]); },
          [](const std::vector<Values>& in) { return naive(in[0], in[1], nullptr, in[2], in[3], 3, 6, 5, 2); }},
         {"[4,3,5] over 6 of 2 sentences",
          {SampleInput::reals({4, 3, 5}), SampleInput::reals({2, 6, 5}), SampleInput::reals({2, 6, 2}),
           SampleInput::ids({2}, 7), SampleInput::ids({4}, 2)},
          [](std::span<const Tensor> in) { return attention(in[0], in[1], in[2], in[3], nullptr, in[4]); },
          [](const std::vector<Values>& in) {
            return naive(in[0], gathered(in[1], in[4], 2), nullptr, gathered(in[2], in[4], 2),
                         gathered(in[3], in[4], 2), 3, 6, 5, 2);
          },
          false}}) &&
    register_samples(
        "additive_attention",
        {{"[4,5] over 6",
          {SampleInput::reals({4, 5}), SampleInput::reals({4, 6, 5}), SampleInput::reals({5}),
           SampleInput::reals({4, 6, 2}), SampleInput::ids({4}, 7)},
          [](std::span<const Tensor> in) { return additive_attention(in[0], in[1], in[2], in[3], in[4]); },
          [](const std::vector<Values>& in) { return naive(in[0], in[1], &in[2], in[3], in[4], 1, 6, 5, 2); }},
         {"[4,5] over 6 of 2 sentences",
          {SampleInput::reals({4, 5}), SampleInput::reals({2, 6, 5}), SampleInput::reals({5}),
           SampleInput::reals({2, 6, 2}), SampleInput::ids({2}, 7), SampleInput::ids({4}, 2)},
          [](std::span<const Tensor> in) {
            return additive_attention(in[0], in[1], in[2], in[3], in[4], nullptr, in[5]);
          },
          [](const std::vector<Values>& in) {
            return naive(in[0], gathered(in[1], in[5], 2), &in[2], gathered(in[3], in[5], 2), gathered(in[4], in[5], 2),
                         1, 6, 5, 2);
          },
          false}});

}  // namespace
