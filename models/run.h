// A run directory as later commands open it, and the process-wide settings that a config asks for.
#pragma once
#include <memory>
#include <string>

#include "engine/train/trainer.h"
#include "models/models.h"

namespace seqgrad {

// Sets the thread count and checks the device. Returns device and threads in words, with the reason where `auto` chose
// it.
std::string apply_process_settings(const Config& config);

struct Vocabularies {
  std::shared_ptr<const Tokenizer> source, target;
};

// Those of a run directory. Refuses what is not a run directory, and a vocabulary that is not the one it was trained
// with (run.json), with the sizes and contents of both.
Vocabularies load_vocabularies(const std::string& directory);

// "train 20,000 pairs, dev 1,000, test 2,000; vocabularies: 312 source, 290 target; unknown: …"
std::string describe_data(const Data& data);

struct LoadedRun {
  std::string directory, checkpoint;
  Config config;
  std::shared_ptr<const Tokenizer> source, target;
  std::unique_ptr<SequenceModel> model;
  std::string describe() const;  // the checkpoint, its size and the vocabularies
  DecodeOptions decode() const { return {config.decode.max_ratio(), config.decode.max_extra()}; }
};

// Opens RUN (a run directory) at its best checkpoint, or at `which` ("last", "step-000500").
std::unique_ptr<LoadedRun> open_run(const std::string& directory, const std::vector<std::string>& overrides,
                                    const std::string& which = "best");

// config.yaml, config.resolved.yaml, the vocabularies and, last, run.json: with it a run directory can be resumed.
void write_run_files(const std::string& directory, const Config& config, const std::string& config_path,
                     const Data& data, const std::string& device);

}  // namespace seqgrad
