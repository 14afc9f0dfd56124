// Samples of last_states, with results from the definition.
#include "engine/ops/last_states.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

OpSample sample(const char* label, int64_t directions) {
  constexpr int64_t batch = 5, steps = 3, h = 2;
  const int64_t width = directions * h;
  return {label,
          {SampleInput::reals({batch, steps, width}), SampleInput::ids({batch}, steps + 1)},
          [=](std::span<const Tensor> in) { return last_states(in[0], in[1], directions); },
          [=](const std::vector<Values>& in) {
            Values y;
            for (int64_t b = 0; b < batch; ++b)
              for (int64_t c = 0; c < width; ++c) {
                const auto length = static_cast<int64_t>(in[1][static_cast<size_t>(b)]);
                const int64_t t = c < h ? length - 1 : 0;
                y.push_back(length == 0 ? 0 : in[0][static_cast<size_t>((b * steps + t) * width + c)]);
              }
            return y;
          }};
}

const bool registered = register_samples("last_states", {sample("one direction", 1), sample("two directions", 2)});

}  // namespace
