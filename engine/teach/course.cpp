// Reading, judging and printing lessons.
#include "engine/teach/course.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "engine/check/check_case.h"
#include "engine/check/name_case.h"
#include "engine/html/page.h"
#include "engine/io/directories.h"
#include "engine/io/output.h"
#include "engine/teach/explain_page.h"
#include "engine/text/escape.h"

namespace seqgrad {

std::string page_stem(const std::string& path) {
  const std::filesystem::path p(path);
  return (p.has_filename() ? p : p.parent_path()).stem().string();
}

namespace {

constexpr size_t most_matches = 2, most_names = 5;  // of the search

// To a relative tolerance; nan is nan.
bool same(double a, double b, double tolerance) {
  if (!std::isfinite(a) || !std::isfinite(b)) return a == b || (std::isnan(a) && std::isnan(b));
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

// What the file as it stands says; false where the loss refuses it.
bool loss_of_file(const LossCase& flawed, double* value) {
  try {
    *value = run_case(flawed, DType::f64, Device::cpu).of("value").numbers.at(0);
    return true;
  } catch (const LossError&) {
    return false;
  }
}

double prediction_of(const LossCase& lesson) {
  const Values* gold = lesson.gold_of("value");
  if (!gold || gold->numbers.size() != 1)
    refuse("{}: error: a lesson needs the tensor gold.value, one number", shown_path(lesson.where));
  return gold->numbers[0];
}

// The lesson's experiments, on the repaired batch where that can show them, else on the flawed one.
std::vector<Experiment> experiments_of(const LossCase& flawed, const LossCase& repaired) {
  std::vector<Experiment> out;
  for (const std::string& id : flawed.config->experiments()) {
    std::vector<Experiment> found = run_experiments(lesson_batch_of(repaired), id);
    if (found.empty()) found = run_experiments(lesson_batch_of(flawed), id);
    for (Experiment& x : found) out.push_back(std::move(x));
  }
  return out;
}

}  // namespace

std::vector<std::string> find_lessons(const std::string& folder) {
  std::vector<std::string> out;
  const std::vector<std::string> cases = find_cases({folder});
  for (const std::string& path : cases)
    if (!read_case(path).config->question().empty()) out.push_back(path);
  if (out.empty() && !cases.empty())
    refuse("{}: error: a folder of cases, and none of them is a lesson: name one of them, e.g. {}", shown_path(folder),
           shown_path(cases[0]));
  if (out.empty()) refuse("{}: error: no lesson in this folder (a case with a question)", shown_path(folder));
  return out;
}

Explanation explain_lesson(const std::string& path, const ExplainOptions& options) {
  const LossCase flawed = read_case(path), repaired = read_case(path, true);
  ExplainOptions plain = options;
  plain.experiments = false;
  Explanation e;
  try {
    e = explain(flawed, plain);
  } catch (const LossError& error) {
    e = explain(repaired, plain);
    e.warnings.insert(e.warnings.begin(),
                      fmt::format("the file as it stands is refused, and this is the repaired batch: {}: {}",
                                  str(error.loss_code), error.what()));
  }
  e.experiments = experiments_of(flawed, repaired);
  return e;
}

namespace {

// "1,04" as a person types it where the comma is the decimal point; else empty.
std::string with_point(const std::string& typed) {
  const size_t comma = typed.find(',');
  if (comma == std::string::npos || typed.find(',', comma + 1) != std::string::npos) return "";
  std::string out = typed;
  out[comma] = '.';
  double x = 0;
  const auto [stop, error] = std::from_chars(out.data(), out.data() + out.size(), x);
  return error == std::errc() && stop == out.data() + out.size() ? out : "";
}

Asked asked_number(const std::string& typed) {
  std::string_view word = typed;
  if (word.starts_with('+')) word.remove_prefix(1);
  if (word == "∞" || word == "-∞" || word == "−∞") return {{word == "∞" ? HUGE_VAL : -HUGE_VAL}, 0};
  double x = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), x);
  if (error == std::errc() && stop == word.data() + word.size() && !std::isfinite(x)) return {{x}, 0};  // nan, inf
  if (const std::string point = with_point(typed); !point.empty())
    refuse("--predict: expected one number, got '{}'; write {}", shown(typed), point);
  Asked asked = asked_value(typed, "--predict");
  if (asked.value.size() != 1) refuse("--predict: expected one number, got '{}'", shown(typed));
  return asked;
}

// A match's names with PyTorch's first, whose users these lessons are written for.
WhichMatch torch_first(WhichMatch f) {
  std::stable_partition(f.names.begin(), f.names.end(), [](const auto& n) { return n.starts_with("torch."); });
  return f;
}

}  // namespace

Guess judge(const std::string& path, const std::string& typed) {
  const LossCase flawed = read_case(path), repaired = read_case(path, true);
  const double want = prediction_of(flawed);
  Asked asked = asked_number(typed);
  const double got = asked.value[0];
  const Explanation e = explain_lesson(path, {{"token_mean"}});
  if (std::isfinite(got)) asked.tolerance = std::max(asked.tolerance, rounding_of_table(e));
  Guess guess;
  if (same(got, want, asked.tolerance)) {
    guess.right = true;
    guess.lines = {fmt::format("right: {} ({:.9g})", typed, want)};
    return guess;
  }
  if (std::abs(got - want) <= 0.5001 * asked.unit) {
    guess.lines = {fmt::format("{} may be right: a digit more tells it from what others get", typed)};
    return guess;
  }
  guess.lines = {fmt::format("not {}", typed)};
  double as_it_stands = 0;
  if (loss_of_file(flawed, &as_it_stands) && same(got, as_it_stands, asked.tolerance))
    guess.lines.push_back("it is what the file as it stands says: the flaw is in its loss");
  for (const Experiment& x : e.experiments) {
    if (same(got, x.prediction, asked.tolerance))
      guess.lines.push_back(fmt::format("it is {} (experiment {}, {})", x.predict, x.number, x.id));
    for (const Mistake& m : x.mistakes)
      if (same(got, m.value, asked.tolerance)) guess.lines.push_back("it is " + m.words);
  }
  if (!std::isfinite(got)) {
    if (guess.lines.size() == 1) guess.lines.push_back("no usual mistake gives it");
    return guess;
  }
  // The search behind `loss --which`: of the repaired batch, then of the flawed one.
  std::vector<std::string> nearest;
  for (const LossCase* c : {&repaired, &flawed}) {
    try {
      const Which found = which(*c, inputs_of(*c), asked.value, asked.tolerance);
      for (size_t i = 0; i < found.matches.size() && i < most_matches; ++i)
        guess.lines.push_back(fmt::format("{} = {}", typed, torch_first(found.matches[i]).text(most_names)));
      if (!found.matches.empty()) break;
      if (nearest.empty()) nearest = lines_of(found, typed);
    } catch (const LossError&) {  // a batch that the loss refuses has no such numbers
    }
  }
  if (guess.lines.size() == 1) guess.lines.insert(guess.lines.end(), nearest.begin(), nearest.end());
  return guess;
}

// "01_padding.html" for each lesson's file; a number more where another page has that name, also where only the case of
// letters differs, which some file systems do not tell apart.
static std::vector<std::string> page_names(const std::vector<std::string>& lessons) {
  std::set<std::string> taken = {"index"};
  std::vector<std::string> out;
  for (const std::string& path : lessons) {
    const std::string stem = page_stem(path);
    std::string name = stem;
    const auto folded = [](std::string text) {
      for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      return text;
    };
    for (int n = 2; !taken.insert(folded(name)).second; ++n) name = fmt::format("{}-{}", stem, n);
    out.push_back(name + ".html");
  }
  return out;
}

void write_course(const std::vector<std::string>& lessons, const std::string& directory) {
  namespace fs = std::filesystem;
  make_directories(directory);
  const std::vector<std::string> names = page_names(lessons);
  for (const std::string& name : names) check_named_output((fs::path(directory) / name).string());
  check_named_output((fs::path(directory) / "index.html").string());
  std::string list;
  for (size_t i = 0; i < lessons.size(); ++i) {
    const Explanation e = explain_lesson(lessons[i]);
    write_output((fs::path(directory) / names[i]).string(), explain_page(e));
    list += fmt::format("<li><a href=\"{}\">{}</a>\n{}</li>\n", for_url(names[i]), for_html(e.subject.about),
                        paragraph(e.subject.question));
  }
  write_output((fs::path(directory) / "index.html").string(),
               page("What masks and weights do to a loss",
                    heading(1, "What masks and weights do to a loss") +
                        paragraph("Each lesson asks for one number about a batch of a few words. Guess it with pencil "
                                  "and paper, reveal the answer, then edit masks and weights and watch every loss of "
                                  "the field. The pages need no network.") +
                        "<ol>\n" + list + "</ol>\n"));
}

}  // namespace seqgrad
