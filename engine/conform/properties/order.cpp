// The examples the other way round: every number moves with its example and stays what it is.
#include "engine/conform/properties/properties.h"

#include <algorithm>

namespace seqgrad {
namespace {

// Rows of `width` numbers, the last example first.
template <class T>
std::vector<T> reversed(const std::vector<T>& x, int64_t batch) {
  std::vector<T> out;
  out.reserve(x.size());
  const auto width = static_cast<std::ptrdiff_t>(x.size()) / std::max<int64_t>(1, batch);
  for (int64_t b = batch; b-- > 0;) out.insert(out.end(), x.begin() + b * width, x.begin() + (b + 1) * width);
  return out;
}

LossBatch reversed(LossBatch b) {
  LossInputs& in = b.inputs;
  const auto turn = [&](auto& x) { x = reversed(x, in.batch); };
  turn(b.x), turn(in.targets), turn(in.dense);
  if (in.lengths) turn(*in.lengths);
  if (in.mask) turn(*in.mask);
  if (in.token_weight) turn(*in.token_weight);
  if (in.example_weight) turn(*in.example_weight);
  b.reason = "the examples the other way round";
  return b;
}

}  // namespace

PropertyResult check_order(Trial& t) {
  std::vector<Evidence> found;
  bool tried = false;
  for (const size_t i : t.telling) {
    if (t.batches[i].inputs.batch < 2) continue;
    tried = true;
    const LossBatch batch = reversed(t.batches[i]);
    const LossAnswer& before = t.replies[i].answer;
    const Reply reply = t.ask(batch, "order", true);
    if (!reply.refusal.empty()) {
      found.push_back({"refuses:order", "refused: " + shown(reply.refusal), batch, 0, 0, false});
      continue;
    }
    const Scale limits = t.scale_of(batch, before);
    const bool moves = t.program.axis == Over::time || t.program.axis == Over::none;
    const std::vector<double> value = moves ? reversed(before.value, batch.inputs.batch) : before.value;
    if (const Worst w = worst_of(reply.answer.value, value, limits.value); w.differs())
      found.push_back(
          {"order:examples",
           fmt::format("the examples the other way round: value {} -> {}", number_text(w.want), number_text(w.got)),
           t.batches[i], w.got, w.want, false});
    else if (const Worst g = worst_of(reply.answer.d_x, reversed(before.d_x, batch.inputs.batch), limits.d_x);
             !before.d_x.empty() && g.differs())
      found.push_back({"order:examples", "the examples the other way round: the value holds, the gradient does not",
                       t.batches[i], g.got, g.want, false});
  }
  if (!tried) return not_tried("order", "every batch has one example");
  return judged("order", std::move(found));
}

}  // namespace seqgrad
