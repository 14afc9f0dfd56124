// What a loss takes from the tape.
#include "engine/core/tape.h"
#include "engine/loss/sequence_loss.h"
#include "tests/support/catch.h"

using namespace seqgrad;

TEST_CASE("on a CPU the gradient of hidden states takes the place of the states in the tile") {
  constexpr int64_t rows = 40, width = 64, classes = 24;
  LossInputs in;
  in.batch = rows, in.steps = 1, in.classes = classes;
  in.targets.assign(rows, 3);
  const auto taken = [&](bool of_hidden) {  // bytes
    const TapeScope own;
    const std::vector<float> h(rows * width, 0.25f), w(classes * width, 0.5f);
    const Tensor states = from_host(h, {rows, 1, width}), weight = variable(from_host(w, {classes, width}));
    Tape::current().backward(
        linear_sequence_loss(of_hidden ? variable(states) : states, weight, Tensor{}, in, LossOptions{}).value);
    return static_cast<int64_t>(Tape::current().high_water());
  };
  // The gradient before and after the backward pass scales it, and no tile of it.
  constexpr int64_t gradients = 2 * rows * width * sizeof(float), nodes = 1024;
  CHECK(taken(true) >= taken(false) + gradients);
  CHECK(taken(true) <= taken(false) + gradients + nodes);
}
