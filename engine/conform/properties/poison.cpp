// Dead cells hold what real padding may hold. A loss that selects does not see it; one that multiplies by 0 does.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"
#include "engine/core/random.h"

namespace seqgrad {
namespace {

struct Poison {
  const char* words;
  bool is_id = false;
  double x = 0;
  int64_t id = 0;
  bool is_finite() const { return is_id || std::isfinite(x); }
};

std::vector<Poison> poisons(FloatType type) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double large = type == FloatType::f16 ? 6e4 : 1e30;
  return {{"another number", false, 0.75, 0},
          {"NaN", false, std::numeric_limits<double>::quiet_NaN(), 0},
          {"inf", false, infinity, 0},
          {"-inf", false, -infinity, 0},
          {type == FloatType::f16 ? "6e4" : "1e30", false, large, 0},
          {"the id -1", true, 0, -1},
          {"the id -100", true, 0, -100},
          {"the id 1000000000", true, 0, 1000000000}};
}

LossBatch poisoned(LossBatch b, const Poison& poison, FloatType type) {
  const std::vector<uint8_t> live = poison.is_id ? live_targets(b) : live_predictions(b);
  const auto width = static_cast<size_t>(b.width());
  for (size_t n = 0; n < live.size(); ++n) {
    if (live[n]) continue;
    if (poison.is_id) b.inputs.targets[n] = poison.id;
    for (size_t v = 0; v < width && !poison.is_id; ++v) b.x[n * width + v] = rounded(poison.x, type);
  }
  b.reason = fmt::format("{} in dead cells", poison.words);
  return b;
}

// What a poisoned batch's gradient has where it should not.
struct GradientSeen {
  Worst live;  // beside that of the clean batch
  bool live_nan = false, dead_nan = false;
  std::optional<size_t> dead_number;  // a dead row with a finite gradient that is not 0
};
GradientSeen look_at(const LossBatch& batch, const LossAnswer& clean, const LossAnswer& got, double limit) {
  GradientSeen out;
  const std::vector<uint8_t> live = live_predictions(batch);
  const auto width = static_cast<size_t>(batch.width());
  for (size_t i = 0; i < got.d_x.size(); ++i) {
    const double g = got.d_x[i];
    if (!live[i / width]) {
      out.dead_nan |= !std::isfinite(g);
      if (std::isfinite(g) && g != 0 && std::isfinite(batch.x[i])) out.dead_number = i / width;
      continue;
    }
    out.live_nan |= !std::isfinite(g) && std::isfinite(clean.d_x[i]);
    const Worst w = worst_of({g}, {clean.d_x[i]}, limit);
    if (w.share > out.live.share) out.live = w, out.live.at = i;
  }
  return out;
}

std::string place(const LossBatch& b, size_t cell) {
  const auto t = static_cast<size_t>(b.inputs.steps);
  return fmt::format("({},{})", cell / t, cell % t);
}

std::vector<Evidence> compare(const Trial& t, const LossBatch& batch, const Poison& poison, const LossAnswer& clean,
                              const LossAnswer& got) {
  std::vector<Evidence> out;
  const Scale limits = t.scale_of(batch, clean);
  const Worst value = worst_of(got.value, clean.value, limits.value);
  const std::string where = fmt::format("{} in a dead cell: ", poison.words);
  const bool counts = poison.x == 0.75 && !poison.is_id;  // an ordinary number: the cell is not dead to this loss
  const auto add = [&](const char* id, const std::string& text, double g, double w, bool is_note = false) {
    out.push_back({id, where + text, batch, g, w, is_note});
  };
  if (value.differs()) {
    const bool multiplied = !std::isfinite(value.got);
    const char* id = poison.is_id                            ? "targets:read_before_mask"
                     : counts && !t.is_explained(batch, got) ? "mask:ignored"
                                                             : "mask:multiplied";
    add(counts && t.is_explained(batch, got) ? "" : id,
        fmt::format("value {} -> {}{}", number_text(value.want), number_text(value.got),
                    multiplied && !poison.is_id ? " (multiplied, not selected)" : ""),
        value.got, value.want);
    return out;
  }
  if (value.share > 0)
    add("", fmt::format("value off by {:.1e}, within the limits", value.got - value.want), value.got, value.want, true);
  if (got.d_x.empty()) return out;
  const GradientSeen g = look_at(batch, clean, got, limits.d_x);
  const size_t width = static_cast<size_t>(batch.width());
  if (g.live_nan || g.live.differs())
    add(poison.is_id ? "targets:read_before_mask" : "mask:multiplied",
        fmt::format("the value holds, the gradient of the live row {} {} -> {}", place(batch, g.live.at / width),
                    number_text(g.live.want), number_text(g.live.got)),
        g.live.got, g.live.want);
  else if (g.dead_number)
    add("gradient:dead_rows", fmt::format("the gradient of the dead row {} is not 0", place(batch, *g.dead_number)), 0,
        0);
  else if (g.dead_nan)
    add("dead_gradient:nan", "value and live gradients hold, the dead row's gradient is NaN", std::nan(""), 0, true);
  return out;
}

}  // namespace

PropertyResult check_poison(Trial& t) {
  constexpr size_t most_batches = 3;
  const bool ids = t.program.takes_input("targets");
  std::vector<Evidence> found;
  size_t tried = 0;
  for (const size_t i : t.telling) {
    const std::vector<uint8_t> live = live_predictions(t.batches[i]);
    if (std::count(live.begin(), live.end(), 0) == 0) continue;
    if (tried++ == most_batches) break;
    for (const Poison& poison : poisons(t.subject.dtype())) {
      if (poison.is_id && !ids) continue;
      if (poison.words == std::string("-inf") && t.program.kind == PredictionKind::row_loss) continue;
      const LossBatch batch = poisoned(t.batches[i], poison, t.subject.dtype());
      const Reply reply = t.ask(batch, "poison", true);
      if (!reply.refusal.empty()) {
        const char* id = poison.is_id ? "targets:read_before_mask" : "refuses:poison";
        found.push_back({id, fmt::format("{} in a dead cell: refused: {}", poison.words, shown(reply.refusal)), batch,
                         0, 0, poison.is_id});
        continue;
      }
      for (Evidence& e : compare(t, batch, poison, t.replies[i].answer, reply.answer)) found.push_back(std::move(e));
    }
  }
  if (tried == 0) return not_tried("poison", "no batch has dead cells");
  // Of a loss that counts dead cells as they are, all that follows says the same.
  if (std::any_of(found.begin(), found.end(),
                  [](const Evidence& e) { return e.id == "mask:ignored" || (e.id.empty() && !e.is_note); }))
    std::erase_if(found, [](const Evidence& e) { return e.id == "mask:multiplied"; });
  return judged("poison", std::move(found));
}

}  // namespace seqgrad
