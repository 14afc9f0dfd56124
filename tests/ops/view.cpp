// Samples of the ops of view.h, with results from the definition.
#include "engine/ops/view.h"

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

Values gathered(const Values& x, const std::vector<int64_t>& at) {
  Values y;
  for (const int64_t i : at) y.push_back(x[static_cast<size_t>(i)]);
  return y;
}

const bool registered =
    register_samples("reshape", {{"[2,6] to [3,4]",
                                  {SampleInput::reals({2, 6})},
                                  [](std::span<const Tensor> in) {
                                    return reshape(in[0], {3, 4});
                                  },
                                  [](const std::vector<Values>& in) { return in[0]; }}}) &&
    register_samples("concat", {{"[2,2]+[2,1]",
                                 {SampleInput::reals({2, 2}), SampleInput::reals({2, 1})},
                                 [](std::span<const Tensor> in) { return concat(in[0], in[1]); },
                                 [](const std::vector<Values>& in) {
                                   return Values{in[0][0], in[0][1], in[1][0], in[0][2], in[0][3], in[1][1]};
                                 }}}) &&
    register_samples("slice", {{"[2,4] 1..3",
                                {SampleInput::reals({2, 4})},
                                [](std::span<const Tensor> in) { return slice(in[0], 1, 3); },
                                [](const std::vector<Values>& in) {
                                  return gathered(in[0], {1, 2, 5, 6});
                                }}}) &&
    register_samples("time_step", {{"[2,3,2] at 1",
                                    {SampleInput::reals({2, 3, 2})},
                                    [](std::span<const Tensor> in) { return time_step(in[0], 1); },
                                    [](const std::vector<Values>& in) {
                                      return gathered(in[0], {2, 3, 8, 9});
                                    }}}) &&
    register_samples("stack_steps", {{"2 of [2,2]",
                                      {SampleInput::reals({2, 2}), SampleInput::reals({2, 2})},
                                      [](std::span<const Tensor> in) {
                                        return stack_steps({in[0], in[1]});
                                      },
                                      [](const std::vector<Values>& in) {
                                        return Values{in[0][0], in[0][1], in[1][0], in[1][1],
                                                      in[0][2], in[0][3], in[1][2], in[1][3]};
                                      }}});

}  // namespace
