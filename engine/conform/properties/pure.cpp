// The same question twice.
#include <algorithm>
#include <bit>

#include <fmt/ranges.h>

#include "engine/conform/properties/properties.h"

namespace seqgrad {
namespace {

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(y); });
}

}  // namespace

PropertyResult check_pure(Trial& t) {
  constexpr size_t most_batches = 3;
  std::vector<Evidence> found;
  if (t.changed) found.push_back(*t.changed);
  for (size_t k = 0; k < std::min(most_batches, t.telling.size()); ++k) {
    const LossBatch& batch = t.batches[t.telling[k]];
    const Reply one = t.ask(batch, "repeat", true), two = t.ask(batch, "repeat", true);
    if (!one.refusal.empty() || !two.refusal.empty()) {
      found.push_back(
          {"refuses:pure", "refused: " + shown(one.refusal.empty() ? two.refusal : one.refusal), batch, 0, 0, false});
      continue;
    }
    for (const Reply* r : {&one, &two})
      if (!r->changed.empty())
        found.push_back({"pure:inputs_overwritten", fmt::format("overwrites its {}", fmt::join(r->changed, ", ")),
                         batch, 0, 0, false});
    const LossAnswer &a = one.answer, &b = two.answer;
    const bool same = same_bits(a.value, b.value) && same_bits(a.d_x, b.d_x) && same_bits(a.d_weight, b.d_weight) &&
                      same_bits(a.d_bias, b.d_bias);
    if (!same && found.empty())
      found.push_back({"pure:state",
                       fmt::format("the same batch twice: {} and {}", value_text(a.value),
                                   same_bits(a.value, b.value) ? "another gradient" : value_text(b.value)),
                       batch, b.value[0], a.value[0], false});
  }
  return judged("pure", std::move(found));
}

}  // namespace seqgrad
