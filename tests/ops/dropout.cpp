// Samples of dropout, with results from the definition.
#include "engine/ops/dropout.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

const DropoutDraw sample_draw{7, 11, 0};
const DropoutSite sample_site{3};

OpSample sample(const char* label, Shape shape, bool variational) {
  OpSample s;
  s.label = label;
  s.inputs = {SampleInput::reals(shape)};
  s.call = [=](std::span<const Tensor> in) { return dropout(in[0], 0.3, sample_draw, sample_site, variational); };
  s.expected = [=](const std::vector<Values>& in) {
    Values y;
    const int64_t steps = shape.rank() == 3 ? shape[1] : 1, width = shape[-1];
    for (int64_t i = 0; i < shape.numel(); ++i) {
      const int64_t u = i % width, t = i / width % steps, b = i / width / steps;
      const double uniform =
          dropout_words(sample_draw, sample_site, b, variational ? 0 : t, u / 4)[static_cast<size_t>(u % 4)] * 0x1p-32;
      y.push_back(uniform < 0.3 ? 0 : in[0][static_cast<size_t>(i)] / 0.7);
    }
    return y;
  };
  return s;
}

const bool registered = register_samples(
    "dropout", {sample("element-wise", {3, 4, 6}, false), sample("variational", {3, 4, 6}, true),
                sample("[B,E]", {5, 7}, false), sample("wider than a vector of draws", {2, 2, 131}, false)});

}  // namespace
