// Gold computed in float32 and bfloat16 by the steps that frameworks take passes at every vocabulary; what is wrong by
// more than such steps lose does not.
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/check/check_case.h"
#include "engine/core/random.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

float to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000U);
}
float as_it_is(float x) { return x; }

// A mean over rows by way of a log-softmax that is kept in the dtype, as PyTorch does it, which adds up the gradient
// that it is given in eight lanes.
struct Recorded {
  std::vector<float> logits;
  std::vector<int64_t> targets;
  double value = 0;
  std::vector<double> gradient;
};

Recorded recorded_rows(int64_t rows, int64_t v, float sd, float offset, float (*rounded)(float), uint64_t seed,
                       float smoothing = 0) {
  Recorded out;
  double total = 0;
  Random random(seed, 0);
  for (int64_t n = 0; n < rows; ++n) {
    std::vector<float> z;
    for (int64_t j = 0; j < v; ++j) z.push_back(rounded(offset + sd * static_cast<float>(random.normal())));
    const float top = *std::max_element(z.begin(), z.end());
    float sum = 0;
    for (const float x : z) sum += std::exp(x - top);
    const float log_sum = std::log(sum);
    const auto y = static_cast<int64_t>(random.below(static_cast<uint64_t>(v)));
    const float share = rounded(1.0F / static_cast<float>(rows));
    const float equal = smoothing / static_cast<float>(v), own = 1 - smoothing;
    const auto weight = [&](int64_t j) { return (j == y ? own + equal : equal) * share; };
    float lanes[8] = {}, all = 0;
    for (int64_t j = 0; j < v; ++j) lanes[j % 8] += weight(j);
    for (const float lane : lanes) all += lane;
    for (int64_t j = 0; j < v; ++j) {
      const float l = rounded(z[static_cast<size_t>(j)] - top - log_sum);
      out.gradient.push_back(static_cast<double>(rounded(std::exp(l) * all - weight(j))));
      total += static_cast<double>(-l) * static_cast<double>(j == y ? own + equal : equal);
    }
    out.targets.push_back(y);
    out.logits.insert(out.logits.end(), z.begin(), z.end());
  }
  out.value = static_cast<double>(rounded(static_cast<float>(total / static_cast<double>(rows))));
  return out;
}

CaseReport report_of(const Recorded& r, const std::string& limit_class, double smoothing = 0) {
  const auto rows = static_cast<int64_t>(r.targets.size()), v = static_cast<int64_t>(r.logits.size()) / rows;
  SafetensorsFile file;
  file.path = "t";
  file.tensors = {named_array("logits", {1, rows, v}, r.logits.data()),
                  named_array("targets", {1, rows}, r.targets.data()), named_array("gold.value", {}, &r.value),
                  named_array("gold.d_logits", {1, rows, v}, r.gradient.data())};
  const std::string tolerance = limit_class.empty() ? "" : "tolerance: {class: " + limit_class + "}\n";
  const std::string loss = fmt::format("loss: {{preset: torch.mean, smoothing: {{epsilon: {}}}}}\n", smoothing);
  return check_case(make_case(parse_yaml(loss + tolerance, "c.yaml"), std::move(file), "c"), {});
}

struct Arithmetic {
  const char* name;
  float (*rounded)(float);
  double noticed, noticed_loss;  // an error of a target's gradient, of |s·ω|, and of the value that must not pass
};
const Arithmetic arithmetics[] = {{"f32", as_it_is, 1e-2, 1e-2}, {"bf16", to_bf16, 1, 12}};

}  // namespace

TEST_CASE("right losses in float32 and bfloat16 pass whatever the vocabulary; larger errors do not") {
  for (const Arithmetic& a : arithmetics)
    for (const int64_t v : {2, 100, 5000, 32000, 128000})
      for (const auto& [sd, offset] : {std::pair{1.0F, 0.0F}, {4.0F, 0.0F}, {4.0F, -200.0F}}) {
        const uint64_t seed = static_cast<uint64_t>(v) * 1000003;
        Recorded r = recorded_rows(3, v, sd, offset, a.rounded, seed);
        CAPTURE(a.name, v, sd, offset, seed);
        const CaseReport right = report_of(r, a.name);
        CAPTURE(right.lines);
        CHECK(right.verdict == Verdict::as_expected);
        if (offset != 0) continue;
        const double value = r.value;
        r.value += a.noticed_loss;
        CHECK(report_of(r, a.name).verdict == Verdict::differs);
        r.value = value;
        r.gradient[static_cast<size_t>(r.targets[0])] += a.noticed / 3;
        CHECK(report_of(r, a.name).verdict == Verdict::differs);
      }
}

TEST_CASE("a framework that adds up equal shares of smoothing in eight lanes is right; a hundred more are not") {
  for (const int64_t v : {5000, 32000}) {
    const uint64_t seed = 3;
    CAPTURE(v, seed);
    Recorded r = recorded_rows(2, v, 8, 0, as_it_is, seed, 0.125F);
    const CaseReport right = report_of(r, "f32", 0.125);
    CAPTURE(right.lines);
    CHECK(right.verdict == Verdict::as_expected);
    const auto y = static_cast<size_t>(r.targets[0]);
    r.gradient[y] -= 100 * 0.125 / static_cast<double>(v) / 2;
    CHECK(report_of(r, "f32", 0.125).verdict == Verdict::differs);
  }
}

TEST_CASE(
    "gold of float32 numbers counts as computed in float32 where the case does not say; the limit names its dtype") {
  Recorded r = recorded_rows(3, 5000, 4, 0, as_it_is, 7);
  CHECK(report_of(r, "").verdict == Verdict::as_expected);
  CHECK(report_of(r, "f64").verdict == Verdict::differs);
  r.gradient[17] += 1e-3;
  const CaseReport report = report_of(r, "f32");
  REQUIRE(report.verdict == Verdict::differs);
  CHECK(has(report.lines[0], "d_logits[0,0,17] "));
  CHECK(has(report.lines[0], " of f32 arithmetic, V=5000  (1/15000 elements)"));
}

TEST_CASE("bfloat16 gold that does not say so is told how to") {
  const CaseReport report = report_of(recorded_rows(3, 5000, 4, 0, to_bf16, 7), "");
  REQUIRE(report.verdict == Verdict::differs);
  CHECK(has(report.lines.back(), "every recorded number is a bfloat16: tolerance: {class: bf16}"));
}

TEST_CASE("a limit of bf16 still finds one class's share of the smoothing") {
  // ε/V of uniform smoothing lies below bf16's rounding of p only where p is as large: most classes are unlikely.
  Recorded r = recorded_rows(2, 5000, 4, 0, to_bf16, 11);
  for (double& g : r.gradient) g -= static_cast<double>(to_bf16(0.1F / 5000 / 2));
  CHECK(report_of(r, "bf16").verdict == Verdict::differs);
}
