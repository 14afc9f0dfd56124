// What `train` makes of a config before its first step; `config` makes the same, so that it refuses what `train`
// refuses.
#pragma once
#include <memory>
#include <string>

#include "models/run.h"

namespace seqgrad {

struct Prepared {
  ProcessSettings settings;
  Data data;
  std::unique_ptr<SequenceModel> model;
  std::string initialised;  // which weights came from a file, in words; "" for none
};

// Reads the config, with the files that it names, and everything that a new run begins with. InputError for all that a
// run cannot begin with, SystemError where its device is not to be had.
Prepared prepare(Config& config, const std::string& path, const std::vector<std::string>& overrides);

}  // namespace seqgrad
