// Which loss a case's numbers are, for people: what engine/naming finds, as names with what they divide by.
#pragma once
#include "engine/check/asked.h"
#include "engine/check/case_batch.h"

namespace seqgrad {

struct WhichMatch {
  std::vector<std::string> names;  // presets first, then the form: "{over: all, divide: weight}"
  std::string change;              // "with the token weights left out", or empty
  std::vector<double> value;       // one number, or a vector loss's entries
  double divisor = 0;              // of a scalar that one divisor makes; 0: none to be told
  std::string words;               // what the divisor counts; empty where a number is added to that
  LossOptions options;             // the loss that is, of the first name
  bool is_form = true;             // options say it
  // Of so many names: "tfa.sequence_loss = tf1.losses.mean (divisor 4.5, sum of weights)".
  std::string text(size_t most = 100) const;
};

struct Which {
  std::vector<WhichMatch> matches;
  std::vector<std::pair<double, WhichMatch>> misses;  // (value / theirs, theirs), nearest first; only without a match
};

// `value` as it was asked for (one number, or the entries of a vector loss), matched to `tolerance`, relative, or to
// what the case's arithmetic may be off.
Which which(const LossCase& c, const CaseInputs& in, const std::vector<double>& value, double tolerance);

// Lines for people: "2.7777778 = tfa.sequence_loss = … (divisor 4.5, sum of weights)".
std::vector<std::string> lines_of(const Which& which, const std::string& asked, size_t most_names = 100);

// For cases that failed, what yields their values: one loss for all of them where there is one, else each one's own.
// The lines of each.
std::vector<std::vector<std::string>> explain_answers(std::span<const CaseAnswer> answers, bool verbose);

}  // namespace seqgrad
