// Which checkpoint, and the mean of which weights.
#include "engine/run/loaded_run.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "engine/io/directories.h"
#include "engine/run/record.h"
#include "engine/run/run_files.h"
#include "engine/run/setup.h"
#include "engine/run/start_together.h"
#include "engine/text/numbers.h"
#include "engine/train/checkpoint.h"

namespace seqgrad {

namespace fs = std::filesystem;

std::string LoadedRun::checkpoint() const {
  std::vector<std::string> names = averaged;
  std::error_code none;
  for (std::string& name : names)
    if (const fs::path to = fs::read_symlink(directory + "/checkpoints/" + name, none); !none)
      name += fmt::format(" ({})", to.filename().string());
  return fmt::format("{}", fmt::join(names, " + "));
}

std::string LoadedRun::describe() const {
  return fmt::format("checkpoint: {}, {} parameters; vocabularies: {} source, {} target", fmt::join(averaged, " + "),
                     with_commas(model->store().count()), source->size(), target->size());
}

// Those that hold weights, by name.
static std::vector<std::string> checkpoints_of(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const std::string& name : list_directory(directory + "/checkpoints"))
    if (fs::exists(directory + "/checkpoints/" + name + "/model.safetensors", ignored)) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

static void require_checkpoint(const std::string& directory, const std::string& name) {
  const std::vector<std::string> names = checkpoints_of(directory);
  if (std::count(names.begin(), names.end(), name)) return;
  if (names.empty())
    refuse("{}: error: the run has no checkpoint yet; the first comes with a validation or when training is stopped",
           shown_path(directory));
  const bool last = name == "best" && std::count(names.begin(), names.end(), "last");
  refuse("{}: error: the run has no checkpoint '{}' yet; it has {}{}", shown_path(directory), shown(name),
         fmt::join(names, ", "), last ? ": add --checkpoint last" : "");
}

// What people give instead of a run directory.
static void require_no_config(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || !run_around(path).empty()) return;
  const std::string extension = fs::path(path).extension();
  if (extension == ".yaml" || extension == ".yml")
    refuse(
        "{0}: error: is a config file, not a run directory; train it first (seqgrad train {0}), and give the run "
        "that this makes",
        shown_path(path));
}

std::vector<std::string> load_best(const std::string& directory, int64_t count, bool strict, SequenceModel& model) {
  const std::string checkpoints = directory + "/checkpoints";
  if (count == 1) {
    require_checkpoint(directory, "best");
    load_weights(checkpoints + "/best", model);
    return {"best"};
  }
  const std::string last = last_checkpoint(checkpoints);
  std::vector<std::string> names, paths;
  if (!last.empty())
    for (const auto& [metric, step] : load_state(last).kept)
      if (names.size() < static_cast<size_t>(count)) names.push_back(checkpoint_name(step));
  if (names.empty()) refuse("{}: error: the run has no checkpoint 'best' yet", shown_path(directory));
  if (strict && names.size() < static_cast<size_t>(count))
    refuse("{}: error: {} of the best checkpoints {} kept, not {} (checkpoint.keep_best)", shown_path(directory),
           names.size(), names.size() == 1 ? "is" : "are", count);
  for (const std::string& name : names) {
    require_checkpoint(directory, name);
    paths.push_back(checkpoints + "/" + name);
  }
  load_average(paths, model);
  return names;
}

std::unique_ptr<LoadedRun> open_run(const std::string& directory, const std::vector<std::string>& overrides,
                                    const std::string& checkpoint, std::optional<int64_t> average,
                                    Processes& processes) {
  require_no_config(directory);
  require_run_directory(directory);
  require_checkpoint(directory, checkpoint.empty() ? "best" : checkpoint);
  auto run = std::make_unique<LoadedRun>();
  run->directory = directory;
  load_run_config(run->config, directory, overrides);
  const Device device = apply_process_settings(run->config, processes).device;
  const Vocabularies vocabularies = load_vocabularies(directory);
  run->source = vocabularies.source;
  run->target = vocabularies.target;
  run->model = make_model(run->config, {run->source->size(), run->target->size()}, device);
  if (checkpoint.empty()) {
    run->averaged =
        load_best(directory, average.value_or(run->config.checkpoint.average()), average.has_value(), *run->model);
  } else {
    load_weights(directory + "/checkpoints/" + checkpoint, *run->model);
    run->averaged = {checkpoint};
  }
  if (processes.count() > 1) {
    RunValues values = decisive(run->config, device, processes);
    values.emplace_back("source vocabulary", run->source->fingerprint());
    values.emplace_back("target vocabulary", run->target->fingerprint());
    values.emplace_back("parameters", fmt::format("{:016x}", run->model->store().digest()));
    require_same(processes, values);
  }
  return run;
}

}  // namespace seqgrad
