// One or two answers: the stages, from the simplest explanation on, end at one change.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/naming/search.h"

namespace seqgrad {
namespace {

// A mean of micro-batches' means is no loss section's, and yet what many loops print.
bool is_usual_reducer(const Reducer& r) { return r.is_form || r.id == "micro:mean_of_means"; }

// Sums and means of vectors are left to usual changes.
bool is_plain_form(const Reducer& r) { return r.is_form && r.options.then == Then::nothing; }

// Changes of weights before those of smoothing, of who counts, of targets, of logits: the order in which one would
// look.
int place_of(EditGroup group) {
  switch (group) {
    case EditGroup::weights: return 0;
    case EditGroup::smoothing: return 1;
    case EditGroup::who: return 2;
    case EditGroup::targets: return 3;
    case EditGroup::logits: return 4;
  }
  return 5;
}

bool is_other_kind(const Variant& a, const Variant& b) {
  return a.kind != b.kind || a.inputs.dense.empty() != b.inputs.dense.empty() ||
         a.inputs.class_weight.has_value() != b.inputs.class_weight.has_value();
}

}  // namespace

bool Search::is_usual(const Step& s) const {
  return s.side == Side::both && s.edit->usual && s.edit->usual(worlds_[0].benches[0].base());
}

std::vector<size_t> Search::steps_by_simplicity() const {
  std::vector<std::tuple<bool, bool, int, size_t>> ranks;
  for (size_t i = 0; i < steps_.size(); ++i)
    ranks.emplace_back(steps_[i].side != Side::both, !is_usual(steps_[i]), place_of(steps_[i].edit->group), i);
  std::sort(ranks.begin(), ranks.end());
  std::vector<size_t> out;
  for (const auto& rank : ranks) out.push_back(std::get<3>(rank));
  return out;
}

// Chance gives one of thousands of hypotheses where the answers have few digits.
bool Search::is_precise() const {
  constexpr double digits = 5;
  size_t numbers = 0;
  for (const Bench& b : worlds_[0].benches)
    numbers += static_cast<size_t>(
        std::count_if(b.answer().begin(), b.answer().end(), [](double x) { return std::isfinite(x) && x != 0; }));
  const double error = options_.answer_error > 0 ? options_.answer_error : std::max(options_.u, 1e-9);
  return -std::log10(error) * static_cast<double>(numbers) >= digits;
}

// Worlds of the changed batches where the change makes them another kind; null where it does not.
std::vector<World>* Search::changed_worlds(size_t step) {
  ChangedBatches made;
  LossOptions options = base_;
  for (const Observed& o : observed_) {
    const std::vector<Bench>& benches = worlds_[0].benches;
    const auto bench =
        std::find_if(benches.begin(), benches.end(), [&](const Bench& b) { return &b.observed() == &o; });
    Variant changed = bench->base();
    changed.options = base_;
    if (steps_[step].side != Side::both || !steps_[step].edit->apply(changed)) return nullptr;
    if (changed.formula || !is_other_kind(changed, bench->base())) return nullptr;
    options = changed.options;
    options.input = changed.kind == PredictionKind::probs ? Input::probs : Input::logits;
    options.target = changed.inputs.dense.empty() ? Target::ids : Target::dense;
    LossBatch batch;
    batch.kind = changed.kind;
    batch.inputs = std::move(changed.inputs);
    batch.x = changed.x;
    made.batches.push_back(std::move(batch));
  }
  changed_.push_back(std::move(made));
  ChangedBatches& kept = changed_.back();
  for (size_t i = 0; i < kept.batches.size(); ++i)
    kept.observed.push_back({&kept.batches[i], observed_[i].answer, observed_[i].rows});
  kept.worlds = worlds_of(kept.observed, options);
  for (World& w : kept.worlds) w.is_changed = true;
  return &kept.worlds;
}

std::vector<Fit> Search::with_step(size_t i, Which which) {
  std::vector<Fit> out;
  const Changes changes{{steps_[i]}};
  if (std::vector<World>* worlds = changed_worlds(i)) {
    for (World& w : *worlds)
      if (auto r = fitting(w, which, [](Bench& b) -> const Made& { return b.plain(); }); !r.empty())
        out.push_back({&w, changes, std::move(r)});
    return out;
  }
  for (World& w : worlds_) {
    if (!effective(w, i)) continue;
    auto r = fitting(w, which, [&](Bench& b) -> const Made& { return b.with(i, steps_[i]); });
    if (!r.empty()) out.push_back({&w, changes, std::move(r)});
  }
  return out;
}

// Typed digits may let several pass: what is nearer than the others by far is meant.
std::vector<Fit> Search::closest(std::vector<Fit> fits) {
  fits = by_gradient(std::move(fits));
  if (options_.answer_error == 0) return fits;
  const auto distance = [&](const Fit& f, const Reducer& r) {
    double most = 0;
    for (Bench& b : f.world->benches) most = std::max(most, b.distance(r, made_for(b, f)));
    return most;
  };
  double least = INFINITY;
  for (const Fit& f : fits)
    for (const Reducer* r : f.reducers) least = std::min(least, distance(f, *r));
  if (least >= 1e-3 * options_.answer_error) return fits;
  for (Fit& f : fits)
    std::erase_if(f.reducers, [&](const Reducer* r) { return distance(f, *r) > 1e-2 * options_.answer_error; });
  std::erase_if(fits, [](const Fit& f) { return f.reducers.empty(); });
  return fits;
}

std::vector<Fit> Search::of_few_answers() {
  if (auto fits = closest(plain(is_usual_reducer)); !fits.empty()) return fits;
  if (auto fits = by_gradient(epsilons()); !fits.empty()) return fits;
  const std::vector<size_t> steps = steps_by_simplicity();
  const auto first_rare = std::find_if(steps.begin(), steps.end(), [&](size_t i) { return !is_usual(steps_[i]); });
  for (auto i = steps.begin(); i != first_rare; ++i)
    if (auto fits = closest(with_step(*i, is_usual_reducer)); !fits.empty()) return fits;
  if (!is_precise()) return {};
  // Of answers with gradients the caller tells a factor, which the gradient has too (engine/check/name_case.cpp).
  const bool has_rows =
      std::any_of(observed_.begin(), observed_.end(), [](const Observed& o) { return !o.rows.empty(); });
  if (auto fits = has_rows ? std::vector<Fit>{} : closest(constants(false)); !fits.empty()) return fits;
  if (auto fits = closest(plain(is_odd)); !fits.empty()) return fits;
  // Nothing makes one of the others likelier than the next: all that fit are told, of one side of the division last.
  const auto first_side = std::find_if(first_rare, steps.end(), [&](size_t i) { return steps_[i].side != Side::both; });
  for (const auto& [from, to] : {std::pair{first_rare, first_side}, {first_side, steps.end()}}) {
    std::vector<Fit> all;
    for (auto i = from; i != to; ++i) {
      if (worlds_[0].benches[0].is_heavy(steps_[*i])) continue;
      for (Fit& f : with_step(*i, is_plain_form)) all.push_back(std::move(f));
    }
    if (auto fits = closest(std::move(all)); !fits.empty()) return fits;
  }
  return {};
}

}  // namespace seqgrad
