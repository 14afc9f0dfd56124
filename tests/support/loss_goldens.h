// What the tests of published values share: presets by name, the same numbers through a projection.
#pragma once
#include "engine/loss/presets.h"
#include "tests/support/loss_helpers.h"

namespace seqgrad::testing {

inline void as(Numbers& n, const char* name, int flags = -1, Given given = Given::anything) {
  const LossOptions before = n.options;
  n.options = options_of(preset(name, flags, given));
  n.options.ignore_index = before.ignore_index;
}
inline std::vector<double> value_as(Numbers n, const char* name, int flags = -1, Given given = Given::anything) {
  as(n, name, flags, given);
  return n.run().value;
}
inline LossOptions none() {
  LossOptions o;
  o.over = Over::none;
  o.divide.flat = "one";
  return o;
}

// The same numbers through the fused projection: hidden states are the logits, the weight is the identity.
inline Numbers::Out through_projection(const Numbers& n) {
  Tape& tape = Tape::current();
  tape.reset();
  const int64_t v = n.in.classes;
  std::vector<double> eye(static_cast<size_t>(v * v), 0);
  for (int64_t i = 0; i < v; ++i) eye[static_cast<size_t>(i * v + i)] = 1;
  const Tensor h = variable(from_host(n.x, {n.in.batch, n.in.steps, v}));
  Numbers::Out out;
  out.result = linear_sequence_loss(h, from_host(eye, {v, v}), {}, n.in, n.options);
  out.value = out.result.values;
  tape.backward(out.result.value, from_host(std::vector<double>(out.value.size(), 1.0), out.result.value.shape));
  out.gradient = to_host<double>(grad(h));
  return out;
}

}  // namespace seqgrad::testing
