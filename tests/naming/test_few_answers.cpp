// One or two answers: what is simplest is told, vague answers get no far-fetched name, and gradients are evidence.
#include "engine/loss/presets.h"
#include "engine/naming/bench.h"
#include "tests/naming/draw_batches.h"
#include "tests/support/catch.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr uint64_t seed = 20261129;

const Edit& edit(const std::string& words) {
  for (const auto table : {who_edits(), target_edits(), logit_edits(), weight_edits()})
    for (const Edit& e : table)
      if (words == e.words) return e;
  throw std::runtime_error(words);
}

// What a loss with changes made to it answers to the batches.
std::vector<Observed> answers_with(const std::vector<LossBatch>& batches, const LossOptions& o,
                                   const std::vector<Step>& steps) {
  const Reducer reducer = reducers_of(batches[0].inputs, o, "meant")[0];
  return observe(batches, [&](const LossBatch& b) {
    Predicted p;
    predict(reducer, make(variant_of(b, o), {steps}), 0, 0, p);
    return LossAnswer{p.value, {}, {}, {}};
  });
}

std::vector<std::string> changes_of(const Naming& n) {
  std::vector<std::string> out;
  for (const LossHypothesis& h : n.fits)
    for (const NamedReduction& r : h.reductions) out.push_back(r.change);
  return out;
}

std::vector<std::string> names_of(const Naming& n) {
  std::vector<std::string> out;
  for (const LossHypothesis& h : n.fits)
    for (const NamedReduction& r : h.reductions) out.insert(out.end(), r.names.begin(), r.names.end());
  return out;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

NamingOptions digits(double error) {
  NamingOptions options;
  options.answer_error = error;
  return options;
}

}  // namespace

TEST_CASE("a right loss keeps its name on one batch: no change is told of it") {
  for (const Preset& p : presets()) {
    const Takes takes = takes_of(p);
    LossOptions o = options_of(p);
    o.target = takes.dense ? Target::dense : Target::ids;
    const auto batches = draw_batches(seed, takes, 1);
    for (const double error : {1e-9, 1e-3}) {
      const Naming n = name_loss(observe(batches, [&](const LossBatch& b) { return answer_of(o, b); }), digits(error));
      CAPTURE(seed, p.name, p.flags, error, names_of(n), changes_of(n));
      const std::vector<std::string> names = names_of(n), changes = changes_of(n);
      CHECK(std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return name == p.name || name.starts_with(std::string(p.name) + "[");
      }));
      CHECK(std::all_of(changes.begin(), changes.end(), [](const std::string& c) { return c.empty(); }));
    }
  }
}

TEST_CASE("what people do most is told of few digits, anything else of many") {
  Takes takes;
  takes.token_weight = true;
  LossOptions o;
  o.divide = {"weight", "", "", 0};
  for (const int count : {1, 2}) {
    const auto batches = draw_batches(seed, takes, count);
    for (const char* words : {"with the token weights left out", "with every position counted, padding too",
                              "with targets shifted one step to the left", "with a softmax taken twice"}) {
      const Naming n = name_loss(answers_with(batches, o, {{&edit(words)}}), digits(1e-6));
      CAPTURE(seed, count, words, changes_of(n));
      CHECK(contains(changes_of(n), words));
    }
    for (const Step& rare :
         {Step{&edit("with the sentences' targets in the opposite order")}, Step{&edit("with −p for −log p")},
          Step{&edit("with the token weights left out"), Side::numerator}}) {
      const auto observed = answers_with(batches, o, {rare});
      CAPTURE(seed, count, rare.words(), changes_of(name_loss(observed, digits(1e-9))));
      CHECK(contains(changes_of(name_loss(observed, digits(1e-9))), rare.words()));
      CHECK_FALSE(contains(changes_of(name_loss(observed, digits(1e-2))), rare.words()));
    }
  }
}

TEST_CASE("twice or half of a loss is told as that, whatever the numbers of the batch are") {
  LossBatch four = draw_batches(seed, {}, 1)[0];
  four.inputs.batch = 4;  // √B is 2
  four.inputs.steps = 7;
  four.inputs.targets.assign(28, 1);
  four.inputs.lengths = std::vector<int64_t>{7, 2, 5, 1};
  Random r(seed, 3);
  four.x.resize(28 * static_cast<size_t>(four.inputs.classes));
  for (double& x : four.x) x = r.normal();
  const std::vector<LossBatch> batches = {four};
  LossOptions o;
  o.divide.flat = "one";
  for (const auto& [factor, id] : {std::pair{0.5, "constant:1/k"}, {2.0, "constant:k"}, {-1.0, "constant:sign"}}) {
    const auto observed = observe(batches, [&, factor = factor](const LossBatch& b) {
      return LossAnswer{{factor * answer_of(o, b).value.at(0)}, {}, {}, {}};
    });
    const Naming n = name_loss(observed, digits(1e-9));
    CAPTURE(seed, factor, n.fits.at(0).sentence);
    CHECK(contains(n.fits.at(0).names, "sum"));
    CHECK(n.fits.at(0).ids == std::vector<std::string>{id});
    CHECK(name_loss(observed, digits(1e-2)).fits.empty());
  }
}

TEST_CASE("two changes are told of no two batches, and of three") {
  const auto batches = draw_batches(seed, {}, 3);
  const auto observed = answers_with(
      batches, {}, {{&edit("with every position counted, padding too")}, {&edit("with every id one too high")}});
  CHECK(name_loss({observed.data(), 2}, digits(1e-9)).fits.empty());
  CHECK(changes_of(name_loss(observed, digits(1e-9))).at(0) ==
        "with every position counted, padding too, with every id one too high");
  NamingOptions simple = digits(1e-9);
  simple.simple = true;
  CHECK(name_loss(observed, simple).fits.empty());
}

TEST_CASE("where nothing counts a name is told whose loss gives that") {
  LossBatch b = draw_batches(seed, {}, 1)[0];
  b.inputs.lengths->assign(b.inputs.lengths->size(), 0);
  const auto named = [&](double value) {
    const std::vector<Observed> observed = {{&b, {{value}, {}, {}, {}}}};
    return names_of(name_loss(observed, digits(1e-9)));
  };
  CHECK(contains(named(NAN), "torch.mean"));
  CHECK_FALSE(contains(named(NAN), "token_mean"));
  CHECK(contains(named(0), "token_mean"));
  CHECK_FALSE(contains(named(0), "torch.mean"));
  CHECK(named(INFINITY).empty());
}

TEST_CASE("of losses that agree in value the gradient tells which") {
  LossBatch b = draw_batches(seed, {}, 1)[0];
  std::fill(b.x.begin(), b.x.end(), 0.0);  // every mean is log V
  b.inputs.lengths->assign(b.inputs.lengths->size(), 1);
  b.inputs.lengths->back() = 3;
  const LossMeaning meaning = meaning_of("sentence_mean");
  const MeantAnswer a = answer_of(meaning, b);
  std::vector<Observed> observed = {{&b, a}};
  CHECK(contains(names_of(name_loss(observed, digits(1e-9))), "token_mean"));
  for (size_t n = 0; n < a.coefficient.size(); ++n) observed[0].rows.push_back(a.coefficient[n] * a.row_loss[n]);
  const std::vector<std::string> names = names_of(name_loss(observed, digits(1e-9)));
  CHECK(contains(names, "sentence_mean"));
  CHECK_FALSE(contains(names, "token_mean"));
  for (double& x : observed[0].rows) x = -x;  // another gradient than any of them has: the value is named as it is
  CHECK(contains(names_of(name_loss(observed, digits(1e-9))), "token_mean"));
  NamingOptions strict = digits(1e-9);
  strict.by_gradient = true;
  CHECK(names_of(name_loss(observed, strict)).empty());
}

TEST_CASE("dense targets, class weights and probabilities that a change takes away leave the presets of what is left") {
  Takes takes;
  takes.dense = true;
  LossOptions o;
  o.target = Target::dense;
  const auto batches = draw_batches(seed, takes, 1);
  const char* words = "with dense targets taken for their largest class";
  NamingOptions options = digits(1e-9);
  options.section = o;
  const Naming n = name_loss(answers_with(batches, o, {{&edit(words)}}), options);
  CHECK(changes_of(n).at(0) == words);
  CHECK(contains(names_of(n), "torch.mean"));
  CHECK(!n.fits.empty());
  CHECK(close(n.fits.at(0).predict(batches[0]).value.at(0), n.fits[0].reductions.at(0).values.at(0).at(0), 1e-12));
}

TEST_CASE("of very many classes no rare change is tried that has to look at all of them again") {
  Random r(seed, 7);
  LossBatch b;
  b.inputs.batch = 1;
  b.inputs.steps = 3;
  b.inputs.classes = 100000;
  b.inputs.targets = {5, 99999, 7};
  for (int64_t i = 0; i < 3 * b.inputs.classes; ++i) b.x.push_back(r.normal());
  const std::vector<LossBatch> batches = {b};
  const auto changes = [&](const char* words) {
    return changes_of(name_loss(answers_with(batches, {}, {{&edit(words)}}), digits(1e-9)));
  };
  CHECK(contains(changes("with a softmax taken twice"), "with a softmax taken twice"));
  CHECK(contains(changes("with every id one too high"), "with every id one too high"));
  CHECK_FALSE(contains(changes("with −p for −log p"), "with −p for −log p"));
}
