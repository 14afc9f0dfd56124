// The registry of experiments.
#include "engine/teach/experiment.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace seqgrad {
namespace {

std::vector<ExperimentKind>& registry() {
  static std::vector<ExperimentKind> all;
  return all;
}

}  // namespace

bool register_experiment(ExperimentKind kind) {
  std::vector<ExperimentKind>& all = registry();
  const auto after = std::find_if(all.begin(), all.end(), [&](const auto& k) { return k.number > kind.number; });
  all.insert(after, std::move(kind));
  return true;
}

const std::vector<ExperimentKind>& experiment_kinds() { return registry(); }

std::vector<Experiment> run_experiments(const Specimen& s, const std::string& only) {
  std::vector<Experiment> out;
  std::vector<std::string> ids;
  for (const ExperimentKind& kind : experiment_kinds()) {
    ids.emplace_back(kind.id);
    if (!only.empty() && only != kind.id) continue;
    std::optional<Experiment> e;
    try {
      e = kind.run(s);
    } catch (const LossError&) {  // the batch has something that the experiment's variant refuses
    }
    if (!e) continue;
    e->number = kind.number;
    e->id = kind.id;
    e->title = kind.title;
    out.push_back(std::move(*e));
  }
  if (!only.empty() && std::find(ids.begin(), ids.end(), only) == ids.end())
    refuse("explain: unknown experiment '{}'; expected one of {}", shown(only), fmt::join(ids, ", "));
  return out;
}

}  // namespace seqgrad
