// Our own loss with one fault, and what conform finds of it.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/conform/conform.h"
#include "tests/conform/own_loss.h"

namespace faulty {

using namespace seqgrad;

using Change = std::function<void(const LossBatch& batch, LossAnswer& answer)>;

inline Program program(const std::string& takes, const Metadata& more) {
  Metadata m{
      {"protocol", "1"}, {"name", "own"}, {"takes", takes}, {"gradients", "d_" + takes.substr(0, takes.find(' '))}};
  for (const auto& [key, value] : more) m[key] = value;
  return read_hello(m);
}

inline void times(LossAnswer& a, double value, double gradient) {
  for (double& x : a.value) x *= value;
  for (double& x : a.d_x) x *= gradient;
}

inline bool any_nan(const std::vector<double>& x) {
  return std::any_of(x.begin(), x.end(), [](double v) { return std::isnan(v); });
}

struct Run {
  std::vector<std::string> ids, broken, notes;
  ConformReport report;
};

inline Run run(const Change& fault, const std::string& means = "token_mean",
               const std::string& takes = "logits targets mask", const Metadata& more = {}, bool strict = false) {
  const LossMeaning meaning = meaning_of(means);
  LossOptions options = meaning.config->options();
  OwnLoss own(program(takes, more), options);
  own.fault = fault;
  ConformOptions o;
  o.meant = meaning;
  o.draw.seed = 5;
  o.strict = strict;
  Run out;
  out.report = conform(own, o);
  out.ids = out.report.finding_ids();
  for (const PropertyResult& p : out.report.properties) {
    if (p.verdict == Verdict::broken) out.broken.push_back(p.id);
    if (p.verdict == Verdict::note) out.notes.push_back(p.id);
  }
  return out;
}

using Words = std::vector<std::string>;

}  // namespace faulty
