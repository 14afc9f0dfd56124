// A trained run as later commands open it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/comm/processes.h"
#include "engine/train/config.h"

namespace seqgrad {

struct LoadedRun {
  std::string directory;
  std::vector<std::string> averaged;  // names of the checkpoints whose weights the model has the mean of
  Config config;
  std::shared_ptr<const Tokenizer> source, target;
  std::unique_ptr<SequenceModel> model;
  std::string checkpoint() const;  // "best (step-000500)", "step-000500 + step-000400"
  std::string describe() const;    // the checkpoint, its size and the vocabularies
};

// Loads the mean of the `count` best checkpoints of a run directory ("best" itself for 1) and returns their names.
// Fewer do where the run has kept fewer, unless `strict`: then that is refused.
std::vector<std::string> load_best(const std::string& directory, int64_t count, bool strict, SequenceModel& model);

// Opens RUN (a run directory) at a checkpoint ("last", "step-000500"); without one at the mean of the `average` best,
// or of as many of them as checkpoint.average says. Several processes open it together, and are refused where what they
// read differs.
std::unique_ptr<LoadedRun> open_run(const std::string& directory, const std::vector<std::string>& overrides,
                                    const std::string& checkpoint = "", std::optional<int64_t> average = {},
                                    Processes& processes = alone());

}  // namespace seqgrad
