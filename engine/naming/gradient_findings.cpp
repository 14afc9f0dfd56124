// A gradient beside the one that its value has: by one factor, a factor a sentence, rows too few or too many, another
// order, or the gradient of another loss.
#include <algorithm>
#include <cmath>

#include "engine/naming/numbers.h"
#include "engine/naming/search.h"

namespace seqgrad {
namespace {

constexpr size_t most_batches =
    8;  // that are differentiated numerically; the gradient of a meaning is exact, and cheap

struct Pair {
  size_t index;  // among the observed
  const LossBatch* batch;
  const std::vector<double>* got;
  std::vector<double> want;
  double tolerance = 0;
  int64_t width = 1;

  size_t rows() const { return width > 0 ? got->size() / static_cast<size_t>(width) : 0; }
};

// Central differences of what a hypothesis predicts; the sum over a vector's entries.
std::vector<double> numeric(const LossHypothesis& h, const LossBatch& given) {
  LossBatch batch = given;
  std::vector<double> out;
  const auto value = [&] {
    double sum = 0;
    for (const double x : h.predict(batch).value) sum += std::isfinite(x) ? x : 0;
    return sum;
  };
  for (double& x : batch.x) {
    const double before = x, step = 1e-5 * std::max(given.kind == PredictionKind::probs ? std::abs(before) : 1.0, 1e-3);
    x = before + step;
    const double up = value();
    x = before - step;
    const double down = value();
    x = before;
    out.push_back((up - down) / (2 * step));
  }
  return out;
}

std::vector<Pair> pairs_of(std::span<const Observed> observed, const LossHypothesis& h, const NamingOptions& options) {
  const bool exact = options.meant && h.ids.empty();
  std::vector<Pair> out;
  for (size_t i = 0; i < observed.size(); ++i) {
    const Observed& o = observed[i];
    if (o.answer.d_x.size() != o.batch->x.size() || o.batch->x.empty()) continue;
    if (!exact && out.size() == most_batches) break;
    Pair p{i, o.batch, &o.answer.d_x, {}, 0, o.batch->width()};
    double top = 0, most = 0;
    p.want = exact ? answer_of(*options.meant, *o.batch).d_x : numeric(h, *o.batch);
    for (const double z : o.batch->x)
      if (std::isfinite(z)) top = std::max(top, std::abs(z));
    for (const double g : p.want) most = std::max(most, std::abs(g));
    const double u =
        8 * (options.u * (1 + top) + sum_roundoff(options.u) * static_cast<double>(o.batch->inputs.classes));
    p.tolerance = most * std::max(u, exact ? 1e-9 : 1e-7);
    out.push_back(std::move(p));
  }
  return out;
}

// Whether got = factor·want in the cells [begin, end), and the factor, told by the cells that have a gradient.
struct Ratio {
  bool constant = false, told = false;
  double factor = 1;
};
Ratio ratio_of(const Pair& p, const std::vector<double>& want, size_t begin, size_t end) {
  double top = 0, bottom = 0;
  for (size_t i = begin; i < end; ++i) {
    top += (*p.got)[i] * want[i];
    bottom += want[i] * want[i];
  }
  Ratio r;
  r.told = bottom > 0;
  r.factor = r.told ? top / bottom : 1;
  r.constant = std::isfinite(r.factor);
  const double tolerance = p.tolerance * std::max(1.0, std::abs(r.factor));
  for (size_t i = begin; i < end && r.constant; ++i)
    r.constant = std::abs((*p.got)[i] - r.factor * want[i]) <= tolerance;
  return r;
}

// One factor in all cells of all batches, of gradients `want(pair)`; none where there is no such.
template <class Want>
std::optional<double> common_factor(const std::vector<Pair>& pairs, const Want& want) {
  std::optional<double> factor;
  for (const Pair& p : pairs) {
    const std::vector<double>& w = want(p);
    if (w.size() != p.got->size()) return std::nullopt;
    const Ratio r = ratio_of(p, w, 0, w.size());
    if (!r.constant) return std::nullopt;
    if (!r.told) continue;
    if (factor && std::abs(*factor - r.factor) > 1e-5 * std::abs(*factor)) return std::nullopt;
    factor = r.factor;
  }
  return factor;
}

GradientFinding at_worst(std::string id, std::string sentence, const std::vector<Pair>& pairs) {
  GradientFinding out{std::move(id), std::move(sentence), 0, -1};
  double most = -1;
  for (const Pair& p : pairs)
    for (size_t i = 0; i < p.want.size(); ++i)
      if (const double off = std::abs((*p.got)[i] - p.want[i]) / std::max(p.tolerance, 1e-300);
          off > most || std::isnan(off)) {
        most = std::isnan(off) ? INFINITY : off;
        out.batch = p.index;
        out.cell = static_cast<int64_t>(i);
      }
  return out;
}

// The gradient that is wanted, read in another order: [T,B,V], [B,V,T].
std::vector<double> transposed(const Pair& p, bool classes) {
  const auto b = static_cast<size_t>(p.batch->inputs.batch), t = static_cast<size_t>(p.batch->inputs.steps),
             v = static_cast<size_t>(p.width);
  std::vector<double> out(p.want.size());
  for (size_t i = 0; i < b; ++i)
    for (size_t j = 0; j < t; ++j)
      for (size_t k = 0; k < v; ++k)
        out[classes ? (i * v + k) * t + j : (j * b + i) * v + k] = p.want[(i * t + j) * v + k];
  return out;
}

// Rows that differ: missing (0 where there is a gradient), dead (one where there is none), others. NaN and infinity are
// no gradient of a row that counts, and one of a row that does not.
struct Rows {
  size_t missing = 0, dead = 0, not_finite = 0, scaled = 0, other = 0, right = 0;
};
Rows rows_of(const std::vector<Pair>& pairs, bool& per_example) {
  Rows out;
  per_example = true;
  for (const Pair& p : pairs) {
    const auto width = static_cast<size_t>(p.width), example = width * static_cast<size_t>(p.batch->inputs.steps);
    for (size_t n = 0; n < p.rows(); ++n) {
      double got = 0, want = 0;
      for (size_t i = n * width; i < (n + 1) * width; ++i) {
        got = std::isfinite((*p.got)[i]) ? std::max(got, std::abs((*p.got)[i])) : INFINITY;
        want = std::max(want, std::abs(p.want[i]));
      }
      const Ratio r = ratio_of(p, p.want, n * width, (n + 1) * width);
      if (want <= p.tolerance)
        (got <= p.tolerance ? out.right : out.dead) += 1;
      else if (std::isinf(got))
        ++out.not_finite;
      else if (got <= p.tolerance)
        ++out.missing;
      else if (!r.constant)
        ++out.other;
      else
        (std::abs(r.factor - 1) * want <= p.tolerance ? out.right : out.scaled) += 1;
    }
    for (size_t begin = 0; begin + example <= p.got->size() && example > 0; begin += example)
      per_example &= ratio_of(p, p.want, begin, begin + example).constant;
  }
  return out;
}

// Derivatives of the losses of positions in what predicts, where a change keeps every row to itself; empty where not.
std::vector<double> local_slopes(const Variant& base, const Changes& changes) {
  const auto losses = [&](const Variant& x) {
    Variant numerator = x, divisor = x;
    apply(changes, numerator, divisor);
    return row_losses(numerator);
  };
  Variant moved = base;
  const auto width = static_cast<size_t>(base.kind == PredictionKind::row_loss ? 1 : base.inputs.classes);
  const size_t rows = width > 0 ? base.x.size() / width : 0;
  std::vector<double> out(base.x.size(), 0.0);
  for (size_t v = 0; v < width; ++v) {
    const auto step = [&](size_t n) {
      return 1e-5 * std::max(base.kind == PredictionKind::probs ? base.x[n * width + v] : 1.0, 1e-3);
    };
    const auto at = [&](double sign) {
      for (size_t n = 0; n < rows; ++n) moved.x.own()[n * width + v] = base.x[n * width + v] + sign * step(n);
      return losses(moved);
    };
    const std::vector<double> up = at(1), down = at(-1);
    if (up.size() != rows) return {};
    for (size_t n = 0; n < rows; ++n) {
      out[n * width + v] = (up[n] - down[n]) / (2 * step(n));
      moved.x.own()[n * width + v] = base.x[n * width + v];
    }
  }
  return out;
}

// Whose gradient it is: each reducer and each single change, with one factor allowed.
class AnotherLoss {
 public:
  AnotherLoss(const std::vector<Pair>& pairs, const NamingOptions& options) : pairs_(pairs), options_(options) {}

  std::optional<GradientFinding> find() {
    const LossBatch first = shifted(*pairs_[0].batch);
    if (pairs_[0].batch->kind == PredictionKind::hidden || pairs_[0].batch->shifts) return std::nullopt;
    LossOptions base = options_.meant ? options_for(*options_.meant, first) : LossOptions{};
    if (!options_.meant) {
      base.smoothing = options_.fixed.smoothing;
      base.target = first.inputs.dense.empty() ? Target::ids : Target::dense;
    }
    reducers_ = reducers_of(first.inputs, base, options_.meant ? options_.meant->name : "");
    for (const Pair& p : pairs_) bases_.push_back(variant_of(*p.batch, base));
    if (auto found = among({})) return found;
    for (const auto table : {who_edits(), weight_edits(), logit_edits(), target_edits()})
      for (const Edit& e : table)
        for (const Side side : {Side::both, Side::numerator, Side::divisor})
          if (side == Side::both || e.parts)
            if (auto found = among({{{&e, side}}})) return found;
    return std::nullopt;
  }

 private:
  std::optional<GradientFinding> among(const Changes& changes) {
    const std::string id = changes.steps.empty() ? "" : changes.steps[0].edit->id;
    if (id.starts_with("logits:softmax_over") || id.starts_with("logits:shifted") || id == "targets:shifted+1")
      return std::nullopt;
    std::vector<Made> made;
    std::vector<std::vector<double>> slopes;
    bool changed = changes.steps.empty();
    for (const Variant& base : bases_) {
      made.push_back(make(base, changes));
      changed |= made.back().changed;
      if (made.back().losses->size() * static_cast<size_t>(pairs_[slopes.size()].width) != base.x.size())
        return std::nullopt;
      slopes.push_back(local_slopes(base, changes));
    }
    if (!changed) return std::nullopt;
    for (const Reducer& r : reducers_) {
      if (r.exponential) continue;
      const auto gradient = [&](const Pair& p) -> const std::vector<double>& {
        const auto k = static_cast<size_t>(&p - pairs_.data());
        r.scale({*made[k].numerator, *made[k].divisor, *made[k].losses}, scaled_);
        want_ = slopes[k];
        const auto width = static_cast<size_t>(p.width);
        for (size_t i = 0; i < want_.size(); ++i) {
          const double c = scaled_.coefficient[i / width];
          want_[i] = c == 0 ? 0 : c * want_[i];
        }
        return want_;
      };
      const std::optional<double> factor = common_factor(pairs_, gradient);
      if (!factor) continue;
      std::string sentence = "the gradient of " + r.sentence;
      for (const Step& s : changes.steps) sentence += ", " + s.words();
      if (std::abs(*factor - 1) > 1e-5)
        sentence += fmt::format(", times {}", named_constant(*factor, 1e-5 * std::abs(*factor)).text);
      return at_worst(id == "logits:one_hot_missing" ? "gradient:one_hot_missing" : "gradient:another_loss", sentence,
                      pairs_);
    }
    return std::nullopt;
  }

  const std::vector<Pair>& pairs_;
  const NamingOptions& options_;
  std::vector<Reducer> reducers_;
  std::vector<Variant> bases_;
  Scaled scaled_;
  std::vector<double> want_;
};

std::string counted(size_t rows, size_t of) { return fmt::format("{} of {} rows", rows, of); }

}  // namespace

std::vector<GradientFinding> gradient_findings(std::span<const Observed> observed, const LossHypothesis& value,
                                               const NamingOptions& options) {
  const std::vector<Pair> pairs = pairs_of(observed, value, options);
  bool right = true, zero = true;
  for (const Pair& p : pairs)
    for (size_t i = 0; i < p.want.size(); ++i) {
      right &= std::abs((*p.got)[i] - p.want[i]) <= p.tolerance;
      zero &= (*p.got)[i] == 0;
    }
  if (right) return {};
  if (zero) return {at_worst("gradient:zero", "the gradient is 0 everywhere", pairs)};
  if (const auto factor = common_factor(pairs, [](const Pair& p) -> const std::vector<double>& { return p.want; })) {
    const NamedNumber n = named_constant(*factor, 1e-5 * std::abs(*factor));
    if (n.id == "constant:sign") return {at_worst("gradient:sign", "right value, gradient with the other sign", pairs)};
    return {at_worst("gradient:scaled", fmt::format("right value, gradient times {} in every row", n.text), pairs)};
  }
  for (const bool classes : {false, true}) {
    std::vector<double> order;
    const auto factor = common_factor(
        pairs, [&](const Pair& p) -> const std::vector<double>& { return order = transposed(p, classes); });
    if (factor && std::abs(*factor - 1) < 1e-5)
      return {at_worst("gradient:transposed",
                       fmt::format("right value, gradient in the order [{}]", classes ? "B,V,T" : "T,B,V"), pairs)};
  }
  bool per_example = true;
  const Rows rows = rows_of(pairs, per_example);
  const size_t all = rows.right + rows.missing + rows.dead + rows.not_finite + rows.scaled + rows.other;
  if (rows.not_finite > 0)
    return {at_worst("gradient:nan", fmt::format("no finite gradient in {} that count", counted(rows.not_finite, all)),
                     pairs)};
  if (rows.dead > 0 && rows.missing + rows.scaled + rows.other == 0)
    return {at_worst("gradient:dead_rows", fmt::format("gradient in {} that do not count", counted(rows.dead, all)),
                     pairs)};
  if (rows.missing > 0 && rows.dead + rows.scaled + rows.other == 0)
    return {at_worst("gradient:rows_missing", fmt::format("no gradient in {} that count", counted(rows.missing, all)),
                     pairs)};
  if (!pairs.empty())
    if (auto found = AnotherLoss(pairs, options).find()) return {*found};
  if (per_example && rows.other == 0)
    return {
        at_worst("gradient:scaled_per_example", "right value, gradient times another factor in each sentence", pairs)};
  if (rows.other == 0)
    return {at_worst("gradient:scaled_per_row", "right value, gradient times another factor in each row", pairs)};
  return {at_worst("gradient:unknown",
                   fmt::format("the gradient is that of no loss known here; {} differ", counted(all - rows.right, all)),
                   pairs)};
}

}  // namespace seqgrad
