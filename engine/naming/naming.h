// Which loss it is that answers like this: one search over all batches at once.
#pragma once
#include <functional>
#include <span>

#include "engine/naming/meaning.h"

namespace seqgrad {

// One of the reductions that agree on all batches, and what it makes of them.
struct NamedReduction {
  std::vector<std::string> names;  // presets first, then the form; what no loss section can say has its sentence
  std::string change;              // what is done beside it: "with the token weights left out"; or empty
  LossOptions options;             // the reduction
  bool is_form = true;             // a loss section can say it
  std::vector<std::vector<double>> values;  // of each observed batch
  std::vector<double> divisors;             // of each, where one divisor makes a scalar; else 0
  double added = 0;                         // to each divisor, in which it is counted
};

struct LossHypothesis {
  std::vector<std::string>
      ids;               // of findings.h, relative to the meaning where there is one; empty: it is what is meant
  std::string sentence;  // "Σ mℓ / (B·T), all cells, padding included", with what is done to it
  std::vector<std::string> names;                       // presets first, then the form
  double constant = 1;                                  // the answer is this times the loss
  std::optional<LossOptions> options;                   // of its reduction, where a loss section can say that
  std::function<LossAnswer(const LossBatch&)> predict;  // value; the gradient of that value where `d_x` can be told
  std::vector<NamedReduction> reductions;
};

struct Nearest {
  LossHypothesis hypothesis;
  double least = 0, most = 0;  // of the ratios answer/hypothesis over the batches
};

struct Naming {
  std::vector<LossHypothesis> fits;  // all that fit every batch, of the simplest kind that has one; presets first
  std::vector<Nearest> nearest;      // where nothing fits
  bool stopped = false;              // by the time
  double seconds = 0;
};

struct NamingOptions {
  std::optional<LossMeaning> meant = {};    // ids are what differs from it
  std::optional<LossOptions> section = {};  // what is told of the row loss, where nothing is meant
  RowLossFixed fixed = {};                  // what the function has built in
  double u = 0x1p-53;                       // unit roundoff of the program
  // Of an answer's largest entry, relative, instead of what u gives: digits that were typed, or those of a dtype.
  double answer_error = 0;
  bool by_gradient = false;  // the answers were made of `Observed::rows`, which have to be met then
  bool simple = false;       // many answers are looked at as few ones are: no number is solved for, one change at most
  bool one_change = false;   // the stages of two are left out, which take most of the time
  double seconds = 5;        // of the processor; then the search stops
  size_t nearest = 3;        // how many are told
};

// Of one or two answers to a loss that nobody has named, many hypotheses are right: then presets and forms come before
// an epsilon, that before one change of those that people make most; a factor that people write and other changes are
// tried where the answers have the digits to tell them apart. None of it has two changes.
Naming name_loss(std::span<const Observed> observed, const NamingOptions& options);

struct GradientFinding {
  std::string id, sentence;  // "gradient:scaled", "gradient times 0.5 in every row"
  size_t batch = 0;          // of `observed`, that shows it best
  int64_t cell = -1;         // of d_x
};

// What the gradients are, where the values are those of `value`: empty where they are its derivative.
std::vector<GradientFinding> gradient_findings(std::span<const Observed> observed, const LossHypothesis& value,
                                               const NamingOptions& options);

}  // namespace seqgrad
