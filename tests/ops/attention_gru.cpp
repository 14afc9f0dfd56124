// Samples of attention_gru, with results from the definition.
#include "engine/ops/attention_gru.h"

#include <cmath>

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

struct SampleSizes {
  int64_t b, t, s, e, h, c, d;
};

// In the order of the sample's inputs.
Values naive(const std::vector<Values>& in, SampleSizes n) {
  const Values &x = in[0], &w_ih = in[1], &b_ih = in[2], &w_hh = in[3], &b_hh = in[4], &w_q = in[5], &b_q = in[6],
               &v = in[7], &h0 = in[8], &keys = in[9], &values = in[10], &source_lengths = in[11], &lengths = in[12];
  const auto at = [](const Values& u, int64_t i) { return u[static_cast<size_t>(i)]; };
  const auto sigmoid = [](double u) { return 1 / (1 + std::exp(-u)); };
  Values y;
  for (int64_t b = 0; b < n.b; ++b) {
    Values state;
    for (int64_t i = 0; i < n.h; ++i) state.push_back(at(h0, b * n.h + i));
    for (int64_t t = 0; t < n.t; ++t) {
      if (t >= static_cast<int64_t>(at(lengths, b))) {
        y.insert(y.end(), static_cast<size_t>(n.h + n.c), 0.0);
        continue;
      }
      Values a, context(static_cast<size_t>(n.c), 0.0);
      double total = 0;
      for (int64_t s = 0; s < static_cast<int64_t>(at(source_lengths, b)); ++s) {
        double score = 0;
        for (int64_t j = 0; j < n.d; ++j) {
          double q = at(b_q, j) + at(keys, (b * n.s + s) * n.d + j);
          for (int64_t i = 0; i < n.h; ++i) q += at(state, i) * at(w_q, i * n.d + j);
          score += at(v, j) * std::tanh(q);
        }
        a.push_back(std::exp(score));
        total += a.back();
      }
      for (size_t s = 0; s < a.size(); ++s)
        for (int64_t i = 0; i < n.c; ++i)
          context[static_cast<size_t>(i)] += a[s] / total * at(values, (b * n.s + static_cast<int64_t>(s)) * n.c + i);
      const auto gx = [&](int64_t j) {
        double sum = at(b_ih, j);
        for (int64_t i = 0; i < n.e; ++i) sum += at(x, (b * n.t + t) * n.e + i) * at(w_ih, i * 3 * n.h + j);
        for (int64_t i = 0; i < n.c; ++i) sum += at(context, i) * at(w_ih, (n.e + i) * 3 * n.h + j);
        return sum;
      };
      const auto gh = [&](int64_t j) {
        double sum = at(b_hh, j);
        for (int64_t i = 0; i < n.h; ++i) sum += at(state, i) * at(w_hh, i * 3 * n.h + j);
        return sum;
      };
      Values next;
      for (int64_t i = 0; i < n.h; ++i) {
        const double r = sigmoid(gx(i) + gh(i)), z = sigmoid(gx(n.h + i) + gh(n.h + i));
        next.push_back((1 - z) * std::tanh(gx(2 * n.h + i) + r * gh(2 * n.h + i)) + z * at(state, i));
      }
      state = next;
      y.insert(y.end(), state.begin(), state.end());
      y.insert(y.end(), context.begin(), context.end());
    }
  }
  return y;
}

// Keys from [-keys, keys).
OpSample sample(const char* label, SampleSizes n, double keys = 1) {
  return {label,
          {SampleInput::reals({n.b, n.t, n.e}), SampleInput::reals({n.e + n.c, 3 * n.h}), SampleInput::reals({3 * n.h}),
           SampleInput::reals({n.h, 3 * n.h}), SampleInput::reals({3 * n.h}), SampleInput::reals({n.h, n.d}),
           SampleInput::reals({n.d}), SampleInput::reals({n.d}), SampleInput::reals({n.b, n.h}),
           SampleInput::reals({n.b, n.s, n.d}, -keys, keys), SampleInput::reals({n.b, n.s, n.c}),
           SampleInput::ids({n.b}, n.s + 1), SampleInput::ids({n.b}, n.t + 1)},
          [](std::span<const Tensor> in) {
            return attention_gru(in[0], {in[1], in[2], in[3], in[4], in[5], in[6], in[7]}, in[8],
                                 {in[9], in[10], in[11]}, in[12]);
          },
          [=](const std::vector<Values>& in) { return naive(in, n); }};
}

const bool registered = register_samples(
    "attention_gru", {sample("small", {4, 3, 5, 2, 3, 4, 2}), sample("one step", {3, 1, 2, 1, 2, 3, 2}),
                      sample("more sentences than a block", {19, 2, 2, 1, 2, 1, 2}),
                      sample("keys wider than a vector", {2, 2, 6, 1, 2, 1, 19}),
                      sample("keys whose exponentials float32 has not", {3, 2, 5, 1, 2, 1, 3}, 60)});

}  // namespace
