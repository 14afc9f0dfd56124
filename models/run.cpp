// Everything that reads or writes a run directory besides checkpoints and logs.
#include "models/run.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/config/describe.h"
#include "engine/core/thread_pool.h"
#include "engine/data/data_notes.h"
#include "engine/device/choose.h"
#include "engine/device/gemm.h"
#include "engine/device/step_graph.h"
#include "engine/io/directories.h"
#include "engine/io/files.h"
#include "engine/io/output.h"
#include "engine/loss/loss_tile.h"
#include "engine/run/record.h"
#include "engine/text/numbers.h"

namespace seqgrad {

namespace fs = std::filesystem;

namespace {

MatmulPrecision precision_of(const std::string& name, const DeviceChoice& choice) {
  if (name == "tf32" && choice.device != Device::cuda)
    refuse("precision: tf32 is made by the tensor cores of a GPU, and this run is on the CPU{}; write fp32",
           choice.why_not_gpu.empty() ? "" : fmt::format(" ({})", choice.why_not_gpu));
  return name == "tf32" ? MatmulPrecision::tf32 : name == "bf16" ? MatmulPrecision::bf16 : MatmulPrecision::fp32;
}

// Threads that a step has work for, by the multiplications of one time step of its decoder: with fewer than these for
// each, two threads were as often slower than one as faster (`bench step` with --axis, 2 cores).
int64_t threads_worth_having(const Config& c) {
  constexpr int64_t worth_a_thread = 750'000;
  const auto& batch = c.train.batch;
  const int64_t sentences = batch.by() == "sentences" ? batch.size() : std::max<int64_t>(1, batch.size() / 16),
                decoder = c.model.decoder.hidden();
  return std::max<int64_t>(1, sentences * 3 * decoder * (c.model.embedding() + decoder) / worth_a_thread);
}

}  // namespace

ProcessSettings apply_process_settings(const Config& config) {
  const DeviceChoice choice = choose_device(config.device());
  set_matmul_precision(precision_of(config.precision(), choice), choice.device);
  set_step_graphs(config.graphs());
  set_loss_tile_mib(config.logits_mib());
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  set_threads(
      static_cast<int>(config.threads().value_or(std::min({cores, int64_t{16}, threads_worth_having(config)}))));
  if (choice.device == Device::cuda) return {Device::cuda, fmt::format("cuda, {}", backend(Device::cuda).describe())};
  return {Device::cpu, fmt::format("cpu, {}{}", counted(threads(), "thread"),
                                   choice.why_not_gpu.empty() ? "" : fmt::format(" (no GPU: {})", choice.why_not_gpu))};
}

Vocabularies load_vocabularies(const std::string& directory) {
  const std::string path = directory + "/run.json";
  const auto info = nlohmann::json::parse(read_file(path, size_t{1} << 20), nullptr, false);
  const auto load = [&](const std::string& side) {
    auto tokenizer = load_tokenizer(directory + "/" + side + ".vocab");
    const auto wanted = info.is_object() ? info.find(side + "_vocabulary") : info.end();
    if (wanted == info.end() || !wanted->is_object() || !wanted->value("size", nlohmann::json()).is_number_integer() ||
        !wanted->value("fingerprint", nlohmann::json()).is_string())
      refuse("{}: error: does not describe the {} vocabulary of a run", shown_path(path), side);
    const auto size = wanted->at("size").get<int64_t>();
    const auto fingerprint = wanted->at("fingerprint").get<std::string>();
    if (tokenizer->size() != size || tokenizer->fingerprint() != fingerprint)
      refuse("{}: error: {} entries, content {}; the run was trained with {}, content {}",
             shown_path(directory + "/" + side + ".vocab"), tokenizer->size(), tokenizer->fingerprint(), size,
             shown(fingerprint));
    return tokenizer;
  };
  return {load("source"), load("target")};
}

std::string describe_data(const Data& data) {
  std::string text = fmt::format("data: train {} pair{}, dev {}", with_commas(data.train.size()),
                                 data.train.size() == 1 ? "" : "s", with_commas(data.dev.size()));
  if (data.test.size() > 0) text += fmt::format(", test {}", with_commas(data.test.size()));
  for (const auto& [name, corpus] : data.reported) text += fmt::format(", {} {}", name, with_commas(corpus.size()));
  return text + fmt::format("; vocabularies: {} source, {} target; {}", with_commas(data.source->size()),
                            with_commas(data.target->size()), describe_unknown(data));
}

void load_run_config(Config& config, const std::string& directory, const std::vector<std::string>& overrides) {
  load(config, directory + "/config.resolved.yaml", overrides);
  if (!config.data.normalize.is_set()) config.data.normalize.set("none");
}

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
    refuse("{}: error: {} of the best checkpoints are kept, not {} (checkpoint.keep_best)", shown_path(directory),
           names.size(), count);
  for (const std::string& name : names) {
    require_checkpoint(directory, name);
    paths.push_back(checkpoints + "/" + name);
  }
  load_average(paths, model);
  return names;
}

std::unique_ptr<LoadedRun> open_run(const std::string& directory, const std::vector<std::string>& overrides,
                                    const std::string& checkpoint, std::optional<int64_t> average) {
  require_no_config(directory);
  require_run_directory(directory);
  require_checkpoint(directory, checkpoint.empty() ? "best" : checkpoint);
  auto run = std::make_unique<LoadedRun>();
  run->directory = directory;
  load_run_config(run->config, directory, overrides);
  const Device device = apply_process_settings(run->config).device;
  const Vocabularies vocabularies = load_vocabularies(directory);
  run->source = vocabularies.source;
  run->target = vocabularies.target;
  run->model = make_model(run->config, run->source->size(), run->target->size(), device);
  if (checkpoint.empty()) {
    run->averaged =
        load_best(directory, average.value_or(run->config.checkpoint.average()), average.has_value(), *run->model);
  } else {
    load_weights(directory + "/checkpoints/" + checkpoint, *run->model);
    run->averaged = {checkpoint};
  }
  return run;
}

// The config as `data`, loaded by it, has it written out.
static std::string written_out(const Config& config, const Data& data) {
  Config full;
  load(full, parse_yaml(resolved_yaml(config, false), "config.resolved.yaml"));
  write_out(full.data, data);
  return resolved_yaml(full, false);
}

void write_run_files(const std::string& directory, const Config& config, const std::string& config_path,
                     const Data& data, const ProcessSettings& settings) {
  write_output(directory + "/config.yaml", config_path.empty() ? "" : read_file(config_path, size_t{1} << 20));
  write_output(directory + "/config.resolved.yaml", written_out(config, data));
  write_output(directory + "/source.vocab", data.source->serialized());
  write_output(directory + "/target.vocab", data.target->serialized());
  write_output(directory + "/run.json", new_record(data, settings.device, settings.text));
}

}  // namespace seqgrad
