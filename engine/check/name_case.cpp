// From hypotheses to lines: those that are the same number by the same divisor are one, with several names.
#include "engine/check/name_case.h"

#include <algorithm>
#include <cmath>

#include "engine/naming/forms.h"
#include "engine/naming/numbers.h"

namespace seqgrad {
namespace {

constexpr size_t most_matches = 12, most_misses = 5;
constexpr size_t most_lines = 4, most_names = 5;  // below a failing check

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

// "mean of means: …, those without any left out" says no more than the one before it where there are none.
bool says(const std::string& known, const std::string& name) { return name == known || name.starts_with(known + ", "); }

// Candidates that are the same number by the same divisor are one, with several names.
void merge_in(const WhichMatch& f, std::vector<WhichMatch>& into) {
  for (WhichMatch& other : into)
    if (other.change == f.change && other.divisor == f.divisor && other.words == f.words &&
        distance(other.value, f.value) < 1e-11) {
      for (const std::string& name : f.names)
        if (std::none_of(other.names.begin(), other.names.end(), [&](const auto& n) { return says(n, name); }))
          other.names.push_back(name);
      return;
    }
  into.push_back(f);
}

WhichMatch match_of(const NamedReduction& r, size_t batch) {
  WhichMatch out{r.names, r.change, r.values[batch], r.divisors[batch], "", r.options, r.is_form};
  if (r.is_form && r.options.over == Over::all && r.added == 0) out.words = words_of(r.options.divide);
  return out;
}

Which which_of(const Naming& naming, size_t batch, const std::vector<double>& value) {
  Which out;
  for (const LossHypothesis& h : naming.fits)
    for (const NamedReduction& r : h.reductions) merge_in(match_of(r, batch), out.matches);
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
  for (const Nearest& n : naming.nearest)
    for (const NamedReduction& r : n.hypothesis.reductions)
      if (const std::vector<double>& v = r.values[batch];
          r.divisors[batch] != 0 && v.size() == 1 && std::isfinite(v[0]) && v[0] * value[0] > 0)
        merge_in(match_of(r, batch), merged);
  for (WhichMatch& f : merged) {
    if (out.misses.size() == most_misses) break;
    out.misses.emplace_back(value[0] / f.value[0], std::move(f));
  }
  return out;
}

// "keras." where Keras computed the gold; of too many names the form stays.
void put_own_names_first(const std::string& provenance, size_t most, std::vector<std::string>& names) {
  std::stable_partition(names.begin(), names.end(), [&](const std::string& name) {
    const size_t dot = name.find('.');
    return dot != std::string::npos && name[0] != '{' && provenance.find(name.substr(0, dot)) != std::string::npos;
  });
  if (names.size() <= most) return;
  const auto form = std::find_if(names.begin(), names.end(), [](const auto& n) { return n[0] == '{'; });
  if (form != names.end()) std::rotate(names.begin() + static_cast<std::ptrdiff_t>(most) - 1, form, form + 1);
}

std::vector<std::string> lines_below(const CaseAnswer& a, Which which, size_t names, const std::string& before = "") {
  for (WhichMatch& f : which.matches) {
    put_own_names_first(a.provenance, names, f.names);
    f.names[0] = before + f.names[0];
  }
  std::vector<std::string> out;
  for (const std::string& line : lines_of(which, a.text, names))
    if (out.size() < most_lines) out.push_back("which: " + line);
  return out;
}

// "1/2 times ", "3 (the number of sentences) times ".
std::string times_text(double factor, int64_t sentences) {
  const double error = 1e-5 * std::abs(factor), b = static_cast<double>(sentences);
  const auto near = [&](double x) { return sentences > 1 && std::abs(factor - x) <= error; };
  return fmt::format("{}{} times ", named_constant(factor, error).text,
                     near(b)       ? " (the number of sentences)"
                     : near(1 / b) ? " (one over the number of sentences)"
                                   : "");
}

// Where no loss explains it, but a loss times the one factor that value and gradients have to the case's own.
std::vector<std::string> lines_alone(const CaseAnswer& a, size_t names) {
  Which found = which_of(name_answers({&a, 1}, true), 0, a.value);
  if (!found.matches.empty() || a.factor == 0) return lines_below(a, std::move(found), names);
  CaseAnswer own = a;
  for (std::vector<double>* numbers : {&own.value, &own.rows})
    for (double& x : *numbers) x /= a.factor;
  Which scaled = which_of(name_answers({&own, 1}, true), 0, own.value);
  if (scaled.matches.empty()) return lines_below(a, std::move(found), names);
  return lines_below(a, std::move(scaled), names, times_text(a.factor, a.batch.inputs.batch));
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
  if (divisor != 0) out += fmt::format(" (divisor {:.9g}{})", divisor, words.empty() ? "" : ", " + words);
  return out;
}

Which which(const LossCase& c, const CaseInputs& in, const std::vector<double>& value, double tolerance) {
  CaseAnswer asked;
  asked.batch = batch_of(c, in);
  asked.options = in.options;
  asked.value = value;
  // Of digits that are printed no more are trusted than the arithmetic has.
  constexpr double most_error = 2e-3;
  asked.error = std::max({tolerance, std::min(digits_of_arithmetic(c), most_error), passing_distance(c, value)});
  return which_of(name_answers({&asked, 1}, true), 0, value);
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

std::vector<std::vector<std::string>> explain_answers(std::span<const CaseAnswer> answers, bool verbose) {
  const size_t names = verbose ? 100 : most_names;
  std::vector<std::vector<std::string>> out;
  const bool can_be_one =
      std::all_of(answers.begin(), answers.end(), [&](const CaseAnswer& a) { return can_be_one_loss(answers[0], a); });
  if (answers.size() > 1 && can_be_one)
    if (const Naming all = name_answers(answers, true); !all.fits.empty()) {
      for (size_t i = 0; i < answers.size(); ++i)
        out.push_back(lines_below(answers[i], which_of(all, i, answers[i].value), names));
      return out;
    }
  for (const CaseAnswer& a : answers) out.push_back(lines_alone(a, names));
  return out;
}

}  // namespace seqgrad
