// Which loss yields a number: every preset and every axis and divisor on a case, then what changes when something is
// done wrong (weights left out, a softmax too many, …), else the nearest misses.
#pragma once
#include "engine/check/compare.h"
#include "engine/check/run_case.h"

namespace seqgrad {

struct WhichMatch {
  std::vector<std::string> names;  // presets first, then the form: "{over: all, divide: weight}"
  std::string change;              // "with the token weights left out", or empty
  std::vector<double> value;       // one number, or a vector loss's entries
  double divisor = 0;              // of a scalar that one divisor makes; 0: none to be told
  std::string words;               // what the divisor counts
  LossOptions options;             // the loss that is, of the first name
  // Of so many names: "tfa.sequence_loss = tf1.losses.mean (divisor 4.5, sum of weights)".
  std::string text(size_t most = 100) const;
};

struct Which {
  std::vector<WhichMatch> matches;
  std::vector<std::pair<double, WhichMatch>> misses;  // (value / theirs, theirs), nearest first; only without a match
};

// `value` as it was asked for (one number, or the entries of a vector loss), matched to `tolerance`, relative.
Which which(const LossCase& c, const CaseInputs& in, const std::vector<double>& value, double tolerance);

// Lines for people: "2.7777778 = tfa.sequence_loss = … (divisor 4.5, sum of weights)".
std::vector<std::string> lines_of(const Which& which, const std::string& asked, size_t most_names = 100);

// Numbers as they were typed, "2.7778", "nan" or "1.8,4,0", and the relative tolerance that their digits allow.
struct Asked {
  std::vector<double> value;
  double tolerance;
};
Asked asked_value(const std::string& text, const char* option = "--which");

// For a case whose comparison failed: what yields its gold.value, or the value that its gradient implies.
std::vector<std::string> which_of_gold(const LossCase& c, const CaseRun& run,
                                       const std::vector<Comparison>& comparisons, bool verbose = false);

}  // namespace seqgrad
