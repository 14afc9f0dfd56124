// The one door to the YAML library.
#pragma once
#include <memory>

#include "engine/config/node.h"
#include "engine/config/problems.h"

namespace seqgrad {

// Parses source->text, after taking a byte order mark and CRLF out of it. What is wrong goes to `problems`; a null node
// comes back where reading cannot go on.
Node read_yaml(const std::shared_ptr<Source>& source, Problems& problems);

}  // namespace seqgrad
