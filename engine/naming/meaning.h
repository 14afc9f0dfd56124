// The loss that somebody means, by a preset's name or a `loss:` section, and what it answers to a batch.
#pragma once
#include <memory>

#include "engine/loss_config/config.h"
#include "engine/naming/batch.h"

namespace seqgrad {

// What a function has built in, whatever its name is.
struct RowLossFixed {
  double smoothing = 0, z_loss = 0;
  std::optional<double> softcap;
  std::optional<ProbsMode> probs_mode;  // what its gradients show, where the name does not say it
};

struct LossMeaning {
  std::string name;                          // as it was asked for: "trl.dr_grpo[k=10]"
  std::shared_ptr<const LossConfig> config;  // never null
  RowLossFixed fixed;
};

// "torch.mean"; with flags (those that are true) "tfa.sequence_loss[sum_over_timesteps+sum_over_batch]", "[no flag]";
// with a constant "NAME[k=10]"; else a YAML file with one `loss:` section. Throws InputError.
LossMeaning meaning_of(const std::string& text);

// Whether it says how probabilities are made a distribution, which decides their gradient: 1/p of the target's alone,
// or also what a division by their sum gives the others.
bool says_probs_mode(const LossMeaning& meaning);

// The options for a batch: its prediction, whether targets are dense and class weights there, and what is fixed.
LossOptions options_for(const LossMeaning& meaning, const LossBatch& batch);

struct MeantAnswer : LossAnswer {
  std::vector<double> row_loss, coefficient;  // [B,T]: ℓ with z-loss, and s·ω·upstream; 0 where a row is dead
  double divisor = 0;                         // of a scalar
};

// Value and gradients in float64, through the functions that training uses. Throws LossError for what the loss refuses.
MeantAnswer answer_of(const LossOptions& options, const LossBatch& batch);
MeantAnswer answer_of(const LossMeaning& meaning, const LossBatch& batch);

// The unit of sums: frameworks add up 16-bit numbers in float32.
inline double sum_roundoff(double u) { return u > 0x1p-20 ? 0x1p-24 : u; }

// How far arithmetic of unit roundoff u, and σ of sums, may be off: 8(u(1 + max|z|) + σ(√N + V))·Σ|s·ω·max(1,ℓ)| the
// value, 8(u(1 + max|z|) + σV)·max|s·ω| a cell of the gradient; of weight and bias that, times what one cell sums up.
// Never below `floor` times the size.
struct Tolerances {
  double value = 0, d_x = 0, d_weight = 0, d_bias = 0;
};
Tolerances tolerances_of(const MeantAnswer& meant, const LossBatch& batch, double u, double floor = 1e-12);

}  // namespace seqgrad
