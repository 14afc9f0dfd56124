// `loss.compare`: other presets on the same row losses.
#include "engine/loss/compare.h"
#include "engine/loss/presets.h"
#include "tests/loss_fixture.h"

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
      const LossSum sum = compared(p, f.in, r);
      LossOptions alone = options_of(preset(p.name));
      alone.z_loss = zeta;
      if (alone.over != Over::all) alone.then = Then::mean;
      CHECK(close(value_of(p, sum), run(f, alone).sum.reported(alone), 1e-14));
    }
  }
}

TEST_CASE("over micro-batches: global presets share a divisor, micro presets average means") {
  const LossOptions loss = options_of(preset("batch_mean"));
  const auto presets = compared_presets({"token_mean", "joeynmt.tokens", "tf1.sequence_loss_by_example"}, loss, false);
  std::vector<LossSum> sums(3);
  for (const Fixture& f : {part_of(0, 1), part_of(1, 3)}) {
    const LossResult r = run(f, loss);
    for (size_t i = 0; i < 3; ++i) sums[i] += compared(presets[i], f.in, r);
  }
  CHECK(close(value_of(presets[0], sums[0]), 2.5, 1e-12));
  CHECK(close(value_of(presets[1], sums[1]), 2.75, 1e-12));  // of 1.5 and 4.0
  CHECK(close(value_of(presets[2], sums[2]), 5.8 / 3, 1e-12));
  CHECK(beside(presets, sums) ==
        "token_mean 2.500/tok  joeynmt.tokens 2.750/tok  tf1.sequence_loss_by_example 1.933/weight");
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
