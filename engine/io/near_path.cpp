// One folder at a time, from the left.
#include "engine/io/near_path.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "engine/text/edit_distance.h"

namespace seqgrad {

std::string nearest_path(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr size_t most_names = 10000;  // of a folder: a hint is not worth more
  std::error_code error;
  fs::path found;
  if (path.empty() || fs::exists(path, error)) return "";
  for (const fs::path& part : fs::path(path)) {
    const fs::path wanted = found / part;
    if (fs::exists(wanted, error)) {
      found = wanted;
      continue;
    }
    std::vector<std::string> names;
    fs::directory_iterator folder(found.empty() ? fs::path(".") : found, error);
    for (; !error && folder != fs::directory_iterator() && names.size() < most_names; folder.increment(error))
      names.push_back(folder->path().filename().string());
    std::sort(names.begin(), names.end());
    const std::string near = closest(part.string(), names);
    if (near.empty()) return "";
    found /= near;
  }
  return found.string();
}

}  // namespace seqgrad
