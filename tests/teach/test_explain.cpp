// What `explain` shows is what the engine computes, and what peers recorded.
#include <test_paths.h>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/check/check_case.h"
#include "engine/check/limits.h"
#include "engine/teach/explain.h"
#include "engine/teach/explain_page.h"
#include "tests/support/catch.h"
#include "tests/support/markup.h"
#include "tests/support/scratch.h"

namespace seqgrad {
namespace {

const std::string cases = SEQGRAD_SOURCE_DIR "/tests/cases";

// "the dog" and "the": p(target) is 1/2, 1/4, 1/2.
const char* two_sentences =
    "name: two\nabout: two sentences\nwords: [<pad>, the, dog]\nloss: {}\ntensors:\n"
    "  logits: [[[0.0, 0.6931471805599453, 0.0], [0.0, 0.0, -0.4054651081081644]],"
    " [[0.0, 0.6931471805599453, 0.0], [0.0, 0.0, 0.0]]]\n"
    "  targets: [[1, 2], [1, 0]]\n  lengths: [2, 1]\n";

bool near(double a, double b, double rtol = 0, double atol = 0) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::abs(a - b) <= 1e-9 + atol + (1e-9 + rtol) * std::abs(b);
}

// Gold of a case [B,T,…] in b-major order.
std::vector<double> b_major(const LossCase& c, const Values& v, const LessonBatch& s) {
  if (c.layout == Layout::batch || v.shape.size() < 2) return v.numbers;
  return from_time_major(v.numbers, s.inputs.batch, s.inputs.steps, v.shape.size() == 3 ? v.shape[2] : 1);
}

TEST_CASE("check, loss and explain say of probabilities among logits the same") {
  const Scratch dir;
  const std::string note =
      "the rows of logits are all in [0,1] and sum to 1: are they probabilities? Then the tensor is probs, with input: "
      "probs\n";
  const auto at = [&](const std::string& name, const std::string& row) {
    return dir.write(name, "loss: {}\ntensors:\n  logits: [[[0.25, 0.75], " + row +
                               "]]\n  targets: [[0, 1]]\n  lengths: [2]\n  gold.value: 0.836501501\n"
                               "tolerance: {atol: 0.5}\n");
  };
  const std::string probs = at("probs.yaml", "[0.5, 0.5]"), logits = at("logits.yaml", "[0.5, -0.5]");
  CHECK(has(run_seqgrad(dir, "check " + probs).out, "note: " + note));
  CHECK(has(run_seqgrad(dir, "loss " + probs).err, "note: " + note));
  CHECK(has(run_seqgrad(dir, "loss " + probs + " --which 0.7").err, "note: " + note));
  CHECK(has(run_seqgrad(dir, "explain " + probs).out, "warning: " + note));
  for (const char* command : {"check ", "loss ", "explain "}) {
    const Result r = run_seqgrad(dir, command + logits);
    CAPTURE(r.out, r.err);
    CHECK_FALSE(has(r.out + r.err, "probabilities?"));
  }
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
    if (const Values* gold = c.gold_of("value")) same(e.values, b_major(c, *gold, e.batch)), ++values;
    if (const Values* gold = c.gold_of("row_loss"); gold && e.batch.options.z_loss == 0) {
      std::vector<double> got;
      for (const TokenView& t : e.tokens) got.push_back(t.loss);
      same(got, b_major(c, *gold, e.batch));
      ++rows;
    }
    const Values* gold = nullptr;
    for (const char* name : {"d_logits", "d_probs", "d_row_loss"})
      if (!gold) gold = c.gold_of(name);
    if (!gold) continue;
    std::vector<double> got;
    for (const TokenView& t : e.tokens) got.insert(got.end(), t.gradient.begin(), t.gradient.end());
    same(got, b_major(c, *gold, e.batch));
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

TEST_CASE("the terminal shows each token, the line that adds them up, and modes by name") {
  const Scratch dir;
  const std::string path = dir.write("c.yaml", two_sentences);
  const Result all = run_seqgrad(dir, "explain " + path);
  CHECK(all.code == 0);
  // p = 1/2, 1/4, 1/2; ln 2 times 4 over 3 tokens.
  CHECK(has(all.out, "loss = 2.7726 / 3 = 0.9242 (token mean)"));
  CHECK(has(all.out, "0     1  dog       0.2500"));
  CHECK(has(all.out, "0                                    0.00000  length"));
  CHECK(has(all.out, "d2l        (mask * l).sum() / mask.sum().clamp(min=1)"));
  CHECK(has(all.out, "joeynmt.tokens"));
  const Result two = run_seqgrad(dir, "explain " + path + " --mode sum,mlx.mean");
  CHECK(has(two.out, "2.7726 = 2.7726 / 1"));
  CHECK(has(two.out, "0.6931 = 2.7726 / 4 (all cells, padding included)"));
  CHECK(!has(two.out, "joeynmt"));
  const Result wrong = run_seqgrad(dir, "explain " + path + " --mode sums");
  CHECK(wrong.code == 2);
  CHECK(has(wrong.err, "unknown preset 'sums'"));
  const Result one = run_seqgrad(dir, "explain " + path + " --experiment padding");
  CHECK(has(one.out, "Experiment 1"));
  CHECK(!has(one.out, "Experiment 2"));
  CHECK(has(run_seqgrad(dir, "explain " + path + " --experiment all").out, "Experiment 12"));
  CHECK(run_seqgrad(dir, "explain " + path + " --experiment paddling").code == 2);
  const Result ends = run_seqgrad(dir, "explain " + path + " --experiment pad_is_eos");
  CHECK(ends.code == 2);
  CHECK(ends.out.empty());
  CHECK(has(ends.err,
            "does not apply: the sentences of this batch do not all end in the same id; `--experiment all` shows"));
}

TEST_CASE("the first batch of a config is explained with its words and the loss that a dry run prints") {
  const Scratch dir;
  const std::string config = std::string(SEQGRAD_SOURCE_DIR) + "/configs/reverse_masks.yaml";
  const std::string small = " --set data.sizes.train=200 --set model.encoder.hidden=6 --set model.decoder.hidden=8";
  const Result r = run_seqgrad(dir, "explain " + config + " --set seed=1" + small + " --sentences 2 --json");
  REQUIRE(r.code == 0);
  const auto json = nlohmann::json::parse(r.out);
  CHECK(json["kind"] == "config");
  CHECK(json["batch"]["B"] == 2);
  CHECK(json["batch"]["words"][2] == "</s>");
  CHECK(json["batch"]["sources"].size() == 2);
  const double v = json["batch"]["V"];
  CHECK(std::abs(json["tokens"][0]["nll"].get<double>() - std::log(v)) < 0.5);  // fresh weights know nothing
  CHECK(json["experiments"].size() > 5);
  CHECK(run_seqgrad(dir, "explain " + config + " --answer").code == 2);
  const auto tokens = [&](const std::string& more) {
    return run_seqgrad(dir, "explain " + config + small + " --sentences 2 --mode sum " + more);
  };
  const Result one = tokens("--seed 1 --device cpu --threads 1 -q"), other = tokens("--seed 2 --threads 2 -v");
  CHECK(one.out == tokens("--seed 1 --threads 2").out);
  CHECK(one.out != other.out);  // other sentences, other weights
  CHECK(one.err.empty());
  CHECK(has(other.err, "data: train 200 pairs"));
  CHECK(has(one.out, "source 0: "));
  const Result page = run_seqgrad(dir, "explain " + config + small + " -q --html " + dir / "page.html");
  CHECK(page.code == 0);
  CHECK(page.out.empty());
  CHECK(has(slurp(dir / "page.html"), "<!DOCTYPE html>"));
  const std::string path = dir.write("c.yaml", two_sentences);
  CHECK(run_seqgrad(dir, "explain " + path + " --sentences 2").code == 2);
}

TEST_CASE("experiments have an answer with its reason, and a prediction that none of their mistakes is") {
  const Explanation e = explain(make_case(parse_yaml(two_sentences, "c.yaml"), std::nullopt, "c.yaml"));
  CHECK(e.experiments.size() == 14);  // all but pad_is_eos (no common end) and smoothing (three classes)
  for (const Experiment& x : e.experiments) {
    CAPTURE(x.id);
    CHECK(!x.question.empty());
    CHECK(!x.predict.empty());
    CHECK(x.answer.size() > 80);
    CHECK(!x.tables.empty());
    for (const DataTable& t : x.tables) {
      for (const auto& row : t.rows) CHECK(row.size() == t.columns.size());
      if (t.chart)
        for (const size_t y : t.chart->y) CHECK(y < t.columns.size());
    }
    for (const Mistake& m : x.mistakes) CHECK(std::abs(m.value - x.prediction) > 1e-9);
  }
}

TEST_CASE("targets of -100 are refused with the line that leaves them out") {
  const Scratch dir;
  std::string text = two_sentences;
  text.replace(text.find("[1, 0]"), 6, "[-100, 0]");
  const Result r = run_seqgrad(dir, "explain " + dir.write("c.yaml", text));
  CHECK(has(r.out, "E04: target id -100 at (b=1,t=0) is outside [0,3); mask it or set ignore_index\n"));
  CHECK(has(r.out, "write loss: {mask: {ignore_index: -100}}\n"));
}

TEST_CASE("what an experiment says of the batch is what arithmetic says") {
  const Explanation e = explain(make_case(parse_yaml(two_sentences, "c.yaml"), std::nullopt, "c.yaml"));
  const auto prediction = [&](const std::string& id) {
    for (const Experiment& x : e.experiments)
      if (x.id == id) return x.prediction;
    return std::nan("");
  };
  const double ln2 = std::log(2.0);
  CHECK(prediction("padding") == Approx(4 * ln2 / 4));
  CHECK(prediction("mask_or_weight") == Approx(4 * ln2 / 4));
  CHECK(prediction("double_division") == Approx(4 * ln2 / 9));
  CHECK(prediction("micro_batches") == Approx((1.5 + 1) / 2 * ln2));
  CHECK(prediction("processes") == Approx((1.5 + 1) / 2 * ln2));
  CHECK(prediction("nothing_counts") == 0);
  CHECK(prediction("nan_in_padding") == Approx(4 * ln2 / 3));
  CHECK(prediction("learning_rate") == Approx(1.5));
  CHECK(prediction("columns") == Approx(4 * ln2 / (2 * 66)));
  CHECK(prediction("sentence_mean") == Approx((1.5 + 1) / 2 * ln2));
  CHECK(prediction("by_example") == Approx((1.5 + 1) / 2 * ln2));
  CHECK(prediction("broadcast") == Approx(0.75 * (4 * ln2 + std::log(3.0)) / 4));
}

TEST_CASE("losses of positions are explained as what is reduced, without what predicts them") {
  const Scratch dir;
  const std::string text =
      "loss: {preset: trl.grpo}\ntensors: {row_loss: [[1.0, -2.0, 4.0], [5.0, .nan, .nan]], lengths: [3, 1]}\n";
  const std::string path = dir.write("c.yaml", text);
  const Explanation e = explain(make_case(parse_yaml(text, "c.yaml"), std::nullopt, "c.yaml"));
  REQUIRE(e.tokens.size() == 6);
  CHECK(e.values.at(0) == Approx((3 / 3. + 5) / 2));
  CHECK(e.tokens[1].loss == -2);
  CHECK(e.tokens[1].gradient == std::vector<double>{e.tokens[1].coefficient});
  CHECK(e.tokens[1].coefficient == Approx(1 / 6.));
  CHECK(e.tokens[4].gradient == std::vector<double>{0});
  CHECK_FALSE(e.tokens[4].alone);  // NaN cannot count
  CHECK(has(e.tokens[4].refused, "row_loss is nan at (b=1,t=1)"));
  CHECK(e.experiments.empty());
  CHECK(e.warnings.empty());
  const Result shown = run_seqgrad(dir, "explain " + path);
  CHECK(shown.code == 0);
  CHECK(has(shown.out, "2 sentences, 3 steps, losses of positions"));
  CHECK(has(shown.out, "  loss  "));
  CHECK(has(shown.out, "trl.bnpo"));
  const auto json = nlohmann::json::parse(run_seqgrad(dir, "explain " + path + " --json").out);
  CHECK(json["batch"]["input"] == "row_loss");
  CHECK(json["tokens"][0]["id"].is_null());
  CHECK(json["tokens"][0]["alone"]["p"].is_null());
  CHECK(json["tokens"][0]["alone"]["loss"] == 1.0);
  testing::check_markup(explain_page(e));
  const Result experiment = run_seqgrad(dir, "explain " + path + " --experiment padding");
  CHECK(experiment.code == 2);
  const std::string why = "experiments need what predicts, and these are losses of positions";
  CHECK(has(experiment.err, "experiment 'padding' does not apply: " + why + "; nor does any other"));
  CHECK(has(run_seqgrad(dir, "explain " + path + " --experiment all").err,
            "no experiment applies to this batch: " + why));
  const std::string live = dir.write("n.yaml", "loss: {preset: sum}\ntensors: {row_loss: [[1.0, .nan]]}\n");
  CHECK(has(run_seqgrad(dir, "explain " + live).out, "no loss: E10: row_loss is nan at (b=0,t=1)"));
}

}  // namespace
}  // namespace seqgrad
