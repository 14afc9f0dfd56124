// Samples of the ops of matmul.h, with results from the definition.
#include "engine/ops/matmul.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

Values naive(const Values& a, const Values& b, int64_t batch, int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  Values y;
  for (int64_t p = 0; p < batch; ++p)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t q = 0; q < k; ++q)
          sum += a[static_cast<size_t>(p * m * k + (ta ? q * m + i : i * k + q))] *
                 b[static_cast<size_t>(p * k * n + (tb ? j * k + q : q * n + j))];
        y.push_back(sum);
      }
  return y;
}

OpSample matmul_sample(const char* label, int64_t m, int64_t n, int64_t k, bool ta, bool tb) {
  OpSample s;
  s.label = label;
  s.inputs = {SampleInput::reals(ta ? Shape{k, m} : Shape{m, k}), SampleInput::reals(tb ? Shape{n, k} : Shape{k, n})};
  s.call = [=](std::span<const Tensor> in) { return matmul(in[0], in[1], ta, tb); };
  s.expected = [=](const std::vector<Values>& in) { return naive(in[0], in[1], 1, m, n, k, ta, tb); };
  return s;
}

OpSample linear_sample(const char* label, Shape x, int64_t out, bool bias) {
  OpSample s;
  s.label = label;
  const int64_t in_features = x[-1], rows = x.numel() / in_features;
  s.inputs = {SampleInput::reals(x), SampleInput::reals({in_features, out})};
  if (bias) s.inputs.push_back(SampleInput::reals({out}));
  s.call = [=](std::span<const Tensor> in) { return linear(in[0], in[1], bias ? in[2] : Tensor{}); };
  s.expected = [=](const std::vector<Values>& in) {
    Values y = naive(in[0], in[1], 1, rows, out, in_features, false, false);
    if (bias)
      for (size_t i = 0; i < y.size(); ++i) y[i] += in[2][i % static_cast<size_t>(out)];
    return y;
  };
  return s;
}

const bool registered =
    register_samples(
        "matmul", {matmul_sample("plain", 3, 4, 5, false, false), matmul_sample("transposed a", 3, 4, 5, true, false),
                   matmul_sample("transposed b", 3, 4, 5, false, true), matmul_sample("both", 2, 3, 4, true, true),
                   matmul_sample("no inner dimension", 2, 3, 0, false, false),
                   matmul_sample("more rows than a block", 300, 3, 2, false, false)}) &&
    register_samples("linear",
                     {linear_sample("[2,3,4]", {2, 3, 4}, 5, true), linear_sample("no bias", {6, 4}, 3, false)}) &&
    register_samples("batched_matmul",
                     {{"[2,3,4]x[2,4,5]",
                       {SampleInput::reals({2, 3, 4}), SampleInput::reals({2, 4, 5})},
                       [](std::span<const Tensor> in) { return batched_matmul(in[0], in[1]); },
                       [](const std::vector<Values>& in) { return naive(in[0], in[1], 2, 3, 5, 4, false, false); }}});

}  // namespace
