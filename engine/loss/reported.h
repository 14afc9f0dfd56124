// The loss that is printed: of a step, of an interval of steps, of a data set.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/loss/reduction.h"

namespace seqgrad {

// The sums that the printed loss of optimiser steps follows from, so that it has one meaning however many steps an
// interval holds:
//   options.report                                    Σ numerators / Σ divisors of the report
//   a divisor that adds over batches                  Σ numerators / Σ divisors
//   another one, then: sum, normalizer.scope: micro   the mean of the steps' values; under scope micro each of them
//                                                     is the mean of its micro-batches' values, as it is
//                                                     differentiated
// Steps in which nothing counts are left out of all of them.
struct ReportedLoss {
  double numerator = 0, divisor = 0;
  double nll_sum = 0;  // over live rows, unsmoothed and unweighted
  int64_t live = 0;

  double value(const LossOptions& options) const;  // NaN where nothing counted
  double perplexity() const;                       // exp(nll_sum / live); NaN where nothing counted
  ReportedLoss& operator+=(const ReportedLoss& other);
};

// Of one step, from the sums of its micro-batches; those in which nothing counts are among them.
ReportedLoss report_step(std::span<const LossSum> micro_batches, const LossOptions& options);

// A data set as one batch, whatever normalizer.scope is: how it is cut into batches tells only where padding counts.
class CorpusLoss {
 public:
  explicit CorpusLoss(const LossOptions& options) : options_(options) {}
  // One batch: its sum, and the numerators of the entries of a vector loss.
  void add(const LiveRows& rows, const LossSum& sum, const std::vector<double>& numerators);
  double value() const;  // as peers print it (options.report); NaN where nothing counted
  const LossSum& sum() const { return sum_; }

 private:
  LossOptions options_;
  LossSum sum_;
  std::vector<double> numerators_;  // of each time step, with over: batch, whose entries reach over all batches
  std::vector<Counts> by_step_;     // likewise
};

std::string printed_unit(const LossOptions& options);  // unit_of, and " (sum)" for a sum
// "2.713/tok", and "nothing counted" for a value that is NaN.
std::string printed_loss(double value, const LossOptions& options, int digits = 3);

}  // namespace seqgrad
