// What a run directory holds beside checkpoints and logs: its config and vocabularies.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/run/process_settings.h"
#include "engine/train/loss_setup.h"

namespace seqgrad {

struct Vocabularies {
  std::shared_ptr<const Tokenizer> source, target;
};

// Those of a run directory. Refuses what is not a run directory, and a vocabulary that is not the one it was trained
// with (run.json), with the sizes and contents of both.
Vocabularies load_vocabularies(const std::string& directory);

// The config.resolved.yaml of a run. One without data.normalize learned from text as it stands.
void load_run_config(Config& config, const std::string& directory, const std::vector<std::string>& overrides = {});

// config.yaml, config.resolved.yaml, the vocabularies and, last, run.json: with it a run directory can be resumed.
void write_run_files(const std::string& directory, const Config& config, const std::string& config_path,
                     const Data& data, const LossSetup& loss, const ProcessSettings& settings);

}  // namespace seqgrad
