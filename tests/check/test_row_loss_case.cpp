// Losses of positions as a case's input: the reduction alone, its gradient, what it refuses, and several cases at once.
#include <test_paths.h>

#include "engine/check/case_batch.h"
#include "engine/check/gradcheck_case.h"
#include "engine/config/yaml.h"
#include "tests/support/catch.h"
#include "tests/support/loss_helpers.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// Two sentences of three and one tokens; losses of policy gradients may be negative.
std::string case_text(const std::string& loss, const std::string& more = "", const std::string& layout = "batch") {
  return fmt::format(
      "loss: {{{}, layout: {}}}\ntensors: {{row_loss: {}, lengths: [3, 1]{}}}\n", loss, layout,
      layout == "batch" ? "[[1.0, -2.0, 4.0], [5.0, .nan, .nan]]" : "[[1.0, 5.0], [-2.0, .nan], [4.0, .nan]]", more);
}
LossCase case_of(const std::string& loss, const std::string& more = "", const std::string& layout = "batch") {
  return make_case(parse_yaml(case_text(loss, more, layout), "a.yaml"), {}, "a.yaml");
}

}  // namespace

TEST_CASE("row losses are reduced, and their gradient is the coefficient") {
  for (const char* layout : {"batch", "time"}) {
    const bool time = std::string(layout) == "time";
    const CaseRun grpo = run_case(case_of("preset: trl.grpo", "", layout), DType::f64, Device::cpu);
    check_close(grpo.of("value").numbers, {(3 / 3. + 5) / 2}, 1e-15);
    const std::vector<double> by_row = {1 / 6., 1 / 6., 1 / 6., .5, 0, 0}, by_step = {1 / 6., .5, 1 / 6., 0, 1 / 6., 0};
    check_close(grpo.of("d_row_loss").numbers, time ? by_step : by_row, 1e-15);
  }
  const auto value = [](const char* loss) {
    return run_case(case_of(loss), DType::f64, Device::cpu).of("value").numbers;
  };
  check_close(value("preset: trl.bnpo"), {8 / 4.}, 1e-15);
  check_close(value("preset: trl.dr_grpo, reduce: {divide: {const: 10.0, times: batch}}"), {8 / 20.}, 1e-15);
  check_close(value("preset: verl.seq-mean-token-sum-norm"), {8 / 6.}, 1e-15);
  check_close(value("preset: simpo.sequence_mean"), {1, 5}, 1e-15);
  for (const TensorReport& r : check_case_gradients(case_of("preset: trl.grpo"), 0)) {
    CHECK(r.name == "row_loss");
    CHECK(r.gradients.failed == 0);
  }
}

TEST_CASE("what has no meaning beside row losses is refused") {
  CHECK(message_of([] { case_of("smoothing: {epsilon: 0.1}"); }).find("has no meaning beside the tensor 'row_loss'") !=
        std::string::npos);
  CHECK(message_of([] {
          case_of("preset: sum", ", targets: [[0, 0, 0], [0, 0, 0]]");
        }).find("tensor 'targets': has no meaning beside row_loss") != std::string::npos);
  CHECK(message_of([] { case_of("preset: sum", ", logits: [[[0.0]]]"); }).find("exactly one of the tensors") !=
        std::string::npos);
  CHECK(message_of([] {
          case_of("preset: trl.dr_grpo, reduce: {divide: {const: 10.0}}");
        }).find("contradicts preset 'trl.dr_grpo', which has {const: 512.0, times: batch}") != std::string::npos);
}

TEST_CASE("what fits all cases is narrower than what fits one") {
  const Scratch dir;
  std::vector<std::string> paths;
  for (const auto& [lengths, gold] : {std::pair{"[2, 2]", 2.5}, {"[2, 1]", 2.25}, {"[1, 2]", 2.25}})
    paths.push_back(dir.write(
        fmt::format("{}.yaml", paths.size()),
        fmt::format("loss: {{}}\ntensors: {{row_loss: [[1.0, 2.0], [3.0, 4.0]], lengths: {}, gold.value: {}}}\n",
                    lengths, gold)));
  const Result one = run_seqgrad(dir, fmt::format("loss {} --which gold", paths[0]));
  CHECK(one.code == 0);
  CHECK(has(one.out, "token_mean"));
  const Result all = run_seqgrad(dir, fmt::format("loss {} --which gold -v", fmt::join(paths, " ")));
  CAPTURE(all.out);
  CHECK(all.code == 0);
  CHECK(has(all.out, "gold of 3 cases = "));
  CHECK(has(all.out, "sentence_mean"));
  CHECK(!has(all.out, "token_mean ="));
  CHECK(run_seqgrad(dir, fmt::format("loss {} --which 2", fmt::join(paths, " "))).code == 2);
}

TEST_CASE("a live row loss that is not finite is E10, unless it may propagate") {
  const Scratch dir;
  for (const char* x : {".nan", ".inf", "-.inf"}) {
    const auto path = [&](const std::string& more) {
      return dir.write("c.yaml", fmt::format("loss: {{preset: sum{}}}\ntensors: {{row_loss: [[1.0, 2.0], [{}, .nan]], "
                                             "lengths: [2, 1], gold.value: {}}}\n",
                                             more, x, x));
    };
    const Result loss = run_seqgrad(dir, "loss " + path("")), check = run_seqgrad(dir, "check " + path(""));
    CAPTURE(x, loss.out, check.out);
    CHECK(loss.code == 2);
    CHECK(has(loss.err, fmt::format("error: row_loss is {} at (b=1,t=0)", x[0] == '-' ? "-inf" : x + 1)));
    CHECK(check.code == 1);
    CHECK(has(check.out, "expected a value, got E10: row_loss is "));
    CHECK(run_seqgrad(dir, "loss " + path(", nonfinite: propagate")).code == 0);
  }
}
