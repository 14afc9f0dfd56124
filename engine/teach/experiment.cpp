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

const ExperimentKind& kind_of(const std::string& id) {
  std::vector<std::string> ids;
  for (const ExperimentKind& kind : registry()) {
    if (kind.id == id) return kind;
    ids.emplace_back(kind.id);
  }
  refuse("explain: unknown experiment '{}'; expected one of {}", shown(id), fmt::join(ids, ", "));
}

}  // namespace

bool register_experiment(ExperimentKind kind) {
  std::vector<ExperimentKind>& all = registry();
  const auto after = std::find_if(all.begin(), all.end(), [&](const auto& k) { return k.number > kind.number; });
  all.insert(after, std::move(kind));
  return true;
}

const std::vector<ExperimentKind>& experiment_kinds() { return registry(); }

std::vector<Experiment> run_experiments(const LessonBatch& s, const std::string& only) {
  std::vector<Experiment> out;
  if (!only.empty()) kind_of(only);
  if (s.row_loss) return out;  // they show what predicts
  for (const ExperimentKind& kind : experiment_kinds()) {
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
  return out;
}

std::string why_not(const LessonBatch& s, const std::string& id) {
  const ExperimentKind& kind = kind_of(id);
  if (s.row_loss) return "experiments need what predicts, and these are losses of positions";
  try {
    kind.run(s);
  } catch (const LossError& e) {
    return fmt::format("the loss refuses the batch or a variant of it: {}: {}", str(e.loss_code), e.what());
  }
  return kind.lacks;
}

}  // namespace seqgrad
