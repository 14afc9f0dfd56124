// The search names every preset, every change, and numbers that it has to find, on random batches.
#include "engine/loss/presets.h"
#include "engine/naming/bench.h"
#include "tests/naming/draw_batches.h"
#include "tests/support/catch.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr uint64_t naming_seed = 20261128;

std::string told(const Naming& n) {
  std::string out;
  for (const LossHypothesis& h : n.fits)
    out += fmt::format("[{}] {}: {}; ", fmt::join(h.ids, " "), h.sentence, fmt::join(h.names, " = "));
  for (const Nearest& x : n.nearest)
    out += fmt::format("near {} x {:.6g}..{:.6g}; ", x.hypothesis.sentence, x.least, x.most);
  return out + fmt::format("{:.3f} s{}", n.seconds, n.stopped ? " stopped" : "");
}

bool has_name(const LossHypothesis& h, const std::string& name) {
  return std::any_of(h.names.begin(), h.names.end(),
                     [&](const std::string& n) { return n == name || n.starts_with(name + "["); });
}

}  // namespace

TEST_CASE("every preset is named by its answers alone") {
  double most = 0;
  for (const Preset& p : presets()) {
    const Takes takes = takes_of(p);
    LossOptions o = options_of(p);
    o.target = takes.dense ? Target::dense : Target::ids;
    const auto batches = draw_batches(naming_seed, takes);
    const Naming n = name_loss(observe(batches, [&](const LossBatch& b) { return answer_of(o, b); }), NamingOptions());
    CAPTURE(naming_seed, p.name, p.flags, told(n));
    REQUIRE(n.fits.size() == 1);
    CHECK(n.fits[0].ids.empty());
    CHECK(has_name(n.fits[0], p.name));
    most = std::max(most, n.seconds);
  }
  CHECK(most < 0.5);
}

TEST_CASE("every change is named, of a loss that is meant and of one that is not") {
  Takes takes;
  takes.token_weight = takes.example_weight = true;
  double most = 0;
  for (const auto table : {who_edits(), target_edits(), logit_edits(), weight_edits()})
    for (const Edit& e : table) {
      takes.mask = std::string(e.id).starts_with("mask");
      const auto batches = draw_batches(naming_seed, takes);
      const LossMeaning meant = meaning_of("tfa.sequence_loss");
      bool changed = false;
      const Reducer reducer = reducers_of(batches[0].inputs, options_for(meant, batches[0]), "meant")[0];
      const auto observed = observe(batches, [&](const LossBatch& b) {
        const Made made = make(variant_of(b, options_for(meant, b)), {{{&e}}});
        changed |= made.changed;
        Predicted p;
        predict(reducer, made, 0, 0, p);
        return LossAnswer{p.value, {}, {}, {}};
      });
      if (!changed) continue;
      NamingOptions options;
      options.meant = meant;
      const Naming n = name_loss(observed, options);
      CAPTURE(naming_seed, e.id, e.words, told(n));
      CHECK(n.fits.size() == 1);
      const bool is_meant = std::string(e.words) == "with token weights divided by their sum first";  // and again by it
      if (!n.fits.empty())
        CHECK(n.fits[0].ids == (is_meant ? std::vector<std::string>{} : std::vector<std::string>{e.id}));
      most = std::max(most, n.seconds);
    }
  CHECK(most < 0.5);
}

TEST_CASE("numbers are found") {
  const auto batches = draw_batches(naming_seed, {});
  const LossOptions mean;
  for (const SolvedEdit& e : solved_edits()) {
    const std::string id = e.id;
    const bool small = id.ends_with("in_log") || id.ends_with("clipped");
    const double number = e.linear ? 0.1 : small ? 0.01 : id.ends_with("clamped") ? 1 : 2;
    const Reducer reducer = reducers_of(batches[0].inputs, mean, "")[0];
    const auto observed = observe(batches, [&](const LossBatch& b) {
      Predicted p;
      const auto at = [&](double x) {
        predict(reducer, make(variant_of(b, mean), {{}, &e, x}), 0, 0, p);
        return p.value[0];
      };
      const double value = e.linear ? at(0) + number * (at(1) - (e.adds ? 0 : at(0))) : at(number);
      return LossAnswer{{value}, {}, {}, {}};
    });
    const Naming n = name_loss(observed, {});
    CAPTURE(naming_seed, e.id, told(n));
    REQUIRE(!n.fits.empty());
    CHECK(n.fits[0].ids == std::vector<std::string>{e.id});
  }
}

TEST_CASE("a wrong answer has its nearest, and the search ends") {
  const auto batches = draw_batches(naming_seed, {});
  const LossOptions mean;
  const auto observed = observe(batches, [&](const LossBatch& b) {
    LossAnswer a = answer_of(mean, b);
    a.value[0] = std::pow(a.value[0], 1.3) + 0.01;
    return a;
  });
  NamingOptions options;
  options.seconds = 0.5;
  const Naming n = name_loss(observed, options);
  CAPTURE(told(n));
  CHECK(n.fits.empty());
  CHECK(n.nearest.size() == 3);
  CHECK(n.seconds < 6);
}

namespace {

// What a meaning answers with edits made to it.
std::vector<Observed> answers_of(const std::vector<LossBatch>& batches, const LossMeaning& meant,
                                 const std::vector<Step>& steps, double constant = 1) {
  const Reducer reducer = reducers_of(batches[0].inputs, options_for(meant, batches[0]), "meant")[0];
  return observe(batches, [&](const LossBatch& b) {
    Predicted p;
    predict(reducer, make(variant_of(b, options_for(meant, b)), {steps}), 0, 0, p);
    for (double& x : p.value) x *= constant;
    return LossAnswer{p.value, {}, {}, {}};
  });
}

const Edit& edit_by_id(const std::string& id) {
  for (const auto table : {who_edits(), target_edits(), logit_edits(), weight_edits()})
    for (const Edit& e : table)
      if (id == e.id) return e;
  throw std::runtime_error(id);
}

}  // namespace

TEST_CASE("one finding is told where two would do: a sum over the longest sentence is no mean of sentences") {
  const auto batches = draw_batches(naming_seed, {});
  NamingOptions options;
  options.meant = meaning_of("torch.mean");
  const auto observed = observe(batches, [&](const LossBatch& b) {
    LossAnswer a = answer_of(meaning_of("sum"), b);
    a.value[0] /= static_cast<double>(*std::max_element(b.inputs.lengths->begin(), b.inputs.lengths->end()));
    return a;
  });
  const Naming n = name_loss(observed, options);
  CAPTURE(naming_seed, told(n));
  REQUIRE(!n.fits.empty());
  CHECK(n.fits[0].ids == std::vector<std::string>{"divisor:longest"});
}

TEST_CASE("two changes of different groups are named together") {
  Takes takes;
  takes.token_weight = true;
  const auto batches = draw_batches(naming_seed, takes);
  NamingOptions options;
  options.meant = meaning_of("tfa.sequence_loss");
  for (const auto& [a, b] : {std::pair{"mask:ignored", "targets:plus_one"},
                             {"lengths:-1", "logits:softmax_twice"},
                             {"targets:shifted+1", "weights:token_dropped"},
                             {"logits:no_log", "weights:squared"},
                             {"targets:time_reversed", "logits:sigmoid"}}) {
    const Naming n = name_loss(answers_of(batches, *options.meant, {{&edit_by_id(a)}, {&edit_by_id(b)}}), options);
    CAPTURE(naming_seed, a, b, told(n));
    REQUIRE(!n.fits.empty());
    CHECK(n.fits[0].ids == std::vector<std::string>{a, b});
  }
}

TEST_CASE("factors, epsilons and the other side of a division are named") {
  Takes takes;
  takes.token_weight = true;
  const auto batches = draw_batches(naming_seed, takes);
  NamingOptions options;
  options.meant = meaning_of("tfa.sequence_loss");
  const auto ids = [&](const std::vector<Observed>& observed) {
    const Naming n = name_loss(observed, options);
    INFO(told(n));
    return n.fits.empty() ? std::string("none") : fmt::format("{}", fmt::join(n.fits[0].ids, " "));
  };
  CHECK(ids(answers_of(batches, *options.meant, {}, 0.25)) == "constant:1/k");
  CHECK(ids(answers_of(batches, *options.meant, {}, 1 / std::log(2))) == "constant:1/ln2");
  CHECK(ids(answers_of(batches, *options.meant, {}, -1)) == "constant:sign");
  CHECK(ids(answers_of(batches, *options.meant, {{&edit_by_id("weights:token_dropped"), Side::numerator}})) ==
        "weights:token_dropped");
  CHECK(ids(answers_of(batches, *options.meant, {{&edit_by_id("mask:ignored"), Side::numerator}})) == "mask:ignored");
  CHECK(ids(answers_of(batches, meaning_of("sentence_mean"), {})) == "divisor:nested");
  CHECK(ids(answers_of(batches, meaning_of("tfa.sequence_loss[average_across_batch]"), {})) == "axis:batch");
  const auto with_epsilon = observe(batches, [&](const LossBatch& b) {
    LossOptions o = options_for(*options.meant, b);
    o.divide_eps = 1e-3;
    return static_cast<LossAnswer>(answer_of(o, b));
  });
  CHECK(ids(with_epsilon) == "divisor:epsilon");
}

TEST_CASE("a loss is named whatever predicts, and in float32") {
  for (const PredictionKind kind : {PredictionKind::probs, PredictionKind::log_probs, PredictionKind::hidden,
                                    PredictionKind::row_loss, PredictionKind::logits}) {
    Takes takes;
    takes.kind = kind;
    const auto batches = draw_batches(naming_seed, takes);
    NamingOptions options;
    options.u = 0x1p-24;
    const auto observed = observe(batches, [](const LossBatch& b) {
      LossAnswer a = answer_of(meaning_of("opennmt.sents"), b);
      a.value[0] = static_cast<float>(a.value[0]);
      return a;
    });
    const Naming n = name_loss(observed, options);
    CAPTURE(name_of(kind), told(n));
    REQUIRE(n.fits.size() == 1);
    CHECK(n.fits[0].ids.empty());
    CHECK(has_name(n.fits[0], "opennmt.sents"));
    for (const Observed& o : observed) CHECK(close(n.fits[0].predict(*o.batch).value[0], o.answer.value[0], 1e-6));
  }
}
