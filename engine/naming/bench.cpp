#include "engine/naming/bench.h"

#include <algorithm>
#include <cmath>

namespace seqgrad {
namespace {

constexpr double floor_of_naming = 1e-9;  // relative: what a program's own arithmetic may be off beside u

std::shared_ptr<const Cells> shared_cells(const Variant& x) { return std::make_shared<const Cells>(cells_of(x)); }
std::shared_ptr<const std::vector<double>> shared_losses(const Variant& x) {
  return std::make_shared<const std::vector<double>>(row_losses(x));
}

}  // namespace

std::string Step::words() const {
  std::string out = edit->words;
  if (side == Side::numerator) out += ", above the line only";
  if (side == Side::divisor) out += ", in the divisor only";
  return out;
}

bool apply(const Changes& changes, Variant& numerator, Variant& divisor) {
  bool changed = false;
  const auto change = [&](Variant& x, const auto& made) {  // one that changes nothing leaves no trace
    Variant before = x;
    if (made(x))
      changed = true;
    else
      x = std::move(before);
  };
  for (const Step& s : changes.steps) {
    if (s.side != Side::divisor) change(numerator, s.edit->apply);
    if (s.side != Side::numerator) change(divisor, s.edit->apply);
  }
  if (changes.solved)
    for (Variant* x : {&numerator, &divisor})
      if (x == &numerator || !changes.solved->numerator_only)
        change(*x, [&](Variant& v) { return changes.solved->apply(v, changes.number); });
  return changed;
}

Made make(const Variant& base, const Changes& changes) {
  Variant numerator = base, divisor = base;
  Made out;
  out.changed = apply(changes, numerator, divisor);
  out.losses = shared_losses(numerator);
  out.numerator = shared_cells(numerator);
  out.divisor = shared_cells(divisor);
  return out;
}

void predict(const Reducer& reducer, const Made& made, double top, double u, Predicted& out) {
  Scaled& scaled = out.scaled;
  const Cells& cells = *made.numerator;
  const std::vector<double>& losses = *made.losses;
  reducer.scale({cells, *made.divisor, losses}, scaled);
  const size_t entries = reducer.entries(cells);
  out.value.assign(entries, 0.0);
  out.tolerance.assign(entries, 0.0);
  out.empty = scaled.empty;
  const double factor = 8 * (u * (1 + top) + sum_roundoff(u) * (std::sqrt(static_cast<double>(losses.size())) +
                                                                static_cast<double>(cells.classes)));
  for (size_t n = 0; n < losses.size(); ++n) {
    const double c = scaled.coefficient[n];
    if (c == 0) continue;
    const size_t i = entries == 1 ? 0 : reducer.entry_of(n, cells.steps);
    out.value[i] += c * losses[n];
    out.tolerance[i] += std::abs(c) * std::max(1.0, std::abs(losses[n]));
  }
  for (size_t i = 0; i < entries; ++i) {
    if (reducer.exponential) out.value[i] = std::exp(out.value[i]), out.tolerance[i] *= out.value[i];
    out.tolerance[i] = std::max(out.tolerance[i] * factor, floor_of_naming * std::abs(out.value[i]));
  }
}

bool same(const std::vector<double>& answer, const Predicted& p, double constant, double slack) {
  if (answer.size() != p.value.size()) return false;
  for (size_t i = 0; i < answer.size(); ++i) {
    if (p.empty[i] && (answer[i] == 0 || !std::isfinite(answer[i]))) continue;
    if (p.empty[i]) return false;
    const double tolerance = slack * std::abs(constant) * p.tolerance[i];
    if (!(std::abs(answer[i] - constant * p.value[i]) <= tolerance)) return false;
  }
  return true;
}

Bench::Bench(const Observed& observed, const LossOptions& options, const Nearness& nearness)
    : observed_(&observed), base_(variant_of(*observed.batch, options)), nearness_(nearness) {
  if (has_plain_ids(base_)) sums_ = log_sums(base_);
  if (base_.kind == PredictionKind::logits)
    for (const double z : base_.x)
      if (std::isfinite(z)) top_ = std::max(top_, std::abs(z));
  plain_.losses = losses_of(base_);
  plain_.numerator = plain_.divisor = shared_cells(base_);
}

std::shared_ptr<const std::vector<double>> Bench::losses_of(const Variant& x) const {
  return std::make_shared<const std::vector<double>>(row_losses(x, sums_ ? &*sums_ : nullptr));
}

bool Bench::is_heavy(const Step& step) const {
  constexpr size_t most = 1 << 18;  // classes of all rows
  return step.touches_rows() && base_.x.size() > most && (step.edit->group == EditGroup::logits || !sums_);
}

const Made& Bench::with(size_t index, const Step& step) {
  const auto [at, is_new] = kept_.try_emplace(index);
  Made& made = at->second;
  if (!is_new) return made;
  Variant changed = base_;
  made = plain_;
  made.changed = step.edit->apply(changed);
  if (!made.changed) return made;
  if (step.touches_rows()) made.losses = losses_of(changed);
  if (!step.edit->cells) return made;
  const auto cells = shared_cells(changed);
  if (step.side != Side::divisor) made.numerator = cells;
  if (step.side != Side::numerator) made.divisor = cells;
  return made;
}

Made Bench::with(size_t a, const Step& first, size_t b, const Step& second) {
  const Made &x = with(a, first), &y = with(b, second);
  if (!x.changed) return y;
  if (!y.changed) return x;
  const bool rows = first.touches_rows() && second.touches_rows(), cells = first.edit->cells && second.edit->cells;
  Made out = x;
  out.changed = true;
  if (!first.touches_rows()) out.losses = y.losses;
  if (!first.edit->cells) out.numerator = y.numerator, out.divisor = y.divisor;
  if (!rows && !cells) return out;
  Variant numerator = base_, divisor = base_;
  apply({{first, second}}, numerator, divisor);
  if (rows || numerator.inputs.steps != base_.inputs.steps) out.losses = shared_losses(numerator);
  if (cells) out.numerator = shared_cells(numerator), out.divisor = shared_cells(divisor);
  return out;
}

Predicted& Bench::predicted(const Reducer& reducer, const Made& made) {
  predict(reducer, made, top_, nearness_.u, scratch_);
  if (nearness_.answer_error == 0) return scratch_;
  double largest = 0;
  for (const std::vector<double>* numbers : {&std::as_const(scratch_.value), &answer()})
    for (const double x : *numbers)
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  for (double& t : scratch_.tolerance) t = nearness_.answer_error * largest;
  return scratch_;
}

namespace {

// An entry that nothing divides is what its reduction says.
bool is_empty_value(double answer, const Reducer& r) {
  if (r.options.on_zero == OnZero::error) return false;
  return r.is_form && std::isnan(empty_value(r.options)) ? std::isnan(answer) : answer == 0;
}

bool is_same_special(double a, double b) { return (std::isnan(a) && std::isnan(b)) || (std::isinf(a) && a == b); }

}  // namespace

bool Bench::fits(const Reducer& reducer, const Made& made, double constant, double slack) {
  if (reducer.entries(*made.numerator) != answer().size()) return false;
  const Predicted& p = predicted(reducer, made);
  if (!nearness_.few) return same(answer(), p, constant, slack);
  for (size_t i = 0; i < p.value.size(); ++i) {
    const double got = answer()[i];
    if (p.empty[i] ? !is_empty_value(got, reducer)
                   : !is_same_special(got, p.value[i]) && !(std::abs(got - p.value[i]) <= p.tolerance[i]))
      return false;
  }
  return !p.value.empty();
}

double Bench::distance(const Reducer& reducer, const Made& made) {
  const Predicted& p = predicted(reducer, made);
  double largest = 0, most = 0;
  for (size_t i = 0; i < p.value.size() && i < answer().size(); ++i) {
    if (!std::isfinite(p.value[i]) || !std::isfinite(answer()[i])) continue;
    largest = std::max({largest, std::abs(p.value[i]), std::abs(answer()[i])});
    most = std::max(most, std::abs(p.value[i] - answer()[i]));
  }
  return largest == 0 ? 0 : most / largest;
}

bool Bench::fits_rows(const Reducer& reducer, const Made& made, double factor) {
  constexpr double near = 1e-5;  // what gradients of float32 tell
  const std::vector<double>&rows = observed_->rows, &losses = *made.losses;
  if (rows.empty() || rows.size() != losses.size() || reducer.exponential) return false;
  reducer.scale({*made.numerator, *made.divisor, losses}, scratch_.scaled);
  double largest = 0;
  for (const double x : rows) largest = std::max(largest, std::abs(x));
  const double tolerance = std::max(near, 4 * nearness_.answer_error) * largest;
  for (size_t n = 0; n < rows.size(); ++n) {
    const double c = factor * scratch_.scaled.coefficient[n];
    if (!(std::abs((c == 0 ? 0 : c * losses[n]) - rows[n]) <= tolerance)) return false;
  }
  return true;
}

double Bench::telling() const {
  std::vector<int64_t> lengths;
  for (const Counts& c : plain_.numerator->by_example) lengths.push_back(c.active);
  std::sort(lengths.begin(), lengths.end());
  const auto distinct = std::unique(lengths.begin(), lengths.end()) - lengths.begin();
  return static_cast<double>(distinct) * std::sqrt(static_cast<double>(plain_.numerator->all.active));
}

}  // namespace seqgrad
