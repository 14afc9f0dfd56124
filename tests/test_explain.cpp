// What `explain` shows is what the engine computes, and what peers recorded.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/check/check_case.h"
#include "engine/check/limits.h"
#include "engine/teach/explain.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace seqgrad {
namespace {

const std::string cases = SEQGRAD_SOURCE_DIR "/tests/cases";

bool near(double a, double b, double rtol = 0, double atol = 0) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::abs(a - b) <= 1e-9 + atol + (1e-9 + rtol) * std::abs(b);
}

// Gold of a case [B,T,…] in b-major order.
std::vector<double> b_major(const LossCase& c, const Values& v, const Specimen& s) {
  if (c.layout == Layout::batch || v.shape.size() < 2) return v.numbers;
  return from_time_major(v.numbers, s.inputs.batch, s.inputs.steps, v.shape.size() == 3 ? v.shape[2] : 1);
}

TEST_CASE("every number of an explanation is the gold of its case") {
  int values = 0, gradients = 0, rows = 0;
  for (const std::string& path : find_cases({cases})) {
    const LossCase c = read_case(path);
    if (!c.config->expect().error.empty() || c.dtype() != DType::f64) continue;
    INFO(path);
    const Explanation e = explain(c, {{"sum"}, 1000});
    REQUIRE(e.error.empty());
    const auto same = [&](const std::vector<double>& got, const std::vector<double>& want) {
      REQUIRE(got.size() == want.size());
      for (size_t i = 0; i < got.size(); ++i)
        if (!near(got[i], want[i], c.config->tolerance.rtol().value_or(0), c.config->tolerance.atol().value_or(0)))
          FAIL(fmt::format("[{}] got {} want {}", i, got[i], want[i]));
    };
    if (const Values* gold = c.gold_of("value")) same(e.values, b_major(c, *gold, e.specimen)), ++values;
    if (const Values* gold = c.gold_of("row_loss"); gold && e.specimen.options.z_loss == 0) {
      std::vector<double> got;
      for (const TokenView& t : e.tokens) got.push_back(t.loss);
      same(got, b_major(c, *gold, e.specimen));
      ++rows;
    }
    const Values* gold = c.gold_of("d_logits") ? c.gold_of("d_logits") : c.gold_of("d_probs");
    if (!gold) continue;
    std::vector<double> got;
    for (const TokenView& t : e.tokens) got.insert(got.end(), t.gradient.begin(), t.gradient.end());
    same(got, b_major(c, *gold, e.specimen));
    ++gradients;
  }
  CHECK(values > 100);
  CHECK(gradients > 50);
  CHECK(rows > 20);
}

TEST_CASE("a cell alone times its coefficient is the gradient, and contributions add up to the value") {
  int seen = 0;
  for (const std::string& path : find_cases({cases + "/tfa", cases + "/keras", cases + "/pytorch"})) {
    const LossCase c = read_case(path);
    if (!c.config->expect().error.empty() || c.find("upstream") || c.find("upstream.0")) continue;
    INFO(path);
    const Explanation e = explain(c, {{"sum"}, 1000});
    if (e.values.size() != 1 || !std::isfinite(e.values[0])) continue;
    double sum = 0;
    for (const TokenView& t : e.tokens) {
      sum += t.contribution;
      CHECK((t.why.empty() == t.live));
      for (size_t i = 0; i < t.gradient.size(); ++i)
        if (!t.live || !t.alone)
          CHECK((t.gradient[i] == 0 && !std::signbit(t.gradient[i])));
        else if (!near(t.gradient[i], t.coefficient * t.alone->gradient[i]))
          FAIL(fmt::format("({},{}) class {}: {} is not {} x {}", t.b, t.t, i, t.gradient[i], t.coefficient,
                           t.alone->gradient[i]));
    }
    if (!near(sum, e.values[0])) FAIL(fmt::format("contributions add up to {}, the value is {}", sum, e.values[0]));
    ++seen;
  }
  CHECK(seen > 50);
}

TEST_CASE("the JSON of an explanation holds what explain.h documents, whatever the case") {
  for (const std::string& path : find_cases({cases})) {
    const LossCase c = read_case(path);
    if (c.refused || !c.config->expect().error.empty()) continue;
    INFO(path);
    const Explanation e = explain(c, {{"torch.mean", "tf1.sequence_loss_by_example"}, 8});
    const auto json = nlohmann::json::parse(to_json(e));
    REQUIRE(json["tokens"].size() == e.tokens.size());
    REQUIRE(json["modes"].size() == 3);
    REQUIRE((e.values.empty() || !json["value"].is_null()));
    for (const auto& t : json["tokens"]) REQUIRE(t["gradient"].size() == json["shown"].size());
  }
}

TEST_CASE("explain prints one JSON object of a case, or says why it cannot") {
  const Scratch dir;
  const Result json = run_seqgrad(dir, "explain " + cases + "/keras/g13_none --json");
  CHECK(json.code == 0);
  CHECK(nlohmann::json::parse(json.out)["batch"]["V"] == 3);
  const Result absent = run_seqgrad(dir, "explain nowhere --json");
  CHECK(absent.code == 2);
  CHECK(has(absent.err, "nowhere"));
}

}  // namespace
}  // namespace seqgrad
