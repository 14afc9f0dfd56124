// Each lesson fails as it stands and passes repaired; guesses are judged; the course is whole.
#include <test_paths.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/check/check_case.h"
#include "engine/teach/course.h"
#include "tests/support/catch.h"
#include "tests/support/markup.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

const std::string folder = SEQGRAD_SOURCE_DIR "/configs/lessons";

std::string lesson(const std::string& name) { return folder + "/" + name + ".yaml"; }

}  // namespace

TEST_CASE("each lesson fails as it stands, and passes when it is repaired") {
  const std::vector<std::string> lessons = find_lessons(folder);
  CHECK(lessons.size() == 13);
  for (const std::string& path : lessons) {
    CAPTURE(path);
    const CaseReport flawed = check_case(path, {}), mended = check_case(read_case(path, true), {});
    CHECK(flawed.verdict == Verdict::differs);
    CHECK(mended.verdict == Verdict::as_expected);
  }
}

TEST_CASE("each lesson asks, answers, shows its experiments, and its number is right while its flaw's is not") {
  std::vector<std::string> shown;
  for (const std::string& path : find_lessons(folder)) {
    CAPTURE(path);
    const LossCase c = read_case(path);
    for (const std::string& text : {c.config->question(), c.config->predict(), c.config->answer(), c.config->repair()})
      CHECK(!text.empty());
    CHECK(c.config->name() == std::filesystem::path(path).stem());
    const double right = c.gold_of("value")->numbers[0];
    CHECK(judge(path, fmt::format("{:.5g}", right)).right);
    if (right != 0)  // a person's digits; 0 has none
      CHECK(has(c.config->answer(), fmt::format("{:.4f}", right)));
    const Explanation e = explain_lesson(path);
    CHECK(e.experiments.size() == c.config->experiments().size());
    for (const Experiment& x : e.experiments) shown.push_back(x.id);
    const std::string asked = lesson_text(e, false), told = lesson_text(e, true);
    CHECK(!has(asked, "Repair"));
    if (right != 0) CHECK(!has(asked, fmt::format("{:.4f}", right)));
    CHECK(has(told, "Repair"));
    const bool refused = !e.warnings.empty() && has(e.warnings[0], "the file as it stands is refused");
    if (!refused && !e.values.empty() && std::isfinite(e.values[0])) {
      const Guess wrong = judge(path, fmt::format("{:.6f}", e.values[0]));
      CHECK(!wrong.right);
      CHECK(has(fmt::format("{}", fmt::join(wrong.lines, "\n")), "it is what the file as it stands says"));
    }
  }
  for (const ExperimentKind& kind : experiment_kinds()) {
    CAPTURE(kind.id);
    CHECK(std::count(shown.begin(), shown.end(), kind.id) == 1);  // every experiment has its lesson
  }
  CHECK(experiment_kinds().size() == 16);
}

TEST_CASE("a guess is right, or the mistake that gives it is named") {
  const Scratch dir;
  const std::string path = lesson("01_padding");
  const Result right = run_seqgrad(dir, "explain " + path + " --predict 1.04");
  CHECK(right.code == 0);
  CHECK(has(right.out, "right: 1.04 (1.03972077)"));
  CHECK(has(right.out, "Experiment 11"));
  const Result cells = run_seqgrad(dir, "explain " + path + " --predict 0.7798");
  CHECK(cells.code == 1);
  CHECK(has(cells.out, "it is what the file as it stands says"));
  CHECK(has(cells.out, "(divisor 8, all cells, padding included)"));
  const Result sum = run_seqgrad(dir, "explain " + path + " --predict 6.2383");
  CHECK(has(sum.out, "it is the sum, not yet divided"));
  const Result none = run_seqgrad(dir, "explain " + path + " --predict 123.4");
  CHECK(none.code == 1);
  CHECK(has(none.out, "is none of them; the nearest:"));
  CHECK(has(run_seqgrad(dir, "explain " + path + " --predict 6.2381").out, "it is the sum, not yet divided"));
  CHECK(has(run_seqgrad(dir, "explain " + path + " --predict 1,04").err, "write 1.04"));
  CHECK(run_seqgrad(dir, "explain " + path + " --predict much").code == 2);
  CHECK(run_seqgrad(dir, "explain " SEQGRAD_SOURCE_DIR "/tests/cases/keras/g13_none --predict 1").code == 2);
  CHECK(judge(lesson("04_broadcast"), "2.3105").lines.size() > 1);  // refused as it stands, and still judged
  CHECK(judge(lesson("06_nothing_counts"), "0").right);
  CHECK(judge(lesson("06_nothing_counts"), "nan").lines.at(1).starts_with("it is what the file as it stands says"));
  CHECK(judge(path, "inf").lines.at(1) == "no usual mistake gives it");
  for (const char* typed : {"+1.0397", " 1.0397", "1.0397 "}) CHECK(judge(path, typed).right);
}

TEST_CASE("a guess of too few digits is told that one more decides it") {
  const std::string path = lesson("05_micro_batches");  // 1.12636
  for (const char* typed : {"1.13", "1.1"}) {
    const Guess guess = judge(path, typed);
    CHECK_FALSE(guess.right);
    CHECK(guess.lines ==
          std::vector<std::string>{std::string(typed) + " may be right: a digit more tells it from what others get"});
  }
  CHECK(judge(path, "1.126").right);
  CHECK(judge(path, "1.14").lines.at(0) == "not 1.14");
}

TEST_CASE("options that a guess, a lesson's text or a folder of lessons does not follow are refused") {
  const Scratch dir;
  const std::string guess = "explain " + lesson("01_padding") + " --predict 1.04 ";
  for (const std::string& option : std::vector<std::string>{"--json", "--answer", "--mode sum", "--experiment padding",
                                                            "--html " + (dir / "x.html")}) {
    const Result r = run_seqgrad(dir, guess + option);
    CHECK(r.code == 2);
    CHECK(has(r.err, "--predict judges one number"));
  }
  CHECK_FALSE(std::filesystem::exists(dir / "x.html"));
  const Result text = run_seqgrad(dir, "explain " + lesson("01_padding") + " --mode sum");
  CHECK(text.code == 2);
  CHECK(has(text.err, "the text of a lesson shows no presets"));
  CHECK(run_seqgrad(dir, "explain " + lesson("01_padding") + " --mode sum --json").code == 0);
  const Result folder =
      run_seqgrad(dir, "explain " SEQGRAD_SOURCE_DIR "/configs/lessons --mode sum --html " + (dir / "x"));
  CHECK(folder.code == 2);
  CHECK(has(folder.err, "--mode go with one of its lessons"));
}

TEST_CASE("a lesson's experiment has something to show") {
  for (const std::string& path : find_lessons(folder))
    for (const Experiment& x : explain_lesson(path).experiments) {
      CAPTURE(path, x.id);
      for (const Mistake& m : x.mistakes) CHECK(std::abs(m.value - x.prediction) > 1e-6);
    }
  const Explanation e = explain_lesson(lesson("08_ignored_class"));
  CHECK(e.experiments.at(0).prediction == Approx(1.5 * std::log(2.0)));
  CHECK(e.experiments[0].mistakes.at(0).value == Approx(1.5 * std::log(2.0) + std::log(1.25)));
}

TEST_CASE("the same batch on one, two and four processes: their means differ, one divisor gives one loss") {
  const Explanation e = explain_lesson(lesson("13_processes"));
  const double ln2 = std::log(2.0), batch = 1.7 * ln2, two = (10.0 / 7 + 7.0 / 3) / 2 * ln2, four = 2 * ln2;
  const auto numbers = [](const DataTable& table, size_t column) {
    std::vector<double> out;
    for (const auto& row : table.rows) out.push_back(std::get<double>(row.at(column)));
    return out;
  };
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    CHECK(a.size() == b.size());
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-12));
  };
  const Experiment& x = e.experiments.at(0);
  near(numbers(x.tables.at(0), 1), {batch, two, four});
  near(numbers(x.tables[0], 3), {1, 10.0 / (2 * 3), 10.0 / 4});        // words of the process with the fewest
  near(numbers(x.tables[0], 4), {1, 10.0 / (2 * 7), 10.0 / (4 * 4)});  // and with the most
  CHECK(numbers(x.tables[0], 2).at(0) == 0);
  CHECK(numbers(x.tables[0], 2)[2] > numbers(x.tables[0], 2)[1]);
  near(numbers(x.tables.at(1), 1), {batch, batch, batch});
  near(numbers(x.tables[1], 2), {0, 0, 0});
  near(numbers(x.tables[1], 3), {batch, batch / 2, batch / 4});
}

TEST_CASE("a lesson keeps its answer until it is asked for") {
  const Scratch dir;
  const Result asked = run_seqgrad(dir, "explain " + lesson("05_micro_batches"));
  CHECK(asked.code == 0);
  CHECK(has(asked.out, "Predict: the loss per word of the whole batch"));
  CHECK(!has(asked.out, "1.1264"));
  CHECK(has(asked.err, "--predict NUMBER"));
  const Result told = run_seqgrad(dir, "explain " + lesson("05_micro_batches") + " --answer");
  CHECK(has(told.out, "1.1264"));
  CHECK(has(told.out, "loss: {preset: token_mean}"));
  CHECK(has(told.out, "Experiment 5"));
}

TEST_CASE("the whole course is an index and a page a lesson") {
  const Scratch dir;
  const Result r = run_seqgrad(dir, "explain " + folder + " --html " + dir / "course");
  CHECK(r.code == 0);
  const std::string index = slurp(dir / "course/index.html");
  check_markup(index);
  for (const std::string& path : find_lessons(folder)) {
    const std::string name = std::filesystem::path(path).stem().string() + ".html";
    CHECK(has(index, "href=\"" + name + "\""));
    CHECK(has(slurp(dir / "course/" + name), "<!DOCTYPE html>"));
  }
  CHECK(has(run_seqgrad(dir, "explain " + folder).out, "12_smoothing.yaml"));
  CHECK(run_seqgrad(dir, "explain " + folder + " --json").code == 2);
  const Result cases = run_seqgrad(dir, "explain " SEQGRAD_SOURCE_DIR "/tests/cases/keras");
  CHECK(cases.code == 2);
  CHECK(has(cases.err, "none of them is a lesson: name one of them, e.g. "));
  const Result taken = run_seqgrad(dir, "explain " + lesson("01_padding") + " --html " + dir / "course");
  CHECK(taken.code == 2);
  CHECK(has(taken.err, "is a folder; write "));
  CHECK(has(taken.err, "course/01_padding.html"));
  CHECK(run_seqgrad(dir, "explain " + dir / "course").code == 2);  // no lesson there
}

TEST_CASE("each lesson has a page of its own, whatever it is called, and the index leads to it") {
  const Scratch dir;
  const std::string text = slurp(lesson("01_padding"));
  const size_t about = text.find("about:"), rest = text.find('\n', about);
  const std::vector<std::string> files = {"a/one.yaml",       "b/one.yaml",  "b/One.yaml",
                                          "index.yaml",       "a b#c?.yaml", "50%&\"'<x>.yaml",
                                          "sch\u00f6n:.yaml", "one-2.yaml",  "\xff.yaml"};
  for (const char* folder : {"in", "in/a", "in/b"}) std::filesystem::create_directories(dir / folder);
  for (size_t i = 0; i < files.size(); ++i)
    dir.write("in/" + files[i],
              text.substr(0, about) + "about: lesson number " + std::to_string(i) + text.substr(rest));
  REQUIRE(run_seqgrad(dir, "explain " + (dir / "in") + " --html " + (dir / "pages")).code == 0);
  const std::string index = slurp(dir / "pages/index.html");
  check_markup(index);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "pages")) names.push_back(entry.path().filename());
  CHECK(names.size() == files.size() + 1);
  size_t at = 0;
  std::vector<bool> seen(files.size());
  while ((at = index.find("href=\"", at + 1)) != std::string::npos) {
    const std::string link = index.substr(at + 6, index.find('"', at + 6) - at - 6);
    if (link == "data:,") continue;
    CAPTURE(link);
    std::string name;
    for (size_t i = 0; i < link.size(); ++i) {  // as a browser decodes it
      CHECK((std::isalnum(static_cast<unsigned char>(link[i])) ||
             std::string("-._~%").find(link[i]) != std::string::npos));
      name += link[i] == '%' ? static_cast<char>(std::stoi(link.substr(i + 1, 2), nullptr, 16)) : link[i];
      i += link[i] == '%' ? 2 : 0;
    }
    const std::string page = slurp(dir / ("pages/" + name));
    const size_t number = page.find("lesson number ");
    REQUIRE(number != std::string::npos);
    CHECK(has(index.substr(at, 200), "lesson number " + page.substr(number + 14, 1) + "</a>"));
    seen[static_cast<size_t>(page[number + 14] - '0')] = true;
  }
  CHECK(std::count(seen.begin(), seen.end(), true) == static_cast<int64_t>(files.size()));
}

TEST_CASE("a guess may be a number that is not finite") {
  for (const char* typed : {"inf", "+inf", "-inf", "infinity", "∞", "-∞", "nan", "NaN"}) {
    CAPTURE(typed);
    const Guess guess = judge(lesson("01_padding"), typed);
    CHECK_FALSE(guess.right);
    CHECK(guess.lines.at(0) == std::string("not ") + typed);
  }
  CHECK(error_of([] { judge(lesson("01_padding"), "infinite"); }).substr(0, 2) == "2 ");
}
