// Lines are short and written whole; a torn last line is dropped on resume.
#include "engine/io/metric_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/core/error.h"
#include "engine/io/atomic_write.h"

namespace seqgrad {

void MetricLog::append(const std::string& kind, int64_t step,
                       const std::vector<std::pair<std::string, double>>& values) {
  nlohmann::ordered_json line = {{"kind", kind}, {"step", step}};
  for (const auto& [name, value] : values) line[name] = value;
  const std::string text = line.dump() + "\n";
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const bool ok = fd >= 0 && system_calls.write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!ok) system_failure("{}: cannot write ({})", path_, std::strerror(error));
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
