// What a loss is of.
#pragma once
#include <vector>

#include "engine/core/tape.h"
#include "engine/loss/options.h"

namespace seqgrad {

enum class Layout { batch, time, list };  // [B,T,V], [T,B,V], or T arrays [B,V]

struct Prediction {
  Tensor x;                       // logits or probabilities in their layout, or hidden states [B,T,D] or [B·T,D]
  Tensor weight = {}, bias = {};  // of hidden states: [V,D], and [V] or none
  bool is_hidden = false;
  Layout layout = Layout::batch;

  const char* loss_name() const { return is_hidden ? "linear_sequence_loss" : "sequence_loss"; }
};

// Where row b·T + t is among the rows of a prediction.
inline int64_t place_of(int64_t row, int64_t batch, int64_t steps, Layout layout) {
  return layout == Layout::time ? row % steps * batch + row / steps : row;
}

// Throws E01, or E17 for hidden states, weight and bias that do not fit each other.
void check_shapes(const Prediction& prediction, int64_t batch, int64_t steps, int64_t classes, Input input);

// One prediction [B,V] for each step. Throws E17 where there is none, E03 for their number, E01.
void check_steps(const std::vector<Tensor>& predictions, int64_t batch, int64_t steps, int64_t classes, Input input);

}  // namespace seqgrad
