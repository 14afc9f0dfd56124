// The program's other dtypes against its widest, on numbers that the narrow one holds exactly.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/draw.h"
#include "engine/conform/properties/properties.h"

namespace seqgrad {
namespace {

// So many tokens that a sum which is kept in 16 bits stands still: what it adds is lost in its last digit.
constexpr int64_t most_numbers = 100000;
int64_t many_tokens(FloatType type) { return type == FloatType::bf16 ? 1500 : 9000; }

std::optional<LossBatch> long_batch(const Trial& t, FloatType type) {
  if (t.program.steps) return std::nullopt;
  DrawOptions o;
  o.seed = t.seed;
  o.batch = 6, o.classes = 3;
  o.steps = std::min(many_tokens(type), most_numbers / t.program.classes.value_or(o.classes)) / o.batch;
  LossBatch b = draw_ragged(t.program, o);
  b.reason = fmt::format("{} positions", b.inputs.batch * b.inputs.steps);
  return b;
}

// Ids above 256 that are odd are no bfloat16, those above 2048 no float16: whoever puts them into one reads another
// class, whose logit is far below the target's here.
std::optional<LossBatch> with_odd_ids(LossBatch b) {
  constexpr int64_t exact = 256;
  constexpr double above = 8;
  const int64_t v = b.inputs.classes, id = v - 1 - v % 2;  // the largest odd one
  if (id <= exact || b.inputs.targets.empty() || b.kind != PredictionKind::logits) return std::nullopt;
  std::fill(b.inputs.targets.begin(), b.inputs.targets.end(), id);
  for (size_t at = static_cast<size_t>(id); at < b.x.size(); at += static_cast<size_t>(v)) b.x[at] += above;
  b.reason = fmt::format("every target is {}", id);
  return b;
}

class AskedIn {  // another dtype for a while
 public:
  AskedIn(Subject& s, FloatType type) : subject_(s), before_(s.dtype()) { s.ask_in(type); }
  ~AskedIn() { subject_.ask_in(before_); }
  AskedIn(const AskedIn&) = delete;
  AskedIn& operator=(const AskedIn&) = delete;

 private:
  Subject& subject_;
  FloatType before_;
};

enum class Batches { few, many, odd_ids };

std::optional<Evidence> compare(Trial& t, const LossBatch& from, FloatType type, Batches kind) {
  const LossBatch b = rounded_to(from, type);
  const Reply wide = t.ask(b, "dtype", false);
  if (!wide.refusal.empty()) return std::nullopt;
  const Reply narrow = [&] {
    const AskedIn asked(t.subject, type);
    return t.ask(b, "dtype", false);
  }();
  const std::string where = fmt::format("{}, {}: ", word_for(type), from.reason);
  if (!narrow.refusal.empty())
    return Evidence{"refuses:dtype", where + "refused: " + shown(narrow.refusal), b, 0, 0, false};
  if (all_finite(wide.answer.value) && !all_finite(narrow.answer.value))
    return Evidence{"dtype:overflow",
                    fmt::format("{}value {}", where, value_text(narrow.answer.value)),
                    b,
                    narrow.answer.value[0],
                    wide.answer.value[0],
                    false};
  // 16 bits: a tenth at most, for many tokens; the bound of few is wider than any fault.
  const bool half = type == FloatType::bf16 || type == FloatType::f16;
  double size = 0;
  for (const double x : wide.answer.value) size = std::max(size, std::abs(x));
  const double limit = kind == Batches::many && half ? 0.1 * size : t.scale_of(b, wide.answer, type).value;
  const Worst w = worst_of(narrow.answer.value, wide.answer.value, limit);
  if (!w.differs()) return std::nullopt;
  return Evidence{kind == Batches::odd_ids ? "targets:cast" : "dtype:summed",
                  fmt::format("{}{} where {} gives {}", where, number_text(w.got), word_for(t.subject.dtype()),
                              number_text(w.want)),
                  b,
                  w.got,
                  w.want,
                  false};
}

}  // namespace

PropertyResult check_dtype(Trial& t) {
  std::vector<FloatType> others;
  for (const FloatType type : t.program.dtypes)
    if (type > t.subject.dtype()) others.push_back(type);
  if (others.empty()) return not_tried("dtype", std::string(word_for(t.subject.dtype())) + " only");
  constexpr size_t most_batches = 2;
  std::vector<Evidence> found;
  for (const FloatType type : others) {
    for (size_t k = 0; k < std::min(most_batches, t.telling.size()); ++k)
      if (auto e = compare(t, t.batches[t.telling[k]], type, Batches::few)) found.push_back(*std::move(e));
    if (type == FloatType::f32) continue;
    if (const auto many = long_batch(t, type))
      if (auto e = compare(t, *many, type, Batches::many)) found.push_back(*std::move(e));
    if (const auto odd = with_odd_ids(t.batches[t.telling[0]]))
      if (auto e = compare(t, *odd, type, Batches::odd_ids)) found.push_back(*std::move(e));
  }
  return judged("dtype", std::move(found));
}

}  // namespace seqgrad
