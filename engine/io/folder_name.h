// What a folder may be called.
#pragma once
#include <string>

namespace seqgrad {

// Why `name`, before a number, cannot be what a folder is called, or should not, as nobody could read or type it: "it
// holds '/'"; "" when it can. `name` is well-formed UTF-8.
std::string bad_folder_name(const std::string& name);
// The same of a path, whose parts are folders' names.
std::string bad_folder_path(const std::string& path);

}  // namespace seqgrad
