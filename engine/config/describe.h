// A config as text: resolved YAML, reference page, JSON Schema.
#pragma once
#include <string>
#include <vector>

#include "engine/config/section.h"

namespace seqgrad {

// Every value, so that reading it back gives the same config; as a comment where each came from.
std::string resolved_yaml(const Section& root, bool origins = true);

struct Difference {
  std::string key, value, standard;  // "optim.lr", "0.002", "0.001"
};
std::vector<Difference> changes(const Section& root);       // the keys that are not at their defaults
std::vector<std::string> differences(const Section& root);  // the same as "optim.lr = 0.002 (default 0.001)"
std::string reference_markdown(const Section& root);
std::string json_schema(const Section& root);  // draft 7, keys in the order of their declarations

}  // namespace seqgrad
