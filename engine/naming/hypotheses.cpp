// From what fits to what is told: ids, a sentence, names, and what it predicts.
#include <algorithm>
#include <cmath>

#include "engine/loss/presets.h"
#include "engine/naming/numbers.h"
#include "engine/naming/search.h"

namespace seqgrad {
namespace {

// All that a prediction needs, apart from the search that found it.
struct Explanation {
  LossOptions options;
  Reducer reducer;
  Changes changes;
  double constant = 1, epsilon = 0;
};

LossAnswer predict(const Explanation& e, const LossBatch& batch) {
  const Variant base = variant_of(batch, e.options);
  const Made made = make(base, e.changes);
  Predicted p;
  predict(e.reducer, made, 0, 0, p);
  if (e.changes.solved && e.changes.solved->linear) {  // which says what it means at 0 and at 1
    std::vector<double> ends[2];
    for (const int number : {0, 1}) {
      Changes changes = e.changes;
      changes.number = number;
      predict(e.reducer, make(base, changes), 0, 0, p);
      ends[number] = p.value;
    }
    for (size_t i = 0; i < p.value.size(); ++i)
      p.value[i] = ends[0][i] + e.changes.number * (ends[1][i] - (e.changes.solved->adds ? 0 : ends[0][i]));
  }
  LossAnswer out;
  double factor = e.constant;
  if (e.epsilon != 0) {
    const double d = divisor_value(e.reducer.options.divide, e.reducer.options.divide.flat, made.divisor->all);
    factor *= d == 0 ? 0 : d / (d + e.epsilon);
  }
  for (const double x : p.value) out.value.push_back(factor * x);
  return out;
}

// The same function of these inputs, to rounding.
bool alike(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= 1e-11 * std::abs(a[i])) && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}

// A preset with a constant that the caller chooses, where the answer has one: "trl.dr_grpo[k=10]".
std::string with_constant(const Reducer& r, double constant) {
  const LossOptions& o = r.options;
  for (const Preset& p : presets())
    if (r.is_form && p.divide.k > 0 && o.over == p.over && o.divide.flat == p.divide.batch && o.divide_eps == 0)
      return fmt::format("{}[k={}]", p.name, rounded_number(1 / constant, 1e-6 / constant));
  return "";
}

bool same_reduction(const LossOptions& meant, const Reducer& r) {
  const LossOptions& o = r.options;
  return r.is_form && !r.exponential && o.over == meant.over && o.divide == meant.divide &&
         o.divide_eps == meant.divide_eps && o.then == meant.then;
}

// Presets differ in their row loss where there is smoothing, or class weights.
void add_other_row_loss(const LossOptions& meant, const LossOptions& o, std::vector<std::string>& ids) {
  if (o.class_scope != meant.class_scope) ids.emplace_back("weights:class_scope");
  if (o.smoothing == 0) return;
  if (o.smoothing_kind != meant.smoothing_kind || o.smoothing_excluding != meant.smoothing_excluding)
    ids.emplace_back("smoothing:kind");
  if (o.report_kl != meant.report_kl) ids.emplace_back("smoothing:kl");
}

std::string number_text(double x) { return fmt::format("{:.9g}", x); }

// "1e-3", "0.02", "-1".
std::string epsilon_text(double x) {
  if (std::abs(x) >= 1) return number_text(x);
  const double power = std::log10(x);
  return std::abs(power - std::round(power)) < 1e-9 ? fmt::format("1e{:.0f}", power) : number_text(x);
}

std::string change_of(const Fit& fit) {
  std::vector<std::string> out;
  for (const Step& s : fit.changes.steps) out.push_back(s.words());
  if (fit.changes.solved)
    out.push_back(fmt::format(fmt::runtime(fit.changes.solved->words), number_text(fit.changes.number)));
  if (fit.constant != 1)
    out.push_back(fmt::format("times {}", named_constant(fit.constant, 1e-6 * std::abs(fit.constant)).text));
  if (fit.epsilon != 0) out.push_back(fmt::format("with {} added to the divisor", epsilon_text(fit.epsilon)));
  return fmt::format("{}", fmt::join(out, ", "));
}

Explanation explanation_of(const Fit& fit, const Reducer& r) {
  return {fit.world->options, r, fit.changes, fit.constant, fit.epsilon};
}

}  // namespace

LossHypothesis Search::hypothesis_of(const Fit& fit) const {
  const Reducer& r = *fit.reducers[0];
  LossHypothesis h;
  h.sentence = r.sentence;
  for (const Step& s : fit.changes.steps) {
    h.ids.emplace_back(s.edit->id);
    h.sentence += ", " + s.words();
  }
  if (fit.changes.solved) {
    h.ids.emplace_back(fit.changes.solved->id);
    h.sentence += ", " + fmt::format(fmt::runtime(fit.changes.solved->words), number_text(fit.changes.number));
  }
  if (fit.constant != 1) {
    const NamedNumber c = named_constant(fit.constant, 1e-6 * std::abs(fit.constant));
    h.ids.push_back(c.id);
    h.sentence = fmt::format("{} times {}", c.text, h.sentence);
  }
  if (fit.epsilon != 0) {
    h.ids.emplace_back("divisor:epsilon");
    h.sentence += fmt::format(", with {} added to the divisor", number_text(fit.epsilon));
  }
  const bool other = options_.meant && fit.reducers[0] != fit.world->meant;
  if (other) add_other_row_loss(base_, r.options, h.ids);
  if ((other && !same_reduction(base_, r)) || !r.is_form || r.exponential) h.ids.push_back(r.id);
  if (fit.constant > 0 && fit.constant < 1 && r.is_form && r.id == "divisor:one" && h.ids.size() >= 2 &&
      h.ids.back() == r.id && std::erase(h.ids, named_constant(fit.constant, 1e-6 * fit.constant).id) > 0)
    h.ids.back() = "divisor:constant";
  h.constant = fit.constant;
  if (r.is_form && !r.exponential) h.options = r.options;
  if (const std::string name = fit.constant == 1 ? "" : with_constant(r, fit.constant); !name.empty())
    h.names.push_back(name);
  for (const Reducer* each : fit.reducers)
    for (const std::string& name : each->names) h.names.push_back(name);
  std::stable_partition(h.names.begin(), h.names.end(),
                        [](const std::string& n) { return n.find_first_of("{ ") == std::string::npos; });
  h.predict = [e = explanation_of(fit, r)](const LossBatch& batch) { return predict(e, batch); };
  return h;
}

Made Search::made_for(Bench& bench, const Fit& fit) {
  const std::vector<Step>& steps = fit.changes.steps;
  if (fit.changes.solved || steps.size() > 1) return make(bench.base(), fit.changes);
  if (steps.empty() || fit.world->is_changed) return bench.plain();
  const auto at = std::find_if(steps_.begin(), steps_.end(),
                               [&](const Step& s) { return s.edit == steps[0].edit && s.side == steps[0].side; });
  return bench.with(static_cast<size_t>(at - steps_.begin()), *at);
}

NamedReduction Search::reduction_of(const Fit& fit, const Reducer& r) {
  NamedReduction out{r.names, change_of(fit), r.options, r.is_form, {}, {}, fit.epsilon};
  if (out.names.empty()) out.names = {r.sentence};
  const Divide& divide = r.options.divide;
  out.values.resize(batches_);
  out.divisors.assign(batches_, 0.0);
  for (Bench& b : fit.world->benches) {
    const auto i = static_cast<size_t>(&b.observed() - first_of(fit));
    const Made made = made_for(b, fit);
    const Predicted p = b.predicted(r, made);
    if (r.is_form && r.options.over == Over::all)
      out.divisors[i] = divisor_value(divide, divide.nested() ? divide.batch : divide.flat, made.divisor->all);
    const double factor = fit.constant * (fit.epsilon == 0 ? 1 : out.divisors[i] / (out.divisors[i] + fit.epsilon));
    if (out.divisors[i] != 0) out.divisors[i] += fit.epsilon;
    out.values[i] = fit.changes.solved ? predict(explanation_of(fit, r), b.batch()).value : p.value;
    for (size_t k = 0; k < out.values[i].size() && !fit.changes.solved; ++k)
      out.values[i][k] = p.empty[k] && r.is_form ? empty_value(r.options) : factor * p.value[k];
  }
  return out;
}

const Observed* Search::first_of(const Fit& fit) const {
  for (const ChangedBatches& c : changed_)
    if (!c.worlds.empty() && fit.world >= c.worlds.data() && fit.world < c.worlds.data() + c.worlds.size())
      return c.observed.data();
  return observed_.data();
}

void Search::add_reductions(const Fit& fit, LossHypothesis& to) {
  for (const Reducer* r : fit.reducers) to.reductions.push_back(reduction_of(fit, *r));
}

std::vector<LossHypothesis> Search::told_of_few(std::vector<Fit> fits) {
  std::vector<LossHypothesis> out;
  for (Fit& f : fits) {
    // All names of a form beside each other, of the forms first.
    std::vector<const Reducer*> order = f.reducers;
    std::stable_sort(f.reducers.begin(), f.reducers.end(), [&](const Reducer* a, const Reducer* b) {
      const auto first = [&](const Reducer* r) {
        return std::find_if(order.begin(), order.end(), [&](const Reducer* o) { return o->sentence == r->sentence; });
      };
      return std::pair(!a->is_form, first(a)) < std::pair(!b->is_form, first(b));
    });
    out.push_back(hypothesis_of(f));
    add_reductions(f, out.back());
  }
  return out;
}

// Those with the fewest findings first; of the same findings the first stands for all.
std::vector<LossHypothesis> Search::told(std::vector<Fit> fits) {
  for (Fit& f : fits)
    std::stable_sort(f.reducers.begin(), f.reducers.end(), [&](const Reducer* a, const Reducer* b) {
      const auto rank = [&](const Reducer* r) { return r == f.world->meant ? 0 : r->is_form ? 1 : 2; };
      return rank(a) < rank(b);
    });
  std::vector<LossHypothesis> out;
  std::vector<std::vector<double>> predicted;  // by those that are told
  const auto apart = [](const Fit& f) {
    return std::count_if(f.changes.steps.begin(), f.changes.steps.end(),
                         [](const Step& s) { return s.side != Side::both; });
  };
  std::stable_sort(fits.begin(), fits.end(), [&](const Fit& a, const Fit& b) {
    const auto rank = [&](const Fit& f) {
      const bool meant = f.reducers[0] == f.world->meant, form = f.reducers[0]->is_form;
      return std::tuple(hypothesis_of(f).ids.size(), meant ? 0 : form ? 1 : 2, apart(f), f.changes.solved != nullptr);
    };
    return rank(a) < rank(b);
  });
  for (const Fit& f : fits) {
    LossHypothesis h = hypothesis_of(f);
    std::vector<double> values;
    for (const Bench& b : worlds_[0].benches)
      for (const double x : h.predict(b.batch()).value) values.push_back(x);
    size_t known = 0;
    while (known < out.size() && out[known].ids != h.ids && !alike(predicted[known], values)) ++known;
    const bool is_new = known == out.size();
    if (is_new || out[known].ids == h.ids) add_reductions(f, is_new ? h : out[known]);
    if (is_new) {
      out.push_back(std::move(h));
      predicted.push_back(std::move(values));
    } else if (out[known].ids == h.ids) {
      std::vector<std::string>& names = out[known].names;
      for (std::string& name : h.names)
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
  }
  return out;
}

// Without a change and with one, by how far the ratios are from being all the same, then from 1.
std::vector<Nearest> Search::nearest() {
  struct Near {
    double spread, off;
    Fit fit;
    double least, most;
  };
  std::vector<Near> all;
  for (World& w : worlds_)
    for (const Reducer& r : w.reducers) {
      Near n{0, 0, {&w, {}, {&r}}, INFINITY, -INFINITY};
      bool told = (few_ || !r.exponential) && r.is_form;
      for (Bench& b : w.benches) {
        if (!told || r.entries(*b.plain().numerator) != b.answer().size()) told = false;
        if (!told) break;
        const Predicted& p = b.predicted(r, b.plain());
        for (size_t i = 0; i < p.value.size(); ++i) {
          if (p.empty[i] || p.value[i] == 0) continue;
          const double ratio = b.answer()[i] / p.value[i];
          n.least = std::min(n.least, ratio);
          n.most = std::max(n.most, ratio);
        }
      }
      if (!told || !std::isfinite(n.least) || !std::isfinite(n.most)) continue;
      n.spread = n.least > 0  ? std::log(n.most / n.least)
                 : n.most < 0 ? std::log(n.least / n.most)
                              : 1e3 + n.most - n.least;
      n.off = n.least > 0 ? std::abs(std::log(n.most * n.least)) : 1e3;
      all.push_back(std::move(n));
    }
  std::stable_sort(all.begin(), all.end(), [](const Near& a, const Near& b) {
    return std::pair(a.spread, a.off) < std::pair(b.spread, b.off);
  });
  std::vector<Nearest> out;
  for (const Near& n : all)
    if (few_ && !out.empty() && out.back().least == n.least &&
        out.back().hypothesis.sentence == n.fit.reducers[0]->sentence) {
      add_reductions(n.fit, out.back().hypothesis);
      for (const std::string& name : n.fit.reducers[0]->names) out.back().hypothesis.names.push_back(name);
    } else if (out.size() < options_.nearest) {
      out.push_back({hypothesis_of(n.fit), n.least, n.most});
      add_reductions(n.fit, out.back().hypothesis);
    }
  return out;
}

}  // namespace seqgrad
