// The whole run: batches, a name, properties, the smallest batch, and what all of it says.
#pragma once
#include <set>

#include "engine/conform/draw.h"
#include "engine/conform/trial.h"
#include "engine/naming/findings.h"

namespace seqgrad {

struct ConformOptions {
  std::optional<LossMeaning> meant;
  DrawOptions draw;
  std::set<std::string> only, skip;  // properties
  bool strict = false;               // notes count as broken
  bool keeps_answers = false;        // to every batch that shows a fault, for save_cases
  std::string repeat;                // options that repeat the run, for people
};

// The batch that shows a fault best, what the program answered to it and what it should have.
struct Smallest {
  std::string property;
  LossBatch batch;
  std::vector<double> got, want;  // values, or the number of the gradient that shows it
  LossAnswer answer;
  std::optional<MeantAnswer> meant;
};

struct ConformReport {
  Program program;
  FloatType dtype = FloatType::f64;
  std::string meant, repeat;                 // "" where nothing was meant
  std::optional<LossOptions> meant_options;  // with what the program has built in
  uint64_t seed = 0;
  int64_t most_examples = 0, most_steps = 0, most_classes = 0;  // of the batches whose values were compared
  size_t batches = 0, named_batches = 0;                        // all, and those that the name fits
  int64_t rounds = 0;
  double seconds = 0;
  AnswerSeconds answers;  // of these
  Naming naming;
  std::vector<PropertyResult> properties;
  std::optional<Smallest> smallest;
  std::string failure;  // what ended the run early: the program crashed, hung, closed its pipe
  int exit = 0;

  bool would_fit_shifted = false;  // answers are those that are meant where `shifts` of the hello is the other way
  std::vector<std::string> finding_ids() const;  // of all evidence and of the name, each once, in order
  std::vector<std::string> fault_ids() const;    // the same without those of notes
  size_t count(Verdict verdict) const;
};

// Throws InputError for options that fit no program of this kind. A program that fails on its way is in the report.
ConformReport conform(Subject& subject, const ConformOptions& options);

// Whether all answers are those of a program that shifts by itself though its hello does not say so, or the other way
// round.
bool would_fit_shifted(const Trial& trial);

// What to say in the hello, where that may be all that is wrong: the function shifts by itself, has smoothing built in.
std::vector<std::string> hints_of(const ConformReport& report);

// What mends it, in PyTorch: one loss for all findings, the meant one, or without a meaning the right loss of the
// reduction that was named; of the upstream's findings their own line. Empty where nothing of that can be told.
std::vector<std::string> mends_of(const ConformReport& report);
std::string mend_of(const ConformReport& report, const FindingInfo& finding);  // that one's

std::string report_text(const ConformReport& report, bool verbose);
std::string report_json(const ConformReport& report);
std::string report_junit(const ConformReport& report);
std::string report_page(const ConformReport& report);  // one HTML file, no network

// Case folders DIRECTORY/PROPERTY, each with the batch that shows it, what is meant, and the program's answer as gold,
// as far as they were kept. Returns their names.
std::vector<std::string> save_cases(const ConformReport& report, const std::optional<LossMeaning>& meant,
                                    const std::string& directory);

}  // namespace seqgrad
