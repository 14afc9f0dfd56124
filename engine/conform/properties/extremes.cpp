// Logits so large that a softmax without its maximum taken off overflows, and −∞ where no target has mass.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"

namespace seqgrad {
namespace {

LossBatch with_large_logits(LossBatch b) {
  for (size_t i = 0; i < b.x.size(); ++i) b.x[i] = (i * 7 % 5 < 2 ? -1e4 : 1e4) * (i % 3 == 0 ? 0.5 : 1);
  b.reason = "logits of ±1e4";
  return b;
}

// At the class after the target, in every live row.
LossBatch with_infinities(LossBatch b) {
  const int64_t v = b.inputs.classes;
  const std::vector<uint8_t> live = live_predictions(b);
  for (size_t n = 0; n < live.size(); ++n) {
    if (!live[n]) continue;
    const int64_t y = b.inputs.targets[n + (b.shifts ? 1 : 0)];
    b.x[n * static_cast<size_t>(v) + static_cast<size_t>((y + 1) % v)] = -std::numeric_limits<double>::infinity();
  }
  b.reason = "logits of -inf at a class without mass";
  return b;
}

// The value beside that of the loss that was named, which is the meant one where the loss is right. Wrong where
// something is meant; else a note: nobody said how far the name goes.
std::optional<Evidence> compared(const Trial& t, const LossBatch& batch, const LossAnswer& got) {
  if (!t.found) return std::nullopt;
  const LossBatch b = rounded_to(batch, t.subject.dtype());
  const LossAnswer want = t.found->predict(b);
  if (!all_finite(want.value)) return std::nullopt;
  const Worst w = worst_of(got.value, want.value, t.scale_of(b, want).value);
  if (!w.differs()) return std::nullopt;
  return Evidence{"extremes:value",
                  fmt::format("{}: {} where {} is {}", b.reason, number_text(w.got),
                              t.found->ids.empty() ? t.meant_name() : "the loss that was named", number_text(w.want)),
                  b,
                  w.got,
                  w.want,
                  !t.meant};
}

// Whether the gradient of each row that counts is a number.
bool finite_where_live(const LossBatch& batch, const LossAnswer& answer) {
  const std::vector<uint8_t> live = live_predictions(batch);
  for (size_t i = 0; i < answer.d_x.size(); ++i)
    if (live[i / static_cast<size_t>(batch.width())] && !std::isfinite(answer.d_x[i])) return false;
  return true;
}

}  // namespace

PropertyResult check_extremes(Trial& t) {
  if (t.program.kind != PredictionKind::logits) return not_tried("extremes", "takes no logits");
  if (t.telling.empty()) return not_tried("extremes", "no batch was answered");
  const LossBatch& from = t.batches[t.telling[0]];
  std::vector<LossBatch> batches;
  if (t.program.fixed.z_loss == 0) batches.push_back(with_large_logits(from));
  const bool one_hot = !from.inputs.targets.empty() && t.program.fixed.smoothing == 0 && !t.program.fixed.softcap;
  const bool smooths = t.meant && t.meant->config->options().smoothing > 0;
  if (one_hot && !smooths && from.inputs.classes > 2) batches.push_back(with_infinities(from));
  if (batches.empty()) return not_tried("extremes", "every class has mass, and a z-loss squares what is large");
  std::vector<Evidence> found;
  for (const LossBatch& b : batches) {
    const Reply r = t.ask(rounded_to(b, t.subject.dtype()), "extremes", true);
    const bool infinities = b.reason[10] == '-';
    if (!r.refusal.empty()) {
      found.push_back({"refuses:extremes", b.reason + ": refused: " + shown(r.refusal), b, 0, 0, true});
      continue;
    }
    const char* id = infinities ? "extremes:zero_times_infinity" : "extremes:overflow";
    // Where a class of -inf has mass, as smoothing gives it, the loss that was named is infinite too.
    if (!all_finite(r.answer.value) && t.is_explained(rounded_to(b, t.subject.dtype()), r.answer)) continue;
    if (!all_finite(r.answer.value))
      found.push_back(
          {id, fmt::format("{}: value {}", b.reason, value_text(r.answer.value)), b, r.answer.value[0], 0, true});
    else if (std::optional<Evidence> e = compared(t, b, r.answer))
      found.push_back(std::move(*e));
    else if (!finite_where_live(b, r.answer) && finite_where_live(from, t.replies[t.telling[0]].answer))
      found.push_back({id, fmt::format("{}: the value is finite, the gradient is not", b.reason), b, 0, 0, true});
  }
  return judged("extremes", std::move(found));
}

}  // namespace seqgrad
