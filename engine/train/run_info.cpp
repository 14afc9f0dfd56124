#include "engine/train/run_info.h"

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/io/files.h"
#include "engine/io/output.h"

namespace seqgrad {

nlohmann::ordered_json read_run_info(const std::string& run) {
  const std::string path = run + "/run.json";
  auto info = nlohmann::ordered_json::parse(read_file(path, size_t{1} << 20), nullptr, false);
  if (!info.is_object()) refuse("{}: error: not a JSON object", shown_path(path));
  return info;
}

void write_run_info(const std::string& run, const nlohmann::ordered_json& info) {
  write_output(run + "/run.json", info.dump(2) + "\n");
}

}  // namespace seqgrad
