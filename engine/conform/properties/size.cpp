// A batch beyond the sizes of all others: whoever cuts it at so many steps or examples is not seen on small ones.
#include <algorithm>
#include <numeric>

#include "engine/conform/cells.h"
#include "engine/conform/draw.h"
#include "engine/conform/properties/properties.h"
#include "engine/conform/subsets.h"

namespace seqgrad {
namespace {

// More than what code is commonly cut at, 32 examples and 128 steps, as long as the classes leave room.
LossBatch large_batch(const Trial& t) {
  constexpr int64_t many_classes = 1000, most_numbers = 1000000;
  DrawOptions o;
  o.seed = t.seed;
  o.classes = t.program.classes.value_or(3);
  o.batch = o.classes > many_classes ? 9 : 34;
  o.steps = std::clamp<int64_t>(most_numbers / (o.batch * o.classes), 13, 130);
  LossBatch b = rounded_to(draw_ragged(t.program, o), t.subject.dtype());
  b.reason = fmt::format("{} examples of up to {} steps", b.inputs.batch, b.inputs.steps);
  return b;
}

// The first so many steps or examples: as a batch of its own, and the sum of their losses by the divisor of all.
struct Cut {
  LossBatch batch;
  std::optional<double> part;  // none where that cannot be told
};

Cut cut_at(const Trial& t, const LossBatch& whole, const std::optional<MeantAnswer>& meant, int64_t count, bool steps) {
  std::vector<int64_t> keep(static_cast<size_t>(count));
  std::iota(keep.begin(), keep.end(), 0);
  Cut out{steps ? with_steps(whole, keep) : with_examples(whole, keep), std::nullopt};
  if (!meant || t.program.axis != Over::all || whole.shifts) return out;
  out.part = 0;
  const auto width = static_cast<size_t>(whole.inputs.steps);
  for (size_t n = 0; n < meant->row_loss.size(); ++n) {
    const size_t place = steps ? n % width : n / width;
    if (place < static_cast<size_t>(count) && meant->coefficient[n] != 0)
      *out.part += meant->coefficient[n] * meant->row_loss[n];
  }
  return out;
}

std::optional<MeantAnswer> meant_of(const Trial& t, const LossBatch& b) {
  if (!t.meant) return std::nullopt;
  try {
    return answer_of(*t.meant, b);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

// How many steps, or examples, the answer is that of; 0 where it is that of no such part.
int64_t cut_of(const Trial& t, const LossBatch& whole, const std::vector<double>& got, double limit, bool steps) {
  const std::optional<MeantAnswer> meant = meant_of(t, whole);
  for (int64_t count = (steps ? whole.inputs.steps : whole.inputs.batch) - 1; count > 0; --count) {
    const Cut cut = cut_at(t, whole, meant, count, steps);
    if (cut.part && !worst_of(got, {*cut.part}, limit).differs()) return count;
    const std::optional<LossAnswer> alone = t.expected(cut.batch);
    if (alone && !worst_of(got, alone->value, limit).differs()) return count;
  }
  return 0;
}

Evidence described(const Trial& t, const LossBatch& b, const std::vector<double>& got, const std::vector<double>& want,
                   double limit) {
  const Worst w = worst_of(got, want, limit);
  const std::string text =
      fmt::format("{}: {} where {} is {}", b.reason, number_text(w.got), t.meant_name(), number_text(w.want));
  for (const bool steps : {true, false})
    if (const int64_t count = cut_of(t, b, got, limit, steps); count > 0)
      return {steps ? "size:steps" : "size:examples",
              fmt::format("{}: it is that of the first {} {}", text, count, steps ? "steps" : "examples"),
              b,
              w.got,
              w.want,
              false};
  return {"size:other", text, b, w.got, w.want, false};
}

// Whether the loss of a small batch is one that can be expected of a large one, too.
bool is_known(const Trial& t) {
  const size_t i = t.telling[0];
  const std::optional<LossAnswer> want = t.expected(t.batches[i]);
  const std::vector<double>& got = t.replies[i].answer.value;
  return t.found || (want && !worst_of(got, want->value, t.scale_of(t.batches[i], *want).value).differs());
}

}  // namespace

PropertyResult check_size(Trial& t) {
  if (!is_known(t)) return not_tried("size", "no loss was named to compare with");
  const LossBatch batch = large_batch(t);
  const std::optional<LossAnswer> want = t.expected(batch);
  if (!want) return not_tried("size", t.meant_name() + " refuses a large batch");
  const Verdict otherwise = t.is_judged() ? Verdict::holds : Verdict::described;
  const Reply reply = t.ask(batch, "size", false);
  if (!reply.refusal.empty())
    return judged("size", {{"refuses:size", batch.reason + ": refused: " + shown(reply.refusal), batch, 0, 0, false}});
  const double limit = t.scale_of(batch, *want).value;
  if (!worst_of(reply.answer.value, want->value, limit).differs() || t.is_explained(batch, reply.answer))
    return judged("size", {}, otherwise);
  return judged("size", {described(t, batch, reply.answer.value, want->value, limit)}, otherwise);
}

}  // namespace seqgrad
