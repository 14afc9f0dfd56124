// Everything that reads or writes a run directory besides checkpoints and logs.
#include "models/run.h"

#include <sys/sysinfo.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/config/describe.h"
#include "engine/core/thread_pool.h"
#include "engine/io/atomic_write.h"

namespace seqgrad {

namespace fs = std::filesystem;

std::string apply_process_settings(const Config& config) {
  if (config.device() == "cuda") system_failure("device cuda: this build has no CUDA support; use --device cpu");
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  set_threads(static_cast<int>(config.threads().value_or(std::min<int64_t>(cores, 16))));
  return fmt::format("cpu, {} thread{}{}", threads(), threads() == 1 ? "" : "s",
                     config.device() == "cpu" ? "" : " (no GPU: built without CUDA)");
}

void check_memory(const Config& config, int64_t source_words, int64_t target_words) {
  const auto n = [](int64_t x) { return static_cast<double>(x); };
  const ModelConfig& m = config.model;
  const double e = n(m.embedding()), h = n(m.encoder.hidden()), d = n(m.decoder.hidden()),
               c = h * (m.encoder.bidirectional() ? 2 : 1);
  const double size = config.precision() == "fp64" ? 8 : 4;
  double parameters = e * n(source_words + target_words) + d * n(target_words) + 3 * h * (e + h) * (c / h) +
                      3 * d * (e + c + d) + 3 * d * c;
  parameters += n(m.encoder.layers() - 1) * 3 * h * (c + h) * (c / h) + n(m.decoder.layers() - 1) * 3 * d * 2 * d;
  struct sysinfo info {};
  sysinfo(&info);
  const double have = n(static_cast<int64_t>(info.totalram)) * info.mem_unit,
               need = 4 * size * parameters;  // value, gradient, two moments
  if (need > have)
    refuse(
        "the model needs about {:.0f} MB for {:.0f} parameters; this machine has {:.0f} MB (make model.* or "
        "data.vocabulary.size smaller)",
        need / 1e6, parameters, have / 1e6);
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

std::unique_ptr<LoadedRun> open_run(const std::string& directory, const std::vector<std::string>& overrides,
                                    const std::string& which) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) refuse("{}: error: no such run directory", shown_path(directory));
  const std::string checkpoint = directory + "/checkpoints/" + which;
  if (!fs::exists(checkpoint + "/model.safetensors", ignored))
    refuse("{}: error: the run has no checkpoint '{}' yet", shown_path(directory), shown(which));
  auto run = std::make_unique<LoadedRun>();
  run->directory = directory;
  run->checkpoint = checkpoint;
  load(run->config, directory + "/config.resolved.yaml", overrides);
  apply_process_settings(run->config);
  const Vocabularies vocabularies = load_vocabularies(directory);
  run->source = vocabularies.source;
  run->target = vocabularies.target;
  run->model = make_model(run->config, run->source->size(), run->target->size());
  load_weights(checkpoint, *run->model);
  return run;
}

void write_run_files(const std::string& directory, const Config& config, const std::string& config_path,
                     const Data& data, const std::string& device) {
  atomic_write(directory + "/config.yaml", config_path.empty() ? "" : read_file(config_path, size_t{1} << 20));
  atomic_write(directory + "/config.resolved.yaml", resolved_yaml(config, false));
  atomic_write(directory + "/source.vocab", data.source->serialized());
  atomic_write(directory + "/target.vocab", data.target->serialized());
  const nlohmann::ordered_json info = {
      {"seqgrad", SEQGRAD_VERSION},
      {"device", device},
      {"cpu", backend(Device::cpu).describe()},
      {"threads", threads()},
      {"source_vocabulary", {{"size", data.source->size()}, {"fingerprint", data.source->fingerprint()}}},
      {"target_vocabulary", {{"size", data.target->size()}, {"fingerprint", data.target->fingerprint()}}},
      {"train_pairs", data.train.size()}};
  atomic_write(directory + "/run.json", info.dump(2) + "\n");
}

}  // namespace seqgrad
