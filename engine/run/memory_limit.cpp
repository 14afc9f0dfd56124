// Limits are those of the whole machine or group, not what is free now: what is refused here could not have worked.
#include "engine/run/memory_limit.h"

#include <sys/resource.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>

#include "engine/core/backend.h"
#include "engine/core/error.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;

void lower(MemoryLimit& limit, double bytes, const std::string& what) {
  if (bytes < limit.bytes) limit = {bytes, what};
}

// A file of one number, as the kernel writes limits; none where there is no such file, or "max" in it.
std::optional<double> number_in(const fs::path& path) {
  std::string text;
  std::ifstream in(path);
  uint64_t value = 0;
  if (!(in >> text)) return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return static_cast<double>(value);
}

// The limits of a group and of all above it.
void lower_by_groups(MemoryLimit& limit, const fs::path& top, const std::string& group, const char* file) {
  for (fs::path at = fs::path(group).relative_path();; at = at.parent_path()) {
    if (const auto bytes = number_in(top / at / file))
      lower(limit, *bytes, fmt::format("the control group /{} allows", shown_path(at.string())));
    if (at.empty()) return;
  }
}

// /proc/self/cgroup has a line "ID:controllers:group" for each hierarchy; that of version 2 is "0::group".
void lower_by_control_groups(MemoryLimit& limit, const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",",
                      group = line.substr(second + 1);
    if (controllers == ",,") lower_by_groups(limit, root + "/sys/fs/cgroup", group, "memory.max");
    if (controllers.find(",memory,") != controllers.npos)
      lower_by_groups(limit, root + "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
  }
}

std::string megabytes(double bytes) { return fmt::format("{:.0f} MB", std::ceil(bytes / 1e6)); }

}  // namespace

MemoryLimit memory_limit(Device device, const std::string& root) {
  MemoryLimit limit{static_cast<double>(backend(device).memory_bytes()), "this machine has"};
  if (device == Device::cuda) return {limit.bytes, "the GPU has"};
  lower_by_control_groups(limit, root);
  rlimit addresses{};
  if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY)
    lower(limit, static_cast<double>(addresses.rlim_cur), "the limit of addresses (ulimit -v) allows");
  return limit;
}

void check_memory(double bytes, const std::string& what, const std::string& hint, Device device) {
  const MemoryLimit limit = memory_limit(device);
  if (bytes > limit.bytes)
    refuse("{} about {}; {} {} ({})", what, megabytes(bytes), limit.what, megabytes(limit.bytes), hint);
}

}  // namespace seqgrad
