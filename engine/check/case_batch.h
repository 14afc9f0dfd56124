// A case as a batch that the search for a loss's name takes.
#pragma once
#include "engine/check/compare.h"
#include "engine/check/run_case.h"
#include "engine/naming/naming.h"

namespace seqgrad {

LossBatch batch_of(const LossCase& c, const CaseInputs& in);

// How far a number may be off, relative, that the case's framework computed; 0 for float64.
double digits_of_arithmetic(const LossCase& c);
// How far the case's own loss is from a value (b-major), relative to its largest entry, where check lets that pass;
// else 0.
double passing_distance(const LossCase& c, const std::vector<double>& value);

// The numbers of a case that have to be explained.
struct CaseAnswer {
  LossBatch batch;
  LossOptions options;        // of the case's own section
  std::vector<double> value;  // b-major
  std::vector<double> rows;   // what each position adds to it, where a gradient tells; else empty
  bool by_gradient = false;   // there is no value but what the gradient belongs to
  double error = 0;           // relative: what the arithmetic that recorded it may be off
  double factor = 0;          // of value and gradients to those of the case's own loss, where it is one; else 0
  std::string text;           // "2.15161"; "a loss of 0.5, whose gradient this is,"
  std::string provenance;     // in small letters
};

// Of a case whose comparison failed: its gold.value, or the value that its gradient implies; none where the value is
// right, or a gradient tells of no value.
std::optional<CaseAnswer> answer_to_explain(const LossCase& c, const CaseRun& run,
                                            const std::vector<Comparison>& comparisons);

// One search over all of them. Their options have to be the same in what makes a row loss: `can_be_one_loss`. `simple`
// as in NamingOptions.
Naming name_answers(std::span<const CaseAnswer> answers, bool simple);
bool can_be_one_loss(const CaseAnswer& a, const CaseAnswer& b);

// Which loss gives every case's gold.value. Throws InputError where a case has no gold.value, or another prediction
// than the first.
Naming name_cases(const std::vector<LossCase>& cases);
// Lines for people as `loss --which gold` prints them.
std::vector<std::string> lines_of(const Naming& naming, size_t cases, size_t most_names);

}  // namespace seqgrad
