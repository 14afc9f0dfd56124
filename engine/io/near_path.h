// The file that was meant by the name of one that is not there.
#pragma once
#include <string>

namespace seqgrad {

// The path with every part that does not exist replaced by the nearest name in its folder; "" when a part has none, and
// for a path that exists.
std::string nearest_path(const std::string& path);

}  // namespace seqgrad
