// Appending, and cutting what a run wrote after the checkpoint that it resumes from.
#include "engine/io/metric_log.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/io/atomic_write.h"

namespace seqgrad {

void MetricLog::append(const std::string& kind, int64_t step,
                       const std::vector<std::pair<std::string, double>>& values) {
  nlohmann::ordered_json line = {{"kind", kind}, {"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  append_line(path_, line.dump());
}

void MetricLog::truncate_after(int64_t step) {
  if (!std::filesystem::exists(path_)) return;
  std::istringstream in(read_file(path_, size_t{1} << 30));
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_object() && parsed.contains("step") && parsed["step"].is_number_integer() &&
        parsed["step"].get<int64_t>() <= step)
      kept += line + "\n";
  }
  atomic_write(path_, kept);
}

}  // namespace seqgrad
