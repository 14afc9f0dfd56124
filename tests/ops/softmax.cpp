// Samples of softmax and log_softmax, with results from the definition.
#include "engine/ops/softmax.h"

#include <cmath>

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

Values naive(const Values& x, const Values& lengths, size_t n, bool log) {
  Values y(x.size(), 0.0);
  for (size_t r = 0; r < x.size() / n; ++r) {
    const size_t count = lengths.empty() ? n : static_cast<size_t>(lengths[r]);
    double total = 0;
    for (size_t i = 0; i < count; ++i) total += std::exp(x[r * n + i]);
    for (size_t i = 0; i < count; ++i)
      y[r * n + i] = log ? x[r * n + i] - std::log(total) : std::exp(x[r * n + i]) / total;
  }
  return y;
}

const bool registered =
    register_samples("softmax", {{"[2,3,5]",
                                  {SampleInput::reals({2, 3, 5}, -3, 3)},
                                  [](std::span<const Tensor> in) { return softmax(in[0]); },
                                  [](const std::vector<Values>& in) { return naive(in[0], {}, 5, false); }},
                                 {"lengths",
                                  {SampleInput::reals({6, 4}, -3, 3), SampleInput::ids({6}, 5)},
                                  [](std::span<const Tensor> in) { return softmax(in[0], in[1]); },
                                  [](const std::vector<Values>& in) { return naive(in[0], in[1], 4, false); }}}) &&
    register_samples("log_softmax", {{"[4,5]",
                                      {SampleInput::reals({4, 5}, -3, 3)},
                                      [](std::span<const Tensor> in) { return log_softmax(in[0]); },
                                      [](const std::vector<Values>& in) { return naive(in[0], {}, 5, true); }}});

}  // namespace
