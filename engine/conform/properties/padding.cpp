// More padding of every kind. What should change is what changes for the loss that is meant: the mean over all cells
// does.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"
#include "engine/core/random.h"

namespace seqgrad {
namespace {

// [B,T,width] as [B+rows, T+columns, width], the new cells drawn by `fill`; `left`: the old ones end each row.
template <class T, class F>
std::vector<T> widened(const std::vector<T>& x, const LossInputs& in, int64_t rows, int64_t columns, int64_t width,
                       bool left, const F& fill) {
  std::vector<T> out(static_cast<size_t>((in.batch + rows) * (in.steps + columns) * width));
  for (T& value : out) value = fill();
  for (int64_t b = 0; b < in.batch; ++b)
    std::copy_n(x.begin() + b * in.steps * width, in.steps * width,
                out.begin() + (b * (in.steps + columns) + (left ? columns : 0)) * width);
  return out;
}

LossBatch padded(const LossBatch& from, int64_t rows, int64_t columns, bool left, uint64_t seed, FloatType type) {
  LossBatch b = from;
  LossInputs& in = b.inputs;
  Random random(seed, 102);
  const auto number = [&] { return rounded(random.normal(), type); };
  const auto none = [] { return 0; };
  b.x = widened(from.x, from.inputs, rows, columns, from.width(), left, [&] {
    return from.kind == PredictionKind::probs ? rounded(1 / static_cast<double>(from.width()), type) : number();
  });
  if (!in.targets.empty()) in.targets = widened(in.targets, from.inputs, rows, columns, 1, left, none);
  if (!in.dense.empty())
    in.dense = widened(in.dense, from.inputs, rows, columns, in.classes, left,
                       [&] { return 1 / static_cast<double>(in.classes); });
  if (in.mask) in.mask = widened(*in.mask, from.inputs, rows, columns, 1, left, none);
  if (in.token_weight)
    in.token_weight = widened(*in.token_weight, from.inputs, rows, columns, 1, left, [] { return 1.0; });
  if (in.lengths) in.lengths->resize(static_cast<size_t>(in.batch + rows), 0);
  if (in.example_weight) in.example_weight->resize(static_cast<size_t>(in.batch + rows), 1);
  in.batch += rows;
  in.steps += columns;
  return b;
}

struct Kind {
  std::string words;
  int64_t rows, columns;
  bool left;
  const char* id;
};

std::vector<Kind> kinds(const Program& p) {
  std::vector<Kind> out;
  if (!p.steps)
    for (const int64_t columns : {1, 7, 64})
      out.push_back({columns == 1 ? "a column more" : fmt::format("{} columns more", columns), 0, columns, false,
                     "padding:width"});
  for (const int64_t rows : {1, 3})
    out.push_back({rows == 1 ? "an empty example more" : fmt::format("{} empty examples more", rows), rows, 0, false,
                   "padding:empty_examples"});
  if (!p.steps && !p.takes_input("lengths") && p.takes_input("mask"))
    out.push_back({"2 columns more, to the left", 0, 2, true, "padding:left"});
  return out;
}

// Whether the answer moved from `before` as what is expected did. Where the loss is another than the meant one by a
// factor, its change is judged by that factor.
bool moves_as_expected(const Trial& t, const LossBatch& batch, const LossAnswer& before, const LossAnswer& now,
                       const std::vector<double>& want_before, const std::vector<double>& want_now) {
  if (before.value.size() != 1) {
    // Entries of a vector that were there stay as they are, or change with the expected ones.
    return !worst_of(now.value, want_now, t.scale_of(batch, now).value).differs();
  }
  const double got = now.value[0] * want_before[0], want = want_now[0] * before.value[0];
  const double limit = t.scale_of(batch, now).value * std::abs(want_before[0]) * 2;
  return !worst_of({got}, {want}, limit).differs();
}

}  // namespace

PropertyResult check_padding(Trial& t) {
  constexpr size_t most_batches = 4;
  std::vector<Evidence> found;
  bool tried = false, is_other_vector = false;
  for (size_t k = 0; k < std::min(most_batches, t.telling.size()); ++k) {
    const size_t i = t.telling[k];
    const std::optional<LossAnswer> before = t.expected(t.batches[i]);
    if (!before) continue;
    const bool right =
        !worst_of(t.replies[i].answer.value, before->value, t.scale_of(t.batches[i], *before).value).differs();
    for (const Kind& kind : kinds(t.program)) {
      LossBatch batch = padded(t.batches[i], kind.rows, kind.columns, kind.left, t.seed + k, t.subject.dtype());
      batch.reason = kind.words;
      const std::optional<LossAnswer> want = t.expected(batch);
      is_other_vector |= want && !right && want->value.size() != 1;
      if (!want || (!right && want->value.size() != 1)) continue;
      tried = true;
      const Reply reply = t.ask(batch, "padding", false);
      if (!reply.refusal.empty()) {
        found.push_back({"refuses:padding", kind.words + ": refused: " + shown(reply.refusal), batch, 0, 0, false});
        continue;
      }
      const LossAnswer& clean = t.replies[i].answer;
      if (moves_as_expected(t, batch, clean, reply.answer, before->value, want->value)) continue;
      // Of another loss than the meant one only the change can be told.
      const std::string should =
          right ? fmt::format(" ({}: {})", t.meant_name(), value_text(want->value))
                : fmt::format(" ({}: x {:.4g})", t.meant_name(), want->value[0] / before->value[0]);
      found.push_back(
          {t.is_explained(batch, reply.answer) ? "" : kind.id,
           fmt::format("{}: {} -> {}{}", kind.words, value_text(clean.value), value_text(reply.answer.value), should),
           batch, reply.answer.value[0], want->value[0], false});
    }
  }
  if (!tried)
    return not_tried("padding", !t.meant          ? "no loss was named to compare with"
                                : is_other_vector ? "its numbers are not the meant ones before any is added"
                                                  : "the sizes are fixed");
  if (!found.empty() && found[0].id.empty()) found.resize(1);
  return judged("padding", std::move(found), t.is_judged() ? Verdict::holds : Verdict::described);
}

}  // namespace seqgrad
