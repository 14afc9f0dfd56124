// What a set of batches can show.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/draw.h"
#include "engine/loss/divisors.h"
#include "engine/loss/live_rows.h"

namespace seqgrad {

static Counts counts_of(const LossBatch& batch) {
  LossOptions o;
  if (!batch.inputs.dense.empty()) o.target = Target::dense;
  return build_live_rows(shifted(batch).inputs, o).all;
}

std::string not_told_apart(const std::vector<LossBatch>& batches, size_t least) {
  std::vector<Counts> counts;
  for (const LossBatch& b : batches) counts.push_back(counts_of(b));
  const auto has = [&](const auto& member) {
    return std::any_of(batches.begin(), batches.end(),
                       [&](const LossBatch& b) { return (b.inputs.*member).has_value(); });
  };
  const bool weights = has(&LossInputs::token_weight) || has(&LossInputs::example_weight);
  const bool class_weights = has(&LossInputs::class_weight);
  // What no input tells apart is one divisor with several names.
  const auto same = [&](std::string_view name) -> std::string_view {
    if (name == "class_weight" && !class_weights) name = "weight";
    return !weights && (name == "weight" || name == "nonzero") ? "active" : name;
  };
  const bool one_length =
      std::all_of(counts.begin(), counts.end(), [&](const Counts& c) { return c.steps == counts[0].steps; });
  const auto constant = [&](const Divisor& a, const Divisor& b) {  // their ratio, where all batches have T columns
    const std::string_view x = a.name, y = b.name;
    return one_length && ((x == "one" && y == "steps") || (x == "positions" && y == "batch"));
  };
  for (const Divisor& a : divisors())
    for (const Divisor& b : divisors()) {
      if (&a >= &b || same(a.name) == same(b.name) || constant(a, b)) continue;
      size_t apart = 0;
      for (const Counts& c : counts) {
        const double x = a.value(c), y = b.value(c);
        apart += std::abs(x - y) > 1e-3 * std::max(x, y);
      }
      if (apart < least) return fmt::format("{} and {}", a.name, b.name);
    }
  return "";
}

std::vector<size_t> most_telling(const std::vector<LossBatch>& batches, size_t most) {
  std::vector<std::pair<int64_t, size_t>> scored;
  for (size_t i = 0; i < batches.size(); ++i) {
    const LossInputs& in = batches[i].inputs;
    const std::vector<uint8_t> live = live_targets(batches[i]);
    std::vector<int64_t> lengths;
    for (auto at = live.begin(); at != live.end(); at += in.steps) lengths.push_back(std::count(at, at + in.steps, 1));
    std::sort(lengths.begin(), lengths.end());
    const auto different = std::unique(lengths.begin(), lengths.end()) - lengths.begin();
    const bool dead = std::count(live.begin(), live.end(), 0) > 0;
    scored.emplace_back(-(different + (dead ? 4 : 0) + (lengths[0] > 0 ? 2 : 0)), i);
  }
  std::stable_sort(scored.begin(), scored.end());
  std::vector<size_t> out;
  for (const size_t per_shape : {size_t{2}, most}) {
    for (const auto& [score, i] : scored) {
      const auto same = std::count_if(out.begin(), out.end(), [&, at = i](size_t j) {
        const LossInputs &a = batches[j].inputs, &b = batches[at].inputs;
        return a.batch == b.batch && a.steps == b.steps && a.classes == b.classes;
      });
      const bool taken = std::find(out.begin(), out.end(), i) != out.end();
      if (!taken && out.size() < most && static_cast<size_t>(same) < per_shape) out.push_back(i);
    }
  }
  return out;
}

}  // namespace seqgrad
