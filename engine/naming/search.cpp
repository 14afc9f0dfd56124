// Stages of the search. In each, a hypothesis falls at the first batch that it misses, the most telling ones first.
#include "engine/naming/search.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "engine/naming/numbers.h"

namespace seqgrad {
namespace {

// Row losses are the same, whatever the reduction.
bool same_row(const LossOptions& a, const LossOptions& b) {
  if (a.class_scope != b.class_scope) return false;
  return a.smoothing == 0 || (a.smoothing_kind == b.smoothing_kind && a.report_kl == b.report_kl &&
                              a.smoothing_excluding == b.smoothing_excluding);
}

// Ids that are excluded from smoothing and yet targets, and the like: a name whose loss takes no such batch is no
// answer.
bool is_refused(std::span<const Observed> observed, LossOptions options) {
  options.nonfinite = Nonfinite::propagate;
  try {
    for (const Observed& o : observed) build_live_rows(shifted(*o.batch).inputs, options);
  } catch (const InputError&) {
    return true;
  }
  return false;
}

// Of the processor, by this thread: what is found does not depend on what else the machine does.
double seconds_worked() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

LossOptions base_options(const NamingOptions& options, const LossBatch& batch) {
  if (options.meant) return options_for(*options.meant, batch);
  if (options.section) return *options.section;
  LossOptions o;
  o.input = batch.kind == PredictionKind::probs ? Input::probs : Input::logits;
  o.target = batch.inputs.dense.empty() ? Target::ids : Target::dense;
  o.smoothing = options.fixed.smoothing;
  o.z_loss = options.fixed.z_loss;
  o.softcap = options.fixed.softcap;
  if (options.fixed.probs_mode) o.probs_mode = *options.fixed.probs_mode;
  return o;
}

}  // namespace

Search::Search(std::span<const Observed> observed, const NamingOptions& options)
    : options_(options),
      observed_(observed),
      batches_(observed.size()),
      few_(!options.meant && (options.simple || batches_ < batches_for_a_number)),
      begin_(std::chrono::steady_clock::now()),
      begin_worked_(seconds_worked()) {
  for (const auto table : {who_edits(), target_edits(), logit_edits(), weight_edits()})
    for (const Edit& e : table) {
      steps_.push_back({&e, Side::both});
      if (!e.parts) continue;
      steps_.push_back({&e, Side::numerator});
      steps_.push_back({&e, Side::divisor});
    }
  if (observed.empty()) return;
  base_ = base_options(options, shifted(*observed[0].batch));
  worlds_ = worlds_of(observed, base_);
  for (World& w : worlds_)
    for (const Reducer& r : w.reducers)
      if (options.meant && !r.names.empty() && r.names[0] == options.meant->name) w.meant = &r;
}

std::vector<World> Search::worlds_of(std::span<const Observed> observed, const LossOptions& options) const {
  std::vector<World> out;
  const Nearness nearness{options_.u, options_.answer_error, few_};
  const LossBatch first = shifted(*observed[0].batch);
  std::vector<LossOptions> refused;
  for (Reducer& r : reducers_of(first.inputs, options, options_.meant ? options_.meant->name : "", few_)) {
    auto world = std::find_if(out.begin(), out.end(), [&](const World& w) { return same_row(w.options, r.options); });
    if (world == out.end()) {
      const auto is_same = [&](const LossOptions& o) { return same_row(o, r.options); };
      if (std::any_of(refused.begin(), refused.end(), is_same)) continue;
      if (few_ && is_refused(observed, r.options)) {
        refused.push_back(r.options);
        continue;
      }
      out.push_back({r.options, {}, {}});
      world = out.end() - 1;
      for (const Observed& o : observed) world->benches.emplace_back(o, r.options, nearness);
      std::stable_sort(world->benches.begin(), world->benches.end(),
                       [](const Bench& a, const Bench& b) { return a.telling() > b.telling(); });
    }
    world->reducers.push_back(std::move(r));
  }
  return out;
}

bool is_form(const Reducer& r) { return r.is_form; }
bool is_odd(const Reducer& r) { return !r.is_form; }

bool Search::out_of_time() const { return seconds_worked() - begin_worked_ > options_.seconds; }

// Reducers of a kind that give every batch's answer, of what `made_of` makes of it.
std::vector<const Reducer*> Search::fitting(World& world, Which which, const MadeOf& made_of) {
  std::vector<const Reducer*> left;
  for (const Reducer& r : world.reducers)
    if (which(r)) left.push_back(&r);
  for (Bench& bench : world.benches) {
    const Made& made = made_of(bench);
    std::erase_if(left, [&](const Reducer* r) { return !bench.fits(*r, made); });
    if (left.empty()) break;
  }
  // An epsilon that makes no difference names nothing.
  if (!few_)
    std::stable_partition(left.begin(), left.end(), [](const Reducer* r) { return r->options.divide_eps == 0; });
  std::stable_partition(left.begin(), left.end(), [&](const Reducer* r) { return r == world.meant; });
  return left;
}

std::vector<Fit> Search::plain(Which which) {
  std::vector<Fit> out;
  for (World& w : worlds_)
    if (auto r = fitting(w, which, [](Bench& b) -> const Made& { return b.plain(); }); !r.empty())
      out.push_back({&w, {}, std::move(r)});
  return out;
}

bool Search::effective(World& world, size_t i) {
  return std::any_of(world.benches.begin(), world.benches.end(),
                     [&](Bench& b) { return b.with(i, steps_[i]).changed; });
}

std::vector<Fit> Search::one_step() {
  std::vector<Fit> out;
  for (World& w : worlds_)
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (!effective(w, i)) continue;
      auto r = fitting(w, is_form, [&](Bench& b) -> const Made& { return b.with(i, steps_[i]); });
      if (!r.empty()) out.push_back({&w, {{steps_[i]}}, std::move(r)});
    }
  return out;
}

std::vector<Fit> Search::odd_step() {
  std::vector<Fit> out;
  for (World& w : worlds_)
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].side != Side::both || !effective(w, i)) continue;
      auto r = fitting(w, is_odd, [&](Bench& b) -> const Made& { return b.with(i, steps_[i]); });
      if (!r.empty()) out.push_back({&w, {{steps_[i]}}, std::move(r)});
    }
  return out;
}

std::vector<Fit> Search::two_steps() {
  std::vector<Fit> out;
  for (World& w : worlds_) {
    std::vector<size_t> useful;
    for (size_t i = 0; i < steps_.size(); ++i)
      if (effective(w, i)) useful.push_back(i);
    for (const size_t i : useful)
      for (const size_t j : useful) {
        const Step &a = steps_[i], &b = steps_[j];
        if (a.edit->group >= b.edit->group || (a.side != Side::both && b.side != Side::both)) continue;
        if (out_of_time()) {
          stopped_ = true;
          return out;
        }
        Made made;
        auto r = fitting(w, is_form, [&](Bench& bench) -> const Made& { return made = bench.with(i, a, j, b); });
        if (!r.empty()) out.push_back({&w, {{a, b}}, std::move(r)});
      }
  }
  return out;
}

// What people multiply a loss by, and is believed of one answer that has digits enough.
bool is_usual_constant(double x, double error) {
  const NamedNumber n = named_constant(x, error * std::abs(x));
  return n.text == "2" || n.text == "1/2" || n.text == "−1" || n.text == "ln 2" || n.text == "1/ln 2";
}

// One factor that is the same in all batches. It is told from the answer that is the most certain.
void Search::fit_constant(World& world, const Changes& changes, const MadeOf& made_of, std::vector<Fit>& out) {
  for (const Reducer& r : world.reducers) {
    if (r.exponential || !r.is_form) continue;
    double constant = 0;
    bool fits = true;
    size_t told = 0;
    for (Bench& bench : world.benches) {
      const Made& made = made_of(bench);
      if (r.entries(*made.numerator) != bench.answer().size()) fits = false;
      if (!fits) break;
      const Predicted& p = bench.predicted(r, made);
      for (size_t i = 0; i < p.value.size() && constant == 0; ++i)
        if (!p.empty[i] && p.value[i] != 0 && bench.answer()[i] != 0) constant = bench.answer()[i] / p.value[i];
      fits = constant == 0 || same(bench.answer(), p, constant, 2);
      told += constant != 0;
    }
    const double error = std::max(1e-9, 4 * options_.answer_error);
    if (!fits || !std::isfinite(constant) || constant == 0 || std::abs(constant - 1) < error) continue;
    if (few_ ? !is_usual_constant(constant, error) : told < batches_for_a_number) continue;
    const auto known = std::find_if(out.begin(), out.end(), [&](const Fit& f) {
      return f.world == &world && std::abs(f.constant - constant) <= 1e-6 * std::abs(constant) &&
             f.changes.steps.size() == changes.steps.size() &&
             (changes.steps.empty() ||
              (f.changes.steps[0].edit == changes.steps[0].edit && f.changes.steps[0].side == changes.steps[0].side));
    });
    if (known != out.end())
      known->reducers.push_back(&r);
    else
      out.push_back({&world, changes, {&r}, constant});
  }
}

std::vector<Fit> Search::constants(bool with_steps) {
  std::vector<Fit> out;
  if (batches_ < batches_for_a_number && !few_) return out;
  for (World& w : worlds_) {
    if (!with_steps)
      fit_constant(
          w, {}, [](Bench& b) -> const Made& { return b.plain(); }, out);
    for (size_t i = 0; with_steps && i < steps_.size(); ++i)
      if (effective(w, i))
        fit_constant(
            w, {{steps_[i]}}, [&](Bench& b) -> const Made& { return b.with(i, steps_[i]); }, out);
  }
  return out;
}

// An epsilon in the divisor: value = N/(D + ε), with one ε in all batches.
std::vector<Fit> Search::epsilons() {
  std::vector<Fit> out;
  for (World& w : worlds_)
    for (const Reducer& r : w.reducers) {
      const Divide& d = r.options.divide;
      const bool is_constant = d.flat == "one" || d.flat == "const";  // of many answers that is one factor
      if (!r.is_form || r.exponential || r.options.over != Over::all || d.nested() || (is_constant && !few_) ||
          r.options.divide_eps > 0)
        continue;
      double epsilon = 0, sharpest = 0, at = 0;
      for (Bench& b : w.benches) {  // from where it moves the value most
        const Predicted& p = b.predicted(r, b.plain());
        if (b.answer().size() != 1 || p.empty[0] || b.answer()[0] == 0) continue;
        const double divisor = divisor_value(d, d.flat, b.plain().divisor->all);
        const double moved = std::abs(p.value[0]) / divisor / p.tolerance[0];
        if (moved > sharpest) sharpest = moved, at = divisor, epsilon = divisor * (p.value[0] / b.answer()[0] - 1);
      }
      if (!(std::abs(epsilon) * sharpest > 4)) continue;
      epsilon = rounded_number(epsilon, 4 / sharpest);
      const double power = std::log10(epsilon);
      const bool is_power = std::abs(power - std::round(power)) < 1e-9 && power > -12.5 && epsilon < 0.2 * at;
      // "− 1" is what people write of counts, where the answers are sharp enough to tell.
      const bool is_one = few_ && !is_constant && std::abs(epsilon) == 1 && sharpest > 16 && at > 2;
      const bool telling = (batches_ >= batches_for_a_number && !few_) || is_power || is_one;
      const auto holds = [&](Bench& b) {
        const double divisor = divisor_value(d, d.flat, b.plain().divisor->all);
        if (b.answer().size() != 1) return false;
        const Predicted& p = b.predicted(r, b.plain());
        return same(b.answer(), p, divisor / (divisor + epsilon), 2);
      };
      if (telling && std::all_of(w.benches.begin(), w.benches.end(), holds)) out.push_back({&w, {}, {&r}, 1, epsilon});
    }
  return out;
}

// Whether rows keep the direction of their gradient, which is what `Observed::rows` were told from.
bool keeps_directions(const Changes& changes) {
  return !changes.solved && std::all_of(changes.steps.begin(), changes.steps.end(), [](const Step& s) {
    return !s.touches_rows() || s.edit->group == EditGroup::weights;
  });
}

// Those whose rows pull as the gradients tell, where there are such.
std::vector<Fit> Search::by_gradient(std::vector<Fit> fits) {
  const auto told = [](const Bench& b) { return !b.observed().rows.empty(); };
  if (std::none_of(worlds_[0].benches.begin(), worlds_[0].benches.end(), told)) return fits;
  std::vector<Fit> out;
  for (const Fit& f : fits) {
    if (!keeps_directions(f.changes)) continue;
    Fit agreeing = f;
    std::erase_if(agreeing.reducers, [&](const Reducer* r) {
      return !std::all_of(f.world->benches.begin(), f.world->benches.end(), [&](Bench& b) {
        if (!told(b)) return true;
        const Made made = made_for(b, f);
        const double d =
            f.epsilon == 0 ? 1 : divisor_value(r->options.divide, r->options.divide.flat, made.divisor->all);
        return b.fits_rows(*r, made, f.constant * d / (d + f.epsilon));
      });
    });
    if (!agreeing.reducers.empty()) out.push_back(std::move(agreeing));
  }
  return out.empty() && !options_.by_gradient ? fits : out;
}

Naming Search::run() {
  Naming out;
  const std::vector<std::vector<Fit> (*)(Search&)> stages = {[](Search& s) { return s.plain(is_form); },
                                                             [](Search& s) { return s.constants(false); },
                                                             [](Search& s) { return s.epsilons(); },
                                                             [](Search& s) {
                                                               std::vector<Fit> fits = s.one_step(),
                                                                                odd = s.plain(is_odd);
                                                               fits.insert(fits.end(), odd.begin(), odd.end());
                                                               return fits;
                                                             },
                                                             [](Search& s) { return s.solved(false); },
                                                             [](Search& s) { return s.constants(true); },
                                                             [](Search& s) { return s.odd_step(); },
                                                             [](Search& s) { return s.two_steps(); },
                                                             [](Search& s) { return s.solved(true); }};
  if (few_ && !worlds_.empty()) out.fits = told_of_few(of_few_answers());
  constexpr size_t of_one_change = 5;  // the first stages, up to the first solved()
  const size_t most = options_.one_change ? of_one_change : stages.size();
  for (const auto& stage : std::span(stages).first(most)) {
    if (out_of_time()) stopped_ = true;
    if (stopped_ || worlds_.empty() || few_) break;
    if (std::vector<Fit> fits = by_gradient(stage(*this)); !fits.empty()) {
      out.fits = told(std::move(fits));
      break;
    }
  }
  if (out.fits.empty()) out.nearest = nearest();
  out.stopped = stopped_ && out.fits.empty();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  return out;
}

Naming name_loss(std::span<const Observed> observed, const NamingOptions& options) {
  return Search(observed, options).run();
}

}  // namespace seqgrad
