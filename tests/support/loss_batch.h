// A sound batch in which a test makes faults.
#pragma once
#include "tests/support/loss_helpers.h"

namespace seqgrad::testing {

// B=4, T=7, V=50, in either form.
struct Batch {
  LossInputs in;
  LossOptions options;
  Shape shape{4, 7};                                            // of the prediction, less its last dimension
  std::vector<double> x = std::vector<double>(4 * 9 * 50, .5);  // logits, or hidden states with D=50
  Batch() {
    in.batch = 4, in.steps = 7, in.classes = 50;
    in.targets.assign(28, 1);
    in.lengths = {7, 7, 7, 7};
  }

  std::string said(bool hidden = false) const {
    return message_of([&] {
      Tape::current().reset();
      std::vector<double> eye(50 * 50, 0);
      for (size_t i = 0; i < 50; ++i) eye[51 * i] = 1;
      const Shape full{shape[0], shape[1], 50};
      const Tensor z = variable(from_host(std::vector<double>(x.begin(), x.begin() + full.numel()), full));
      if (hidden)
        linear_sequence_loss(z, from_host(eye, {50, 50}), {}, in, options);
      else
        sequence_loss(z, in, options);
    });
  }
};

// One batch with one fault.
inline std::string with(const std::function<void(Batch&)>& fault, bool hidden = false) {
  Batch b;
  fault(b);
  return b.said(hidden);
}

}  // namespace seqgrad::testing
