// Samples of embedding, with results from the definition.
#include "engine/ops/embedding.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

OpSample sample(const char* label, Shape ids, int64_t rows, int64_t width) {
  OpSample s;
  s.label = label;
  s.inputs = {SampleInput::ids(ids, rows), SampleInput::reals({rows, width})};
  s.call = [](std::span<const Tensor> in) { return embedding(in[0], in[1]); };
  s.expected = [width](const std::vector<Values>& in) {
    Values y;
    for (const double id : in[0])
      for (int64_t c = 0; c < width; ++c) y.push_back(in[1][static_cast<size_t>(static_cast<int64_t>(id) * width + c)]);
    return y;
  };
  return s;
}

const bool registered = register_samples(
    "embedding", {sample("[2,7]", {2, 7}, 5, 3), sample("no ids", {0}, 5, 3), sample("wide", {9}, 4, 70)});

}  // namespace
