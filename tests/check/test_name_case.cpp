// What `check` says of wrong numbers: by their gradients, and of several cases at once.
#include <cmath>

#include "engine/check/check_case.h"
#include "engine/config/yaml.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

LossCase unnamed_case(const std::string& text) { return make_case(parse_yaml(text, "c.yaml"), std::nullopt, "c.yaml"); }

std::string list(const std::vector<double>& x, int64_t steps, int64_t classes) {
  std::string out = "[";
  for (size_t i = 0; i < x.size(); ++i) {
    const auto v = static_cast<size_t>(classes), row = v * static_cast<size_t>(steps);
    out += i % row == 0 ? (i > 0 ? "]], [[" : "[[") : i % v == 0 ? "], [" : ", ";
    out += fmt::format("{:.17g}", x[i]);
  }
  return out + "]]]";
}

const std::string tensors =
    "tensors:\n  logits: [[[0.0, 1.0], [2.0, 0.0], [0.5, 0.0]], [[1.0, 0.5], [.nan, .nan], [.nan, .nan]]]\n"
    "  targets: [[0, 1, 0], [1, 9, 9]]\n  lengths: [3, 1]\n";
const std::string equal_logits =
    "tensors:\n  logits: [[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]\n"
    "  targets: [[0, 1, 0], [1, 0, 0]]\n  lengths: [3, 1]\n";

// The gold that another loss gives.
std::string gold(const std::string& loss, const std::string& of, bool value, bool gradient) {
  const CaseRun run = run_case(unnamed_case("loss: {preset: " + loss + "}\n" + of), DType::f64, Device::cpu);
  std::string out;
  if (value) out += fmt::format("  gold.value: {:.17g}\n", run.of("value").numbers[0]);
  if (gradient) out += fmt::format("  gold.d_logits: {}\n", list(run.of("d_logits").numbers, 3, 2));
  return out;
}

std::string lines_said(const std::string& text) {
  return fmt::format("{}", fmt::join(check_case(unnamed_case(text), {}).lines, "\n"));
}

}  // namespace

TEST_CASE("a gradient whose rows pull as another loss's do is named without a value") {
  const std::string sentences =
      lines_said("loss: {preset: token_mean}\n" + tensors + gold("sentence_mean", tensors, false, true));
  CHECK(has(sentences, "which: a loss of "));
  CHECK(has(sentences, ", whose gradient this is, = sentence_mean = "));
  CHECK_FALSE(has(sentences, "batch_mean"));
  // One factor in all rows, as before.
  CHECK(has(lines_said("loss: {preset: token_mean}\n" + tensors + gold("sum", tensors, false, true)),
            "this is, = sum = "));
}

TEST_CASE("a value that several losses have is named by its gradient where there is one") {
  const std::string wrong = "loss: {preset: sum}\n" + equal_logits,
                    value = lines_said(wrong + gold("sentence_mean", equal_logits, true, false));
  CHECK(has(value, " = token_mean = "));
  CHECK(has(value, " = sentence_mean = "));
  const std::string both = lines_said(wrong + gold("sentence_mean", equal_logits, true, true));
  CHECK(has(both, " = sentence_mean = "));
  CHECK_FALSE(has(both, "token_mean"));
}

TEST_CASE("cases that are named together are batches of one loss") {
  const Scratch dir;
  std::vector<std::string> paths;
  for (const auto& [lengths, value] : {std::pair{"[2, 2]", 2.5}, {"[2, 1]", 2.25}, {"[1, 2]", 2.25}})
    paths.push_back(dir.write(
        fmt::format("{}.yaml", paths.size()),
        fmt::format(
            "loss: {{preset: sum}}\ntensors: {{row_loss: [[1.0, 2.0], [3.0, 4.0]], lengths: {}, gold.value: {}}}\n",
            lengths, value)));
  const Result alone = run_seqgrad(dir, "check " + paths[0]);
  CHECK(has(alone.out, "which: 2.5 = token_mean = "));
  CHECK(has(alone.out, "which: 2.5 = sentence_mean = "));
  const Result all = run_seqgrad(dir, fmt::format("check {}", fmt::join(paths, " ")));
  CAPTURE(all.out);
  CHECK(all.code == 1);
  CHECK(has(all.out, "which: 2.5 = sentence_mean = "));
  CHECK(has(all.out, "which: 2.25 = sentence_mean = "));
  CHECK_FALSE(has(all.out, "token_mean"));
  CHECK(has(all.out, "3 cases: 0 as expected, 3 not"));
  // One of another loss: each has the names that it has by itself.
  paths.push_back(
      dir.write("3.yaml", "loss: {preset: sum}\ntensors: {row_loss: [[1.0, 2.0], [3.0, 4.0]], gold.value: 5.0}\n"));
  const Result other = run_seqgrad(dir, fmt::format("check {}", fmt::join(paths, " ")));
  CHECK(has(other.out, "which: 2.5 = token_mean = "));
  CHECK(has(other.out, "which: 5 = batch_mean = "));
  CHECK(has(other.out, "4 cases: 0 as expected, 4 not"));
}

TEST_CASE("a loss times one factor is named with it, where value and gradient have it") {
  const auto times = [](const std::string& preset, double factor, double of_gradient) {
    const std::string ours = "loss: {preset: " + preset + "}\n" + tensors;
    const CaseRun run = run_case(unnamed_case(ours), DType::f64, Device::cpu);
    std::vector<double> gradient = run.of("d_logits").numbers;
    for (double& x : gradient) x *= of_gradient;
    return lines_said(ours + fmt::format("  gold.value: {:.17g}\n  gold.d_logits: {}\n",
                                         factor * run.of("value").numbers[0], list(gradient, 3, 2)));
  };
  struct Known {
    const char* preset;
    double factor;
    const char* text;
  };
  for (const auto& [preset, factor, text] : {Known{"token_mean", -1, " = −1 times token_mean = "},
                                             {"token_mean", 100, " = 100 times token_mean = "},
                                             {"token_mean", 1 / std::log(2), " = 1/ln 2 times token_mean = "},
                                             {"token_mean", 0.3, " = 0.3 times token_mean = "},
                                             {"sum", 2, " = 2 (the number of sentences) times sum = "}}) {
    const std::string lines = times(preset, factor, factor);
    CAPTURE(factor, lines);
    CHECK(has(lines, text));
    CHECK_FALSE(has(lines, "none of them"));
  }
  CHECK_FALSE(has(times("token_mean", 100, 3), " times token_mean"));
}
