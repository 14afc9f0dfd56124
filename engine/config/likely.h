// What a person may have meant by a value that is refused.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/config/node.h"

namespace seqgrad {

using Aliases = std::vector<std::pair<std::string, std::string>>;  // another word for a choice, and the choice

// What was written, on one line, so that parse_yaml gives it back.
std::string flow_yaml(const Node& node);

// Values to try in its place, likeliest first and what was written before all, as YAML: "1_000" is 1000, 'True' is
// true, None is null, 30 % is 0.3, [5] is 5. Which of them a key takes is for its field to say.
std::vector<std::string> likely_values(const Node& node);

// A text as parse_yaml reads it, without a place; a null node where it is not YAML.
Node parsed_or_nothing(const std::string& text);

// A number, or a yes or no: a file may be called so, but nobody means one by it who did not name a key for files.
bool no_file_name(const Node& node);

// no, off, False, none, null and their like; an empty value too.
bool is_falsy(const Node& node);

// The one of `names` that was meant, and whether that is certain: an alias, another spelling, a yes or no where a name
// stands for it ("true" and "false" among the aliases), the first name below the one written ("torch" for torch.mean).
// Not certain: a slip. Empty: no idea.
struct LikelyChoice {
  std::string name;
  bool certain = false;
};
LikelyChoice likely_choice(const Node& node, const std::vector<std::string>& names, const Aliases& aliases);

}  // namespace seqgrad
