// Weights, smoothing and the like are in every value batch: here is told which of them the findings are about.
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/conform/properties/properties.h"

namespace seqgrad {

PropertyResult check_extras(Trial& t) {
  std::vector<std::string> has;
  for (const char* input : {"token_weight", "example_weight", "class_weight"})
    if (t.program.takes_input(input)) has.emplace_back(input);
  if (t.program.fixed.smoothing > 0) has.emplace_back("smoothing");
  if (t.program.fixed.softcap) has.emplace_back("softcap");
  if (t.program.fixed.z_loss > 0) has.emplace_back("z_loss");
  if (has.empty()) return not_tried("extras", "none");
  if (!t.meant && !t.found) return not_tried("extras", "no loss was named to compare with");
  std::vector<Evidence> found;
  const auto is_extra = [](const std::string& id) {
    return id.starts_with("weights:") || id.starts_with("smoothing:") || id.starts_with("logits:softcap") ||
           id.starts_with("logits:z_loss");
  };
  if (t.found)
    for (const std::string& id : t.found->ids)
      if (is_extra(id)) found.push_back({id, t.found->sentence, std::nullopt, 0, 0, false});
  return judged("extras", std::move(found), Verdict::holds, fmt::format("{}", fmt::join(has, " ")));
}

}  // namespace seqgrad
