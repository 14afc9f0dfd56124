// One small batch as a loss sees it, in float64 and b-major, and what the engine makes of it: what `explain` shows.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/check/run_case.h"

namespace seqgrad {

struct LessonBatch {
  LossInputs inputs;
  LossOptions options;
  std::vector<double> x;         // [B,T,V] logits, or probabilities (options.input); [B,T] losses of positions
  std::vector<double> upstream;  // of each entry of the result; empty: ones
  bool row_loss = false;         // x are losses of positions, which are reduced only: V is 1, and no target counts

  size_t cells() const { return static_cast<size_t>(inputs.batch * inputs.steps); }
};

// Hidden states become logits; layouts become b-major. Throws LossError as inputs_of does.
LessonBatch lesson_batch_of(const LossCase& c);

// The same batch with probabilities for logits, as a model that ends in a softmax hands them over.
LessonBatch with_probabilities(const LessonBatch& s);

// What the engine gives, forward and backward; vectors are [B,T] cells (dead ones 0) where nothing else is said.
struct Outcome {
  LiveRows rows;
  std::vector<double> values;                // scalar, [B], [T] or [B,T]
  std::vector<double> numerators, divisors;  // of each entry, before `then` folds them
  std::vector<int64_t> entry;                // of each cell: which entry of the result it belongs to
  std::vector<uint8_t> live;
  std::vector<double> weight;       // ω
  std::vector<double> row_loss;     // ℓ with z-loss
  std::vector<double> coefficient;  // s·ω·upstream, what the row's own gradient is multiplied by
  std::vector<double> gradient;     // of x
  LossSum sum;
  std::vector<LossWarning> warnings;

  double value() const { return values.at(0); }
};

// Throws LossError for what the loss refuses.
Outcome evaluate(const LessonBatch& s);

// One cell as if it alone counted, with weight 1: what masks and weights act on.
struct CellAlone {
  double loss = 0;               // ℓ with z-loss
  double nll = 0;                // −log p(target), unsmoothed and without class weights
  bool correct = false;          // the first maximum is the target
  std::vector<double> gradient;  // [V] of ℓ
  double logit_norm = 0;         // |gradient| with respect to logits, whatever form the prediction has; 1 of a loss
};
// None where the loss refuses it, and then `why` in its words: NaN logits or an id outside the vocabulary in the
// padding.
std::optional<CellAlone> cell_alone(const LessonBatch& s, int64_t b, int64_t t, std::string* why = nullptr);

// |gradient| of the whole batch with respect to logits, whatever form the prediction has.
double gradient_norm(const LessonBatch& s, const Outcome& o);

}  // namespace seqgrad
