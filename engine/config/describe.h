// A config as text: resolved YAML, reference page, JSON Schema.
#pragma once
#include <string>
#include <vector>

#include "engine/config/section.h"

namespace seqgrad {

// Every value, so that reading it back gives the same config; as a comment where each came from.
std::string resolved_yaml(const Section& root, bool origins = true);
std::vector<std::string> differences(const Section& root);  // "optim.lr = 0.002 (default 0.001)", changed keys only
std::string reference_markdown(const Section& root);
std::string json_schema(const Section& root);  // draft 7, keys in the order of their declarations

}  // namespace seqgrad
