// Samples of argmax, with results from the definition.
#include "engine/ops/argmax.h"

#include "engine/ops/embedding.h"
#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

// As a choice of rows of a table, since samples have results that are reals.
OpSample sample(const char* label, int64_t rows, int64_t classes, int64_t first) {
  return {label,
          {SampleInput::constants({rows, classes}), SampleInput::reals({classes, 2})},
          [=](std::span<const Tensor> in) { return embedding(argmax(in[0], first), in[1]); },
          [=](const std::vector<Values>& in) {
            Values y;
            for (int64_t n = 0; n < rows; ++n) {
              int64_t best = classes - 1;
              for (int64_t v = classes - 1; v >= first; --v)
                if (in[0][static_cast<size_t>(n * classes + v)] >= in[0][static_cast<size_t>(n * classes + best)])
                  best = v;
              for (int64_t c = 0; c < 2; ++c) y.push_back(in[1][static_cast<size_t>(best * 2 + c)]);
            }
            return y;
          }};
}

const bool registered =
    register_samples("argmax", {sample("few classes", 5, 3, 0), sample("many, from the third on", 2, 700, 2)});

}  // namespace
