// Keys of paths are found by their type, so that a new one is looked at too.
#include "engine/config/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/io/near_path.h"

namespace seqgrad {

// Why `path` cannot be read; 0 when it can.
static int reading_error(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  return access(path.c_str(), R_OK) == 0 ? 0 : errno;
}

static std::vector<Path> paths_of(const FieldBase& field) {
  if (const auto* one = dynamic_cast<const Field<Path>*>(&field)) return {(*one)()};
  if (const auto* list = dynamic_cast<const Field<std::vector<Path>>*>(&field)) return (*list)();
  return {};
}

void check_files(const Section& root, Problems& problems, const FieldBase* unread) {
  root.for_each_field([&](const FieldBase& field) {
    if (&field == unread) return;
    for (const Path& path : paths_of(field)) {
      const int error = path.value.empty() || root.has_read_refused() ? 0 : reading_error(path.value);
      if (!error) continue;
      const std::string near = nearest_path(path.value);
      problems.add(field, fmt::format("{}: cannot be read ({}){}", shown_path(path.value), std::strerror(error),
                                      near.empty() ? "" : fmt::format("; did you mean '{}'?", shown_path(near))));
    }
    root.forget_refused_reads();  // each key's value is judged by itself
  });
}

}  // namespace seqgrad
