// Samples of gru and bidirectional_gru, with results from the definition.
#include "engine/ops/gru.h"

#include <cmath>

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

struct SampleSizes {
  int64_t batch, steps, h;
};

// `in`: gx, w, b and, unless the state begins with 0, h0.
Values naive(std::span<const Values> in, const Values& lengths, SampleSizes size, bool reverse) {
  const auto& [batch, steps, h] = size;
  const auto at = [](const Values& v, int64_t i) { return v[static_cast<size_t>(i)]; };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  Values y(static_cast<size_t>(batch * steps * h), 0.0);
  for (int64_t b = 0; b < batch; ++b) {
    Values state;
    for (int64_t i = 0; i < h; ++i) state.push_back(in.size() > 3 ? at(in[3], b * h + i) : 0);
    const auto length = static_cast<int64_t>(at(lengths, b));
    for (int64_t s = 0; s < length; ++s) {
      const int64_t t = reverse ? length - 1 - s : s;
      Values gh;
      for (int64_t j = 0; j < 3 * h; ++j) {
        double sum = at(in[2], j);
        for (int64_t i = 0; i < h; ++i) sum += at(state, i) * at(in[1], i * 3 * h + j);
        gh.push_back(sum);
      }
      const int64_t x = (b * steps + t) * 3 * h;
      for (int64_t i = 0; i < h; ++i) {
        const double r = sigmoid(at(in[0], x + i) + at(gh, i)), z = sigmoid(at(in[0], x + h + i) + at(gh, h + i));
        const double n = std::tanh(at(in[0], x + 2 * h + i) + r * at(gh, 2 * h + i));
        state[static_cast<size_t>(i)] = (1 - z) * n + z * at(state, i);
        y[static_cast<size_t>((b * steps + t) * h + i)] = state[static_cast<size_t>(i)];
      }
    }
  }
  return y;
}

std::vector<SampleInput> direction_inputs(SampleSizes s, bool h0) {
  std::vector<SampleInput> in{SampleInput::reals({s.batch, s.steps, 3 * s.h}), SampleInput::reals({s.h, 3 * s.h}),
                              SampleInput::reals({3 * s.h})};
  if (h0) in.push_back(SampleInput::reals({s.batch, s.h}));
  return in;
}

OpSample sample(const char* label, SampleSizes s, bool reverse, bool h0 = true) {
  std::vector<SampleInput> inputs = direction_inputs(s, h0);
  inputs.push_back(SampleInput::ids({s.batch}, s.steps + 1));
  return {
      label, inputs,
      [=](std::span<const Tensor> in) { return gru(in[0], in[1], in[2], h0 ? in[3] : Tensor{}, in.back(), reverse); },
      [=](const std::vector<Values>& in) { return naive(std::span(in).first(in.size() - 1), in.back(), s, reverse); }};
}

OpSample bidirectional_sample(const char* label, SampleSizes s, bool h0_ahead, bool h0_back) {
  const size_t ahead = h0_ahead ? 4 : 3, back = h0_back ? 4 : 3;
  std::vector<SampleInput> inputs = direction_inputs(s, h0_ahead);
  for (const SampleInput& i : direction_inputs(s, h0_back)) inputs.push_back(i);
  inputs.push_back(SampleInput::ids({s.batch}, s.steps + 1));
  const auto direction = [](std::span<const Tensor> in) {
    return GruDirection{in[0], in[1], in[2], in.size() > 3 ? in[3] : Tensor{}};
  };
  return {label, inputs,
          [=](std::span<const Tensor> in) {
            return bidirectional_gru(direction(in.first(ahead)), direction(in.subspan(ahead, back)), in.back());
          },
          [=](const std::vector<Values>& in) {
            const std::span all(in);
            const Values a = naive(all.first(ahead), in.back(), s, false),
                         b = naive(all.subspan(ahead, back), in.back(), s, true);
            Values y;
            for (size_t i = 0; i < a.size(); i += static_cast<size_t>(s.h))
              for (const Values* side : {&a, &b})
                for (size_t j = i; j < i + static_cast<size_t>(s.h); ++j) y.push_back((*side)[j]);
            return y;
          }};
}

const bool registered =
    register_samples(
        "gru", {sample("forwards", {3, 4, 2}, false), sample("backwards", {3, 4, 2}, true),
                sample("from 0", {3, 4, 2}, false, false), sample("more sentences than a block", {37, 2, 3}, false)}) &&
    register_samples("bidirectional_gru",
                     {bidirectional_sample("from 0", {3, 4, 2}, false, false),
                      bidirectional_sample("from two states", {3, 3, 2}, true, true),
                      bidirectional_sample("from one state", {2, 3, 2}, false, true),
                      bidirectional_sample("more sentences than a block", {37, 2, 3}, false, false)});

}  // namespace
