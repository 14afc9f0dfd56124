// The search: candidates by reduction from one set of row losses, and again for each change that fits the case.
#include "engine/check/which.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "engine/check/changes.h"
#include "engine/check/framework_error.h"
#include "engine/check/limits.h"
#include "engine/check/separate.h"
#include "engine/naming/forms.h"

namespace seqgrad {
namespace {

constexpr size_t most_matches = 12, most_misses = 5;
constexpr size_t most_lines = 4, most_names = 5;  // below a failing check

// Row losses of one set of inputs and options, from which all reductions follow.
class Reductions {
 public:
  Reductions(const LossCase& c, const CaseVariant& changed, const CaseInputs& in)
      : case_(c), in_(in), inputs_(changed.inputs), options_(changed.options), arrays_(changed.arrays) {
    options_.nonfinite = Nonfinite::propagate;
    options_.report = {};
    options_.then = Then::nothing;
  }

  std::vector<WhichMatch> all() {
    std::vector<WhichMatch> out;
    if (!losses_of(options_)) return out;
    for (const Reduction& r : reductions_of(inputs_, options_)) add(r, out);
    add_means_of_means(out);
    return out;
  }

 private:
  struct Losses {
    LossOptions options;
    LiveRows rows;
    std::vector<double> each;
  };

  // Of options that differ in their reduction only, the row losses are computed once.
  const Losses* losses_of(const LossOptions& o) {
    for (const Losses& l : known_)
      if (l.options.smoothing_kind == o.smoothing_kind && l.options.report_kl == o.report_kl &&
          l.options.class_scope == o.class_scope && l.options.smoothing_excluding == o.smoothing_excluding)
        return l.each.empty() && !l.rows.rows.empty() ? nullptr : &l;
    Losses l{o, {}, {}};
    l.options.over = Over::all;
    l.options.divide = {"one", "", "", 0};
    l.options.on_zero = OnZero::zero;
    try {
      l.rows = build_live_rows(inputs_, l.options);
      const LossResult r = loss_of(case_, arrays_, inputs_, l.rows, l.options, in_);
      l.each = r.row_loss;
      for (size_t i = 0; i < l.each.size(); ++i) l.each[i] += r.row_z[i];
    } catch (const InputError&) {  // a change that this case does not allow
      l.rows.rows.resize(1);
      l.each.clear();
    }
    known_.push_back(std::move(l));
    const Losses& last = known_.back();
    return last.each.empty() && !last.rows.rows.empty() ? nullptr : &last;
  }

  void add(const Reduction& r, std::vector<WhichMatch>& out) {
    const Losses* l = losses_of(r.options);
    if (!l) return;
    WhichMatch f;
    try {
      const LiveRows rows = build_live_rows(inputs_, r.options);
      Reduced reduced = reduce(rows, l->each, r.options, rows.divisor);
      f.value = std::move(reduced.value);
      f.names = {r.name};
      f.options = r.options;
      if (r.exponential) f.value[0] = std::exp(f.value[0]);
      if (r.options.over == Over::all) {
        f.divisor = rows.divisor;
        f.words = words_of(r.options.divide);
      }
    } catch (const InputError&) {
      return;
    }
    const std::vector<double> entries = f.value;
    const LossOptions options = f.options;
    out.push_back(std::move(f));
    if (r.options.over == Over::all || entries.empty()) return;
    double sum = 0;
    for (const double x : entries) sum += x;
    if (!std::isfinite(sum)) return;  // an entry without rows, of which a sum tells nothing
    out.push_back({{"sum of " + r.name}, "", {sum}, 0, "", options});
    out.push_back({{"mean of " + r.name}, "", {sum / static_cast<double>(entries.size())}, 0, "", options});
  }

  // What a loop prints that averages the means of its micro-batches.
  void add_means_of_means(std::vector<WhichMatch>& out) {
    const Losses* l = losses_of(options_);
    for (const Divisor& d : divisors()) {
      const std::string_view name = d.name;
      const bool weighted = inputs_.token_weight || inputs_.example_weight;  // else all three count the same
      const bool counts = name == "active" || (weighted && (name == "weight" || name == "nonzero"));
      for (int64_t k = 1; counts && k < inputs_.batch; ++k) {
        double sum = 0;
        int64_t parts = 0;
        LossOptions o = options_;
        o.over = Over::time;
        o.divide = {d.name, "", "", 0};
        const LiveRows rows = build_live_rows(inputs_, o);
        for (int64_t first = 0; first < inputs_.batch; first += k, ++parts) {
          double numerator = 0, divisor = 0;
          for (size_t i = 0; i < rows.rows.size(); ++i)
            if (const int64_t b = rows.rows[i].row / rows.steps; b >= first && b < first + k)
              numerator += rows.rows[i].weight * l->each[i];
          for (int64_t b = first; b < std::min(inputs_.batch, first + k); ++b)
            divisor += d.value(rows.groups[static_cast<size_t>(b)]);
          if (divisor != 0) sum += numerator / divisor;
        }
        out.push_back({{fmt::format("mean of means: micro-batches of {} sentence{}, each over its {}", k,
                                    k == 1 ? "" : "s", d.words)},
                       "",
                       {sum / static_cast<double>(parts)},
                       0,
                       "",
                       options_});
      }
    }
  }

  const LossCase& case_;
  const CaseInputs& in_;
  const LossInputs& inputs_;
  LossOptions options_;
  const CaseArrays& arrays_;
  std::vector<Losses> known_;
};

// How far apart two results are, relative; infinity for different shapes. NaN is near NaN, an infinity near itself.
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double scale = 0, most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if ((std::isnan(a[i]) && std::isnan(b[i])) || (std::isinf(a[i]) && a[i] == b[i])) continue;
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
    scale = std::max({scale, std::abs(a[i]), std::abs(b[i])});
    most = std::max(most, std::abs(a[i] - b[i]));
  }
  return scale == 0 ? 0 : most / scale;
}

// Candidates that are the same number by the same divisor are one, with several names.
void merge_in(const WhichMatch& f, std::vector<WhichMatch>& into) {
  for (WhichMatch& other : into)
    if (other.change == f.change && other.divisor == f.divisor && other.words == f.words &&
        distance(other.value, f.value) < 1e-11) {
      if (std::find(other.names.begin(), other.names.end(), f.names[0]) == other.names.end())
        other.names.push_back(f.names[0]);
      return;
    }
  into.push_back(f);
}

// An epsilon in the divisor: value = N/(D + 10^-k).
void add_epsilons(const std::vector<WhichMatch>& candidates, double value, double tolerance,
                  std::vector<WhichMatch>& matches) {
  for (const WhichMatch& f : candidates) {
    if (f.divisor <= 0 || f.value.size() != 1 || f.value[0] == 0 || f.words.find(',') != std::string::npos) continue;
    const double eps = f.divisor * (f.value[0] / value - 1), power = std::round(std::log10(eps));
    if (!(eps > 0 && eps < 0.2 * f.divisor && eps > 50 * tolerance * f.divisor) || power < -12) continue;
    if (std::abs(std::log10(eps) - power) > 0.004) continue;
    WhichMatch found = f;
    found.change = fmt::format("with 1e{:.0f} added to the divisor", power);
    merge_in(found, matches);
  }
}

}  // namespace

std::string WhichMatch::text(size_t most) const {
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(most, names.size()));
  std::string out = fmt::format("{}", fmt::join(names.begin(), end, " = "));
  if (end != names.end())
    out += fmt::format(" = {} more name{} (-v)", names.end() - end, names.end() - end == 1 ? "" : "s");
  if (!change.empty()) out += " " + change;
  if (value.size() == 1 && std::isnan(value[0]) && divisor == 0 && !words.empty())
    out += fmt::format(" (0/0: no {})", words);
  if (divisor != 0) out += fmt::format(" (divisor {:.9g}, {})", divisor, words);
  return out;
}

Which which(const LossCase& c, const CaseInputs& in, const std::vector<double>& value, double tolerance) {
  Which out;
  std::vector<WhichMatch> plain;
  const auto search = [&](const CaseVariant& changed) {
    std::vector<WhichMatch> found = Reductions(c, changed, in).all();
    for (WhichMatch& f : found) f.change = changed.words;
    for (const WhichMatch& f : found)
      if (distance(f.value, value) <= tolerance) merge_in(f, out.matches);
    return found;
  };
  plain = search(unchanged(c, in));
  if (out.matches.empty() && value.size() == 1 && value[0] != 0) add_epsilons(plain, value[0], tolerance, out.matches);
  for (const Change& change : changes()) {
    if (!out.matches.empty()) break;
    CaseVariant changed = unchanged(c, in);
    if (!change.apply(c, in, changed)) continue;
    changed.words = change.words;
    search(changed);
  }
  // Typed digits may let several pass: what is nearer than the others by far is meant.
  const auto far = [&](const WhichMatch& f) { return distance(f.value, value); };
  if (std::any_of(out.matches.begin(), out.matches.end(),
                  [&](const WhichMatch& f) { return far(f) < 1e-3 * tolerance; }))
    std::erase_if(out.matches, [&](const WhichMatch& f) { return far(f) > 1e-2 * tolerance; });
  std::stable_sort(out.matches.begin(), out.matches.end(), [](const WhichMatch& a, const WhichMatch& b) {
    const auto form = [](const WhichMatch& f) { return f.names[0].find_first_of(" {") != std::string::npos; };
    return form(a) < form(b);  // those with a preset's name first
  });
  // Sums and means of vectors, and means of means, are told only where no loss by itself yields the value.
  if (std::any_of(out.matches.begin(), out.matches.end(), [](const WhichMatch& f) { return f.divisor != 0; }))
    std::erase_if(out.matches, [](const WhichMatch& f) { return f.divisor == 0; });
  if (out.matches.size() > most_matches) out.matches.resize(most_matches);
  if (!out.matches.empty() || value.size() != 1 || !std::isfinite(value[0])) return out;
  std::vector<WhichMatch> merged;
  for (const WhichMatch& f : plain)
    if (f.divisor != 0 && f.value.size() == 1 && std::isfinite(f.value[0]) && f.value[0] * value[0] > 0)
      merge_in(f, merged);
  std::stable_sort(merged.begin(), merged.end(), [&](const WhichMatch& a, const WhichMatch& b) {
    return std::abs(std::log(value[0] / a.value[0])) < std::abs(std::log(value[0] / b.value[0]));
  });
  for (WhichMatch& f : merged) {
    if (out.misses.size() == most_misses) break;
    out.misses.emplace_back(value[0] / f.value[0], std::move(f));
  }
  return out;
}

std::vector<std::string> lines_of(const Which& which, const std::string& asked, size_t most) {
  std::vector<std::string> out;
  for (const WhichMatch& f : which.matches) out.push_back(fmt::format("{} = {}", asked, f.text(most)));
  if (!out.empty()) return out;
  out.push_back(fmt::format("{} is none of {}", asked, which.misses.empty() ? "them" : "them; the nearest:"));
  for (const auto& [ratio, f] : which.misses) {
    const std::string exact = fraction(ratio);
    out.push_back(fmt::format("  {} x {:.9g} = {}", exact.empty() ? fmt::format("{:.6g}", ratio) : exact, f.value[0],
                              f.text(std::min(most, most_names))));
  }
  return out;
}

Asked asked_value(const std::string& text, const char* option) {
  Asked out{{}, 0};
  double scale = 0, step = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    double x = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, x);  // "nan" and "inf" too
    if (error != std::errc() || stop != text.data() + end)
      refuse("{}: expected a number, or the entries of a vector as 1.8,4,0, got '{}'", option, shown(text));
    const std::string digits = text.substr(at, end - at);
    out.value.push_back(x);
    at = end + 1;
    if (!std::isfinite(x)) continue;
    const size_t point = digits.find('.'), e = digits.find_first_of("eE");
    const std::string mantissa = digits.substr(0, e);
    double unit = point == std::string::npos ? 1 : std::pow(10.0, -static_cast<double>(mantissa.size() - point - 1));
    if (e != std::string::npos) unit *= std::pow(10.0, std::atof(digits.substr(e + 1).c_str()));
    step = std::max(step, point == std::string::npos ? 1e-9 : unit);
    scale = std::max(scale, std::abs(x));
  }
  // A unit of the last digit, rounded or cut off, but never so much that other reductions pass for it.
  out.tolerance = scale == 0 ? 0 : std::clamp(1.0001 * step / scale, 1e-12, 2e-3);
  return out;
}

std::vector<std::string> which_of_gold(const LossCase& c, const CaseRun& run,
                                       const std::vector<Comparison>& comparisons, bool verbose) {
  const double u = arithmetic_of(class_of_gold(c)).u;
  const double tolerance = u > 0x1p-20 ? u : c.dtype() == DType::f32 ? 3e-6 : 1e-8;
  std::vector<double> value;
  std::string asked;
  if (const Values* gold = c.gold_of("value")) {
    const auto same =
        std::find_if(comparisons.begin(), comparisons.end(), [](const auto& x) { return x.name == "value"; });
    if (same == comparisons.end() || same->passed()) return {};
    value = gold->numbers;
    asked = value.size() == 1 ? fmt::format("{:.9g}", value[0]) : "gold.value";
  } else {
    // A gradient that is ours times one factor belongs to a value that is ours times the same.
    const auto scaled = std::find_if(comparisons.begin(), comparisons.end(),
                                     [](const Comparison& x) { return x.ratio && x.name.starts_with("d_"); });
    if (scaled == comparisons.end() || run.loss.values.size() != 1) return {};
    value = {run.loss.values[0] * *scaled->ratio};
    asked = fmt::format("a loss of {:.9g}, whose gradient this is,", value[0]);
  }
  Which found = which(c, run.inputs, value, tolerance);
  std::string family = c.config->provenance();
  std::transform(family.begin(), family.end(), family.begin(), [](unsigned char x) { return std::tolower(x); });
  const auto theirs = [&](const std::string& name) {  // "keras." where Keras computed the gold
    const size_t dot = name.find('.');
    return dot != std::string::npos && name[0] != '{' && family.find(name.substr(0, dot)) != std::string::npos;
  };
  std::vector<std::string> lines;
  const size_t names = verbose ? 100 : most_names;
  for (WhichMatch& f : found.matches) {
    std::stable_partition(f.names.begin(), f.names.end(), theirs);
    if (f.names.size() > names) {  // the form stays, whatever goes
      const auto form = std::find_if(f.names.begin(), f.names.end(), [](const auto& n) { return n[0] == '{'; });
      if (form != f.names.end()) std::rotate(f.names.begin() + static_cast<std::ptrdiff_t>(names) - 1, form, form + 1);
    }
    if (lines.size() < most_lines) lines.push_back(fmt::format("which: {} = {}", asked, f.text(names)));
  }
  if (!lines.empty()) return lines;
  for (const std::string& line : lines_of(found, asked, names))
    if (lines.size() < most_lines) lines.push_back("which: " + line);
  return lines;
}

}  // namespace seqgrad
