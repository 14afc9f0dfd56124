// Samples of sum and mean, with results from the definition.
#include "engine/ops/reduce.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

OpSample sample(const char* label, Shape shape, Tensor (*op)(const Tensor&), bool divide) {
  return {label,
          {SampleInput::reals(shape)},
          [op](std::span<const Tensor> in) { return op(in[0]); },
          [divide](const std::vector<Values>& in) {
            double total = 0;
            for (const double x : in[0]) total += x;
            return Values{divide ? total / static_cast<double>(in[0].size()) : total};
          }};
}

const bool registered =
    register_samples("sum", {sample("[3,4]", {3, 4}, sum, false), sample("nothing", {0}, sum, false)}) &&
    register_samples("mean", {sample("[3,4]", {3, 4}, mean, true)});

}  // namespace
