// The ranges of the options, and the names of the units.
#include "engine/loss/options.h"

#include <algorithm>
#include <cmath>

#include "engine/loss/divisors.h"
#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

void check_excluded(const LossOptions& o, int64_t classes) {
  const auto k = static_cast<int64_t>(o.smoothing_excluding.size());
  if (classes <= 1 + k)
    refuse(LossCode::range, "loss: smoothing.kind: others_excluding {} ids needs more than {} classes, got V={}", k,
           1 + k, classes);
  for (size_t i = 0; i < o.smoothing_excluding.size(); ++i) {
    const int64_t v = o.smoothing_excluding[i];
    if (v < 0 || v >= classes)
      refuse(LossCode::range, "loss: smoothing.excluding: id {} is outside [0,{})", v, classes);
    const auto before = o.smoothing_excluding.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(o.smoothing_excluding.begin(), before, v) != before)
      refuse(LossCode::range, "loss: smoothing.excluding: id {} is listed twice", v);
  }
}

}  // namespace

void check_options(const LossOptions& o, int64_t classes) {
  const auto named = [&](const std::string& name, bool Divisor::*place, const char* key) {
    if (name == "const") return;
    const Divisor& d = divisor(name);
    if (place && !(d.*place)) refuse(LossCode::unknown_option, "loss: divide: {{{}: {}}} has no meaning", key, name);
  };
  if (o.divide.nested()) {
    named(o.divide.time, &Divisor::inner, "time");
    named(o.divide.batch, &Divisor::outer, "batch");
    if (o.over != Over::all)
      refuse(LossCode::unknown_option, "loss: a nested divisor gives a scalar; it goes with over: all");
  } else {
    named(o.divide.flat, nullptr, "");
  }
  if ((o.divide.flat == "const" || o.divide.time == "const" || o.divide.batch == "const") && !(o.divide.k > 0))
    refuse(LossCode::range, "loss: divide: {{const: k}} needs k > 0, got {}", o.divide.k);
  if (o.then != Then::nothing && o.over == Over::all)
    refuse(LossCode::unknown_option, "loss: reduce.then folds a vector loss; over: all gives a scalar already");
  if (!(o.smoothing >= 0 && o.smoothing < 1))
    refuse(LossCode::range, "loss: smoothing.epsilon must lie in [0,1), got {}", o.smoothing);
  if (o.softcap && !(*o.softcap > 0 && std::isfinite(*o.softcap)))
    refuse(LossCode::range, "loss: softcap must be above 0, got {}", *o.softcap);
  if (!(o.z_loss >= 0)) refuse(LossCode::range, "loss: z_loss must be at least 0, got {}", o.z_loss);
  if (!(o.divide_eps >= 0)) refuse(LossCode::range, "loss: reduce.divide_eps must be at least 0, got {}", o.divide_eps);
  if (o.smoothing > 0 && o.smoothing_kind == SmoothingKind::others && classes < 2)
    refuse(LossCode::range, "loss: smoothing.kind: others needs at least 2 classes, got V={}", classes);
  if (o.smoothing > 0 && o.smoothing_kind == SmoothingKind::others_excluding) check_excluded(o, classes);
  if (o.target == Target::dense) {
    if (o.ignore_index)
      refuse(LossCode::combination, "loss: ignore_index has no meaning with target: dense; use a mask or lengths");
    if (o.smoothing > 0 &&
        (o.smoothing_kind == SmoothingKind::others || o.smoothing_kind == SmoothingKind::others_excluding))
      refuse(LossCode::combination,
             "loss: smoothing.kind: others needs target: ids; with target: dense write uniform or prior");
  }
  if (o.input == Input::probs) {
    if (!(o.probs_eps >= 0 && o.probs_eps < 0.5))
      refuse(LossCode::range, "loss: probs.eps must lie in [0,0.5), got {}", o.probs_eps);
    if (o.softcap) refuse(LossCode::combination, "loss: softcap has no meaning with input: probs");
    if (o.z_loss > 0) refuse(LossCode::combination, "loss: z_loss has no meaning with input: probs");
  }
}

std::string unit_of(const LossOptions& o) {
  if (!o.report.divide.empty())
    return o.report.exponential ? " (perplexity)" : std::string(divisor(o.report.divide).unit);
  std::string name = o.divide.nested() ? o.divide.batch : o.divide.flat;
  if (o.then == Then::sum) name = "one";
  if (o.then == Then::mean)  // over the entries: a sentence, a time step or a cell each
    name = o.over == Over::time ? "batch" : o.over == Over::batch ? "steps" : "positions";
  if (name == "const") return fmt::format("/{}", o.divide.k);
  return divisor(name).unit;
}

}  // namespace seqgrad
