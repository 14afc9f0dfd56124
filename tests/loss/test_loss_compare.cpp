// `loss.compare`: other presets on the same row losses.
#include "engine/loss/compare.h"
#include "engine/loss/presets.h"
#include "tests/support/loss_fixture.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// Examples [begin, end) of the fixture, as a micro-batch.
Fixture part_of(int64_t begin, int64_t end) {
  Fixture f(true);
  const auto cut = [&](auto& v, int64_t width) {
    v = std::remove_reference_t<decltype(v)>(v.begin() + begin * width, v.begin() + end * width);
  };
  cut(f.in.targets, 6);
  cut(*f.in.lengths, 1);
  cut(*f.in.token_weight, 6);
  cut(f.logits, 12);
  f.in.batch = end - begin;
  return f;
}

LossResult run(const Fixture& f, const LossOptions& o) {
  Tape::current().reset();
  return sequence_loss(variable(from_host(f.logits, {f.in.batch, 6, 2})), f.in, build_live_rows(f.in, o), o);
}

}  // namespace

TEST_CASE("every preset with the loss's row loss finds its fixture value beside another one, z-loss included") {
  std::vector<std::string> names;
  for (const std::string& name : preset_names())
    if (name != "tf2.categorical_probs_mask") names.push_back(name);
  for (const double zeta : {0.0, 0.01}) {
    LossOptions loss = options_of(preset("sum"));
    loss.z_loss = zeta;
    const Fixture f(true);
    const LossResult r = run(f, loss);
    for (const ComparedPreset& p : compared_presets(names, loss, false)) {
      CAPTURE(p.name, zeta);
      LossOptions alone = options_of(preset(p.name));
      alone.z_loss = zeta;
      if (alone.over != Over::all) alone.then = Then::mean;
      const double want = run(f, alone).sum.reported(alone);
      const std::vector<double> losses = whole_row_losses(r);
      CHECK(close(compared(p, {&f.in, 1}, {&losses, 1}).value(p.options), want, 1e-14));
      CorpusLoss corpus(p.options);
      add_compared(p, f.in, losses, corpus);
      CHECK(close(corpus.value(), want, 1e-14));
    }
  }
}

TEST_CASE("over micro-batches: global presets share a divisor, micro presets average means") {
  const LossOptions loss = options_of(preset("batch_mean"));
  const auto presets = compared_presets(
      {"token_mean", "joeynmt.tokens", "tf1.sequence_loss_by_example", "sum", "marian.perplexity"}, loss, false);
  std::vector<LossInputs> inputs;
  std::vector<std::vector<double>> losses;
  for (const Fixture& f : {part_of(0, 1), part_of(1, 3)}) {
    inputs.push_back(f.in);
    losses.push_back(whole_row_losses(run(f, loss)));
  }
  std::vector<double> values;
  for (const ComparedPreset& p : presets) values.push_back(compared(p, inputs, losses).value(p.options));
  const std::vector<double> want = {2.5, 2.75, 5.8 / 3, 12.5, std::exp(2.5)};  // 2.75 is the mean of 1.5 and 4.0
  for (size_t i = 0; i < want.size(); ++i) CHECK(close(values[i], want[i], 1e-12));
  CHECK(beside(presets, values) ==
        "token_mean 2.500/tok  joeynmt.tokens 2.750/tok  tf1.sequence_loss_by_example 1.933/sent  sum 12.500 (sum)  "
        "marian.perplexity 12.182 (perplexity)");
}

TEST_CASE("entries of time steps reach over all micro-batches of a step and all batches of a corpus") {
  const LossOptions loss = options_of(preset("batch_mean"));
  ComparedPreset p = compared_presets({"sum"}, loss, false)[0];
  const Preset& by_step = preset("tfa.sequence_loss", average_across_batch);
  p.options.over = by_step.over, p.options.divide = by_step.divide;
  for (const Then then : {Then::mean, Then::sum}) {
    p.options.then = then;
    const double want = then == Then::mean ? 8.0 / 6 : 8;  // [3,2,3,0,0,0] of the whole batch
    std::vector<LossInputs> inputs;
    std::vector<std::vector<double>> losses;
    CorpusLoss corpus(p.options);
    for (const Fixture& f : {part_of(0, 1), part_of(1, 3)}) {
      inputs.push_back(f.in);
      losses.push_back(whole_row_losses(run(f, loss)));
      add_compared(p, f.in, losses.back(), corpus);
    }
    CHECK(close(compared(p, inputs, losses).value(p.options), want, 1e-12));
    CHECK(close(corpus.value(), want, 1e-12));
  }
}

TEST_CASE("a preset whose row loss is another one is refused by name") {
  LossOptions loss;
  CHECK(compared_presets({"fairseq.tokens", "joeynmt.batch", "torch.mean"}, loss, false).size() == 3);
  loss.smoothing = 0.1;
  CHECK(message_of([&] {
          compared_presets({"sum", "fairseq.tokens"}, loss, false);
        }) ==
        "loss: compare: preset 'fairseq.tokens' has a row loss of its own (its own smoothing.kind); only presets with "
        "the loss's row loss can stand beside it");
  CHECK(message_of([&] { compared_presets({"tf2.categorical_probs_mask"}, loss, false); }).find("(input: probs)") !=
        std::string::npos);
  loss.class_scope = ClassScope::target;
  CHECK(message_of([&] { compared_presets({"torch.mean"}, loss, true); }).find("weights.class.scope") !=
        std::string::npos);
}
