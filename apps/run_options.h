// The options of commands that use a trained run.
#pragma once
#include "apps/command.h"
#include "engine/run/loaded_run.h"

namespace seqgrad {

struct RunOptions {
  CommonOptions common;
  std::string run, checkpoint;
  std::optional<int64_t> average, beam;
  std::optional<double> length_penalty;

  void declare(OptionSet app);
  // Tells on stderr when the weights are an average. Several processes open the run together.
  std::unique_ptr<LoadedRun> open(Processes& processes) const;
};

}  // namespace seqgrad
