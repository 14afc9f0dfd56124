// Reading, judging and printing lessons.
#include "engine/teach/course.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/check/check_case.h"
#include "engine/check/which.h"
#include "engine/io/atomic_write.h"
#include "engine/teach/html.h"
#include "engine/teach/page.h"

namespace seqgrad {
namespace {

constexpr size_t most_matches = 2, most_names = 5;  // of the search

bool within(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

// What the file as it stands says: its loss, or why it has none.
std::string flawed_answer(const LossCase& flawed, double* value) {
  try {
    *value = run_case(flawed, DType::f64, Device::cpu).of("value").numbers.at(0);
    return fmt::format("{:.6g}", *value);
  } catch (const LossError& e) {
    return fmt::format("no number ({}: {})", str(e.loss_code), e.what());
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
    std::vector<Experiment> found = run_experiments(specimen_of(repaired), id);
    if (found.empty()) found = run_experiments(specimen_of(flawed), id);
    for (Experiment& x : found) out.push_back(std::move(x));
  }
  return out;
}

}  // namespace

std::vector<std::string> find_lessons(const std::string& folder) {
  std::vector<std::string> out;
  for (const std::string& path : find_cases({folder}))
    if (!read_case(path).config->question().empty()) out.push_back(path);
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

Guess judge(const std::string& path, const std::string& typed) {
  const LossCase flawed = read_case(path), repaired = read_case(path, true);
  const double want = prediction_of(flawed);
  const Asked asked = asked_value(typed, "--predict");
  if (asked.value.size() != 1) refuse("--predict: expected one number, got '{}'", shown(typed));
  const double got = asked.value[0];
  Guess guess;
  if (within(got, want, asked.tolerance)) {
    guess.right = true;
    guess.lines = {fmt::format("right: {} ({:.9g})", typed, want)};
    return guess;
  }
  guess.lines = {fmt::format("not {}", typed)};
  double as_it_stands = NAN;
  const std::string stands = flawed_answer(flawed, &as_it_stands);
  if (within(got, as_it_stands, asked.tolerance))
    guess.lines.push_back("it is what the file as it stands says: the flaw is in its loss");
  for (const Experiment& x : experiments_of(flawed, repaired)) {
    if (within(got, x.prediction, asked.tolerance))
      guess.lines.push_back(fmt::format("it is {} (experiment {})", x.predict, x.id));
    for (const Mistake& m : x.mistakes)
      if (within(got, m.value, asked.tolerance)) guess.lines.push_back("it is " + m.words);
  }
  // The search behind `loss --which`: of the repaired batch, then of the flawed one.
  std::vector<std::string> nearest;
  for (const LossCase* c : {&repaired, &flawed}) {
    try {
      const Which found = which(*c, inputs_of(*c), asked.value, asked.tolerance);
      for (size_t i = 0; i < found.matches.size() && i < most_matches; ++i)
        guess.lines.push_back(fmt::format("{} = {}", typed, found.matches[i].text(most_names)));
      if (!found.matches.empty()) break;
      if (nearest.empty()) nearest = lines_of(found, typed);
    } catch (const LossError&) {  // a batch that the loss refuses has no such numbers
    }
  }
  if (guess.lines.size() == 1) guess.lines.insert(guess.lines.end(), nearest.begin(), nearest.end());
  return guess;
}

void write_course(const std::vector<std::string>& lessons, const std::string& directory) {
  namespace fs = std::filesystem;
  make_directories(directory);
  std::string list;
  for (const std::string& path : lessons) {
    const Explanation e = explain_lesson(path);
    const std::string file = fs::path(path).stem().string() + ".html";
    atomic_write((fs::path(directory) / file).string(), explain_page(e));
    list += fmt::format("<li><a href=\"{}\">{}</a>\n{}</li>\n", escaped(file), escaped(e.subject.about),
                        paragraph(e.subject.question));
  }
  atomic_write((fs::path(directory) / "index.html").string(),
               page("What masks and weights do to a loss",
                    heading(1, "What masks and weights do to a loss") +
                        paragraph("Each lesson asks for one number about a batch of a few words. Guess it with pencil "
                                  "and paper, reveal the answer, then edit masks and weights and watch every loss of "
                                  "the field. The pages need no network.") +
                        "<ol>\n" + list + "</ol>\n"));
}

}  // namespace seqgrad
