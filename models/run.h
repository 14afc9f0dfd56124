// A run directory as later commands open it, and the process-wide settings that a config asks for.
#pragma once
#include <memory>
#include <string>

#include "engine/train/trainer.h"
#include "models/models.h"

namespace seqgrad {

struct ProcessSettings {
  Device device;
  std::string text;  // "cpu, 2 threads (no GPU: built without CUDA)", the reason where `auto` chose
};

// Sets the thread count and chooses the device. Throws SystemError when the GPU is asked for and cannot be used.
ProcessSettings apply_process_settings(const Config& config);

struct Vocabularies {
  std::shared_ptr<const Tokenizer> source, target;
};

// Those of a run directory. Refuses what is not a run directory, and a vocabulary that is not the one it was trained
// with (run.json), with the sizes and contents of both.
Vocabularies load_vocabularies(const std::string& directory);

// "data: train 20,000 pairs, dev 1,000, test 2,000; vocabularies: 312 source, 290 target; unknown tokens: …"
std::string describe_data(const Data& data);

// The config.resolved.yaml of a run. One without data.normalize learned from text as it stands.
void load_run_config(Config& config, const std::string& directory, const std::vector<std::string>& overrides = {});

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
// or of as many of them as checkpoint.average says.
std::unique_ptr<LoadedRun> open_run(const std::string& directory, const std::vector<std::string>& overrides,
                                    const std::string& checkpoint = "", std::optional<int64_t> average = {});

// config.yaml, config.resolved.yaml, the vocabularies and, last, run.json: with it a run directory can be resumed.
void write_run_files(const std::string& directory, const Config& config, const std::string& config_path,
                     const Data& data, const ProcessSettings& settings);

}  // namespace seqgrad
