// run.json comes last: a directory without it is no run.
#include "engine/run/run_files.h"

#include <nlohmann/json.hpp>

#include "engine/config/describe.h"
#include "engine/io/files.h"
#include "engine/io/output.h"
#include "engine/run/record.h"

namespace seqgrad {

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

void load_run_config(Config& config, const std::string& directory, const std::vector<std::string>& overrides) {
  load(config, directory + "/config.resolved.yaml", overrides);
  if (!config.data.normalize.is_set()) config.data.normalize.set("none");
}

// The config as `data`, loaded by it, has it written out.
static std::string written_out(const Config& config, const Data& data) {
  Config full;
  load(full, parse_yaml(resolved_yaml(config, false), "config.resolved.yaml"));
  write_out(full.data, data);
  return resolved_yaml(full, false);
}

void write_run_files(const std::string& directory, const Config& config, const std::string& config_path,
                     const Data& data, const LossSetup& loss, const ProcessSettings& settings) {
  write_output(directory + "/config.yaml", config_path.empty() ? "" : read_file(config_path, size_t{1} << 20));
  write_output(directory + "/config.resolved.yaml", written_out(config, data));
  write_output(directory + "/source.vocab", data.source->serialized());
  write_output(directory + "/target.vocab", data.target->serialized());
  write_output(directory + "/run.json", new_record(directory, data, loss, settings));
}

}  // namespace seqgrad
