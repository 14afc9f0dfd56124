// The forms of a loss section, then the odd ones.
#include "engine/naming/reducers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace seqgrad {
namespace {

double inverse(double divisor, double eps = 0) { return divisor == 0 ? 0 : 1 / (divisor + eps); }

// ω times a factor of each position.
template <class F>
void times_weight(const Cells& cells, Scaled& out, const F& factor) {
  out.coefficient.assign(cells.weight.size(), 0.0);
  for (size_t n = 0; n < cells.weight.size(); ++n)
    if (cells.weight[n] != 0) out.coefficient[n] = cells.weight[n] * factor(n);
}

void scale_form(const LossOptions& o, const Reducible& x, Scaled& out) {
  const Cells &cells = x.numerator, &counted = x.divisor;
  const auto steps = static_cast<size_t>(cells.steps);
  if (o.over == Over::all) {
    const double outer = divisor_value(o.divide, o.divide.nested() ? o.divide.batch : o.divide.flat, counted.all);
    const double scale = inverse(outer, o.divide.nested() ? 0 : o.divide_eps);
    out.empty.assign(1, outer == 0);
    times_weight(cells, out, [&](size_t n) {
      if (!o.divide.nested()) return scale;
      const Counts& example = counted.by_example[n / steps];
      return scale * inverse(divisor_value(o.divide, o.divide.time, example), o.divide_eps);
    });
    return;
  }
  const std::vector<Counts>& groups = o.over == Over::time ? counted.by_example : counted.by_step;
  std::vector<double> scales;
  if (o.over == Over::none) scales.assign(cells.weight.size(), 1.0);  // which divides by nothing
  for (size_t i = 0; o.over != Over::none && i < groups.size(); ++i)
    scales.push_back(inverse(entry_divisor(groups[i], o), o.divide_eps));
  out.empty.clear();
  for (const double s : scales) out.empty.push_back(s == 0);
  const double fold = o.then == Then::mean ? inverse(static_cast<double>(scales.size())) : 1;
  if (o.then != Then::nothing)
    out.empty.assign(1, std::all_of(scales.begin(), scales.end(), [](double s) { return s == 0; }));
  times_weight(cells, out, [&](size_t n) {
    return fold * scales[o.over == Over::time ? n / steps : o.over == Over::batch ? n % steps : n];
  });
}

std::string key_of(const Reduction& r) {
  const LossOptions& o = r.options;
  const bool row = o.smoothing > 0;
  return fmt::format("{} {} {} {} {} {} {}", form_of(o), static_cast<int>(o.then), r.exponential,
                     row ? static_cast<int>(o.smoothing_kind) : 0, row && o.report_kl, static_cast<int>(o.class_scope),
                     row ? o.smoothing_excluding.size() : 0);
}

Reducer reducer_of(const Reduction& r) {
  Reducer out;
  out.names = {r.name};
  out.options = r.options;
  out.exponential = r.exponential;
  out.id = r.exponential ? "reduce:exponential" : id_of(r.options);
  out.sentence = (r.exponential ? "exp of " : "") + sentence_of(r.options);
  out.scale = [o = r.options](const Reducible& x, Scaled& s) { scale_form(o, x, s); };
  return out;
}

void add(const Reduction& r, bool apart, std::vector<Reducer>& out, std::vector<std::string>& keys) {
  const std::string key = apart ? fmt::format("{} {}", keys.size(), r.name) : key_of(r);
  const auto known = std::find(keys.begin(), keys.end(), key);
  if (known == keys.end()) {
    keys.push_back(key);
    out.push_back(reducer_of(r));
    return;
  }
  std::vector<std::string>& names = out[static_cast<size_t>(known - keys.begin())].names;
  if (std::find(names.begin(), names.end(), r.name) == names.end()) names.push_back(r.name);
}

// Sums and means of vectors that no scalar form has.
void add_folds(const LossOptions& options, std::vector<Reducer>& out, std::vector<std::string>& keys) {
  for (const char* divide : {"active", "weight", "nonzero"}) {
    for (const Then then : {Then::sum, Then::mean}) {
      LossOptions o = options;
      o.over = Over::batch;
      o.divide = {divide, "", "", 0};
      o.then = then;
      add({fmt::format("{} of {}", then == Then::sum ? "sum" : "mean", form_of(o)), o}, false, out, keys);
    }
  }
}

// The same of every vector, whatever makes it.
void add_all_folds(const std::vector<Reduction>& vectors, std::vector<Reducer>& out, std::vector<std::string>& keys) {
  for (const Reduction& r : vectors)
    for (const Then then : {Then::sum, Then::mean}) {
      if (r.options.over == Over::all || r.exponential) continue;
      Reduction folded{fmt::format("{} of {}", then == Then::sum ? "sum" : "mean", r.name), r.options};
      folded.options.then = then;
      add(folded, true, out, keys);
    }
}

}  // namespace

size_t Reducer::entries(const Cells& cells) const {
  if (options.over == Over::all || options.then != Then::nothing) return 1;
  return static_cast<size_t>(options.over == Over::time    ? cells.batch
                             : options.over == Over::batch ? cells.steps
                                                           : cells.batch * cells.steps);
}

size_t Reducer::entry_of(size_t cell, int64_t steps) const {
  if (options.over == Over::all || options.then != Then::nothing) return 0;
  const auto t = static_cast<size_t>(steps);
  return options.over == Over::time ? cell / t : options.over == Over::batch ? cell % t : cell;
}

// odd_reducers.cpp; `apart` as in reducers_of
void add_odd_reducers(const LossInputs& inputs, const LossOptions& options, bool apart, std::vector<Reducer>& out);

std::vector<Reducer> reducers_of(const LossInputs& inputs, const LossOptions& options, const std::string& meant,
                                 bool apart) {
  std::vector<Reducer> out;
  std::vector<std::string> keys;
  if (!meant.empty()) add({meant, options}, apart, out, keys);
  std::vector<Reduction> reductions = reductions_of(inputs, options);
  if (!inputs.class_weight)
    std::erase_if(reductions, [](const Reduction& r) { return r.options.divide.flat == "class_weight"; });
  for (const Reduction& r : reductions) add(r, apart, out, keys);
  apart ? add_all_folds(reductions, out, keys) : add_folds(options, out, keys);
  add_odd_reducers(inputs, options, apart, out);
  return out;
}

}  // namespace seqgrad
