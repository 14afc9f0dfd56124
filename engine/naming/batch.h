// A batch that a loss under test is given, and what it answers. Everything is b-major and in float64; whoever speaks
// with the loss keeps layouts and dtypes to himself.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/loss/live_rows.h"

namespace seqgrad {

enum class PredictionKind { logits, probs, log_probs, hidden, row_loss };
const char* name_of(PredictionKind kind);

struct LossBatch {
  PredictionKind kind = PredictionKind::logits;
  LossInputs inputs;                 // targets or dense, who counts, weights; of row_loss: V is 1 and targets are 0
  std::vector<double> x;             // logits, probs, log_probs [B,T,V]; hidden [B,T,D]; row_loss [B,T]
  std::vector<double> weight, bias;  // of hidden: [V,D], and [V] or none
  // The loss shifts by itself: x[:, :-1] goes with targets, mask and weights[:, 1:]. The last column of x and the first
  // one of the others are dead. Given `lengths` count all T columns, the first one included.
  bool shifts = false;
  std::vector<double> upstream;     // of each entry of the value, b-major; empty: ones
  std::optional<double> num_items;  // the divisor of all micro-batches, where this is one of several
  std::string reason;               // what it is for: "one token in all"

  int64_t width() const;  // of a row of x: V, D or 1
};

// What a loss answers, ours or another's. Gradients have the order of the batch's arrays; empty: not given.
struct LossAnswer {
  std::vector<double> value;  // 1, [B], [T] or [B,T] entries
  std::vector<double> d_x, d_weight, d_bias;
};

struct Observed {
  const LossBatch* batch = nullptr;
  LossAnswer answer;
  // [B,T]: what each position adds to the value, where a gradient tells; of those that fit, the hypotheses that agree
  // with it stay, if one does.
  std::vector<double> rows = {};
};

// The batch as the meaning sees it: a shift made, so that T is one less; else itself.
LossBatch shifted(const LossBatch& batch);

}  // namespace seqgrad
