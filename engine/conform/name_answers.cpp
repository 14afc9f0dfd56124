// Names are looked for among what the engine's search knows, of the answers as they are, then of what is left of them.
#include "engine/conform/name_answers.h"

#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/naming/findings.h"

namespace seqgrad {
namespace {

// What answers are that hold no number but 0, NaN and infinity: of what every loss would explain, none is the name. ""
// where they are others, or where 0 is what is meant of them all.
std::string id_without_numbers(const Trial& t, const std::vector<Observed>& observed) {
  bool is_zero = true, is_finite = false, has_nan = false, is_meant = t.meant.has_value();
  for (const Observed& o : observed) {
    bool all_finite = true;
    for (const double x : o.answer.value) {
      if (std::isfinite(x) && x != 0) return "";
      is_zero &= x == 0;
      all_finite &= std::isfinite(x);
      has_nan |= std::isnan(x);
    }
    is_finite |= all_finite;
    const std::optional<LossAnswer> want = t.meant ? t.expected(*o.batch) : std::nullopt;
    is_meant &= !want || !worst_of(o.answer.value, want->value, 0).differs();
  }
  constexpr size_t telling = 3;
  if (is_meant || (!t.meant && observed.size() < telling)) return "";
  return is_zero ? "value:zero" : is_finite ? "" : has_nan ? "value:nan" : "value:infinite";
}

LossHypothesis named_by_finding(const std::string& id) {
  LossHypothesis h;
  h.ids = {id};
  h.sentence = finding(id).sentence;
  const double x = id == "value:zero" ? 0 : id == "value:nan" ? std::nan("") : INFINITY;
  h.predict = [x](const LossBatch&) { return LossAnswer{{x}, {}, {}, {}}; };
  return h;
}

bool can_be_cleared(PredictionKind kind) {
  return kind == PredictionKind::logits || kind == PredictionKind::log_probs || kind == PredictionKind::row_loss;
}

// What torch.where(mask, …, 0) leaves of cells that do not count: of predictions, or of targets too.
enum class Clearing { nothing, predictions, targets_too };

LossBatch cleared(LossBatch b, Clearing clearing) {
  if (clearing == Clearing::nothing) return b;
  const std::vector<uint8_t> live = live_predictions(b), live_ids = live_targets(b);
  const auto width = static_cast<size_t>(b.width());
  for (size_t n = 0; n < live.size(); ++n)
    if (!live[n]) std::fill_n(b.x.begin() + static_cast<std::ptrdiff_t>(n * width), width, 0.0);
  for (size_t n = 0; clearing == Clearing::targets_too && n < b.inputs.targets.size(); ++n)
    if (!live_ids[n]) b.inputs.targets[n] = 0;
  return b;
}

// What a function that clears them gives: their gradient is 0.
LossAnswer of_cleared_cells(const LossHypothesis& h, const LossBatch& b, Clearing clearing) {
  LossAnswer out = h.predict(cleared(b, clearing));
  const std::vector<uint8_t> live = live_predictions(b);
  const auto width = static_cast<size_t>(b.width());
  for (size_t i = 0; i < out.d_x.size(); ++i)
    if (!live[i / width]) out.d_x[i] = 0;
  return out;
}

// The same once more: of a function that clears what does not count before it makes its mistake, and of one whose
// divisor is a float32, as mask.sum() + 1e-3 is in PyTorch whatever the logits are.
Naming name_otherwise(Trial& t, const std::vector<Observed>& observed, NamingOptions options) {
  constexpr double f32 = 0x1p-24;
  const double exact = options.u;
  double seconds = 0;
  options.one_change = true;
  for (const auto& [clearing, u] :
       {std::pair{Clearing::targets_too, exact}, {Clearing::predictions, exact}, {Clearing::nothing, f32}}) {
    if (clearing == Clearing::nothing ? exact >= f32 : !can_be_cleared(t.program.kind)) continue;
    std::vector<LossBatch> batches;
    std::vector<Observed> seen;
    batches.reserve(observed.size());
    for (const Observed& o : observed) seen.push_back({&batches.emplace_back(cleared(*o.batch, clearing)), o.answer});
    options.u = u;
    Naming naming = name_loss(seen, options);
    seconds += naming.seconds;
    naming.seconds = seconds;
    if (naming.fits.empty()) continue;
    for (LossHypothesis& h : naming.fits) {
      if (u > exact) h.sentence += ", to the precision of float32";
      if (clearing != Clearing::nothing)
        h.predict = [inner = h, how = clearing](const LossBatch& b) { return of_cleared_cells(inner, b, how); };
    }
    if (u > exact && !naming.fits[0].ids.empty()) t.answers_in = std::max(t.answers_in, FloatType::f32);
    return naming;
  }
  Naming none;
  none.seconds = seconds;
  return none;
}

}  // namespace

// The gradient of what is divided is orthogonal to p, Σ p·g = 0; without it every p·g of a row has one sign.
void settle_probs_mode(Trial& t) {
  const bool is_open = t.program.kind == PredictionKind::probs && !(t.meant && says_probs_mode(*t.meant));
  if (!is_open || t.dtype() > FloatType::f32) return;  // in 16 bits they are no distribution
  size_t plain = 0, rows = 0;
  for (size_t i = 0; i < t.replies.size(); ++i) {
    const std::vector<double>&g = t.replies[i].answer.d_x, &p = t.batches[i].x;
    const auto width = static_cast<size_t>(t.batches[i].width());
    for (size_t n = 0; n + width <= g.size() && g.size() == p.size(); n += width) {
      double sum = 0, size = 0;
      for (size_t v = n; v < n + width; ++v) sum += p[v] * g[v], size += std::abs(p[v] * g[v]);
      if (!(size > 0) || !std::isfinite(size)) continue;
      ++rows;
      plain += std::abs(sum) > size / 2;
    }
  }
  if (rows > 0 && plain == rows) t.probs_mode = ProbsMode::strict;
  if (t.meant) t.meant->fixed = t.fixed();
}

size_t name_it(Trial& t) {
  std::vector<Observed> observed, finite;
  for (size_t i = 0; i < t.replies.size(); ++i) {
    if (!t.replies[i].refusal.empty()) continue;
    observed.push_back({&t.batches[i], t.replies[i].answer});
    const std::vector<double>& value = t.replies[i].answer.value;
    if (std::all_of(value.begin(), value.end(), [](double x) { return std::isfinite(x); }))
      finite.push_back(observed.back());
  }
  NamingOptions options;
  options.meant = t.meant;
  options.fixed = t.fixed();
  options.u = t.unit();
  const bool some_are_not = finite.size() < observed.size() && finite.size() >= observed.size() / 2;
  if (const std::string id = id_without_numbers(t, observed); !id.empty())
    t.naming.fits = {named_by_finding(id)};
  else if (!observed.empty())
    t.naming = name_loss(observed, options);
  if (t.naming.fits.empty() && some_are_not) t.naming = name_loss(observed = finite, options);
  if (t.naming.fits.empty() && !observed.empty()) {
    Naming other = name_otherwise(t, observed, options);
    const double seconds = t.naming.seconds + other.seconds;
    if (!other.fits.empty()) t.naming = std::move(other);
    t.naming.seconds = seconds;
  }
  if (!t.naming.fits.empty()) t.found = &t.naming.fits[0];
  return observed.size();
}

}  // namespace seqgrad
