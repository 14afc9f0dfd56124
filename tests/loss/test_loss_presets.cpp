// Every preset of the field on the fixture that separates them.
#include "engine/config/yaml.h"
#include "engine/loss/presets.h"
#include "engine/loss_config/config.h"
#include "tests/support/loss_fixture.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

struct Expected {
  const char* name;
  int flags;
  bool weighted;
  std::vector<double> value;
  bool mask_as_weights = false;
  Given given = Given::anything;
  std::vector<double> reported = {};  // where the peer prints another number than it differentiates
};

constexpr int aT = average_across_timesteps, aB = average_across_batch, sT = sum_over_timesteps, sB = sum_over_batch;

// Values by hand on the fixture; one line for each row of the presets' table.
const std::vector<Expected> expected = {
    {"token_mean", -1, true, {2.5}},
    {"token_mean", -1, false, {3.0}},
    {"sum", -1, true, {12.5}},
    {"sum", -1, false, {15}},
    {"batch_mean", -1, true, {4.166666667}},
    {"batch_mean", -1, false, {5.0}},
    {"sentence_mean", -1, true, {2.75}},
    {"sentence_mean", -1, false, {3.25}},
    {"tf1.sequence_loss_by_example", aT, true, {1.8, 4, 0}},
    {"tf1.sequence_loss_by_example", 0, true, {4.5, 8, 0}},
    {"tf1.legacy_sequence_loss", aT | aB, true, {1.933333333}},
    {"tf1.legacy_sequence_loss", aT, true, {5.8}},
    {"tf1.legacy_sequence_loss", aB, true, {4.166666667}},
    {"tf1.legacy_sequence_loss", 0, true, {12.5}},
    {"tf1.contrib_sequence_loss", aT | aB, true, {2.777777778}},
    {"tf1.contrib_sequence_loss", aT, true, {1.8, 4, 0}},
    {"tf1.contrib_sequence_loss", aB, true, {3, 2, 3, 0, 0, 0}},
    {"tf1.contrib_sequence_loss", 0, true, {1, 2, 1.5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"tfa.sequence_loss", aT | aB, true, {2.777777778}},
    {"tfa.sequence_loss", aT, true, {1.8, 4, 0}},
    {"tfa.sequence_loss", aB, true, {3, 2, 3, 0, 0, 0}},
    {"tfa.sequence_loss", sT, true, {1.5, 8, 0}},
    {"tfa.sequence_loss", sB, true, {4.5, 2, 1.5, 0, 0, 0}},
    {"tfa.sequence_loss", sT | sB, true, {3.125}},
    {"tfa.sequence_loss", 0, true, {1, 2, 1.5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"tf1.losses.sum_by_nonzero_weights", -1, true, {3.125}},
    {"tf1.losses.mean", -1, true, {2.777777778}},
    {"tf1.losses.sum_over_batch_size", -1, true, {0.694444444}},
    {"tf1.losses.sum", -1, true, {12.5}},
    {"tf2.boolean_mask_mean", -1, false, {3.0}},
    {"tf2.categorical_probs_mask", -1, false, {3.0}},
    {"tf2.sequence_mask_by_length", -1, false, {3.0}},
    {"tf_tutorial.mask_then_reduce_mean", -1, false, {0.833333333}, true},
    {"keras.sum_over_batch_size", -1, true, {2.5}},
    {"keras.sum_over_batch_size", -1, true, {0.694444444}, true},
    {"keras.sum_over_batch_size@3.12", -1, true, {12.5 / (5 + 1e-7)}},
    {"keras.mean_with_sample_weight", -1, true, {2.777777778}},
    {"torch.mean", -1, false, {3.0}},
    {"torch.mean", -1, false, {3.0}, false, Given::class_weight},
    {"torch.mean", -1, false, {0.833333333}, true, Given::dense},
    {"hf.causal_lm", -1, false, {3.0}},
    {"fairseq.tokens", -1, false, {3.0}},
    {"fairseq.sentence_avg", -1, false, {5.0}},
    {"marian.ce-sum", -1, true, {12.5}},
    {"marian.ce-mean", -1, true, {12.5}, false, Given::anything, {4.166666667}},
    {"marian.ce-mean-words", -1, true, {12.5}, false, Given::anything, {2.5}},
    {"marian.perplexity", -1, true, {12.5}, false, Given::anything, {12.182493961}},
    {"opennmt.sents", -1, false, {5.0}},
    {"opennmt.tokens", -1, false, {7.5}},
    {"joeynmt.batch", -1, false, {5.0}},
    {"joeynmt.tokens", -1, false, {3.0}},
    {"joeynmt.none", -1, false, {15}},
    {"sockeye", -1, false, {3.0}},
    {"cce.mean", -1, false, {3.0}},
    {"liger.mean", -1, false, {3.0}},
    {"verl.token-mean", -1, false, {3.0}},
    {"verl.token-sum", -1, false, {15}},
    {"verl.seq-mean-token-sum", -1, false, {7.5}},
    {"verl.seq-mean-token-sum@0.5", -1, false, {5.0}},
    {"verl.seq-mean-token-mean", -1, false, {(6 / (3 + 1e-8) + 9 / (2 + 1e-8)) / 2}},
    {"verl.seq-mean-token-sum-norm", -1, false, {1.25}},
    {"verl.seq-mean-token-sum-norm@0.6", -1, false, {2.5}},
    {"trl.grpo", -1, false, {2.166666667}},
    {"trl.bnpo", -1, false, {3.0}},
    {"trl.dr_grpo", -1, false, {0.009765625}},
    {"trl.dapo", -1, false, {3.0}},
    {"trl.luspo", -1, false, {5.0}},
    {"dpo.sequence_log_prob", -1, false, {6, 9, 0}},
    {"simpo.sequence_mean", -1, false, {2, 4.5, NaN}},
    {"mlx.mean", -1, true, {0.694444444}, true},
};

}  // namespace

TEST_CASE("every preset reproduces its value on the poisoned fixture, in every set of flags") {
  for (const Preset& p : presets()) {
    CAPTURE(p.name, p.flags);
    bool found = false;
    for (const Expected& e : expected) {
      if (e.name != std::string(p.name) || e.flags != p.flags || e.given != p.given) continue;
      found = true;
      Fixture fixture(e.weighted, e.mask_as_weights);
      LossOptions o = options_of(p);
      if (p.given == Given::class_weight) fixture.in.class_weight = {.3, .6};
      if (p.given == Given::dense) o.target = Target::dense;
      const LossResult r = fixture.run(o);
      CAPTURE(e.weighted);
      check_close(r.values, e.value, 1e-9);
      REQUIRE(r.numerators.size() == e.value.size());
      for (size_t i = 0; i < e.value.size() && !o.divide.nested(); ++i)
        if (!std::isnan(e.value[i]))
          CHECK(close(r.divisors[i] == 0 ? 0 : r.numerators[i] / (r.divisors[i] + o.divide_eps), e.value[i], 1e-9));
      if (o.target == Target::ids && p.given != Given::class_weight) {  // the reduction alone, of the row losses
        std::vector<double> losses(18, NaN);
        for (const auto& [n, loss] : Fixture::losses()) losses[static_cast<size_t>(n)] = loss;
        LossInputs alone = fixture.in;
        alone.targets.clear();
        check_close(reduce(alone, losses, o).value, e.value, 1e-9);
      }
      if (e.value.size() == 1) REQUIRE(close(r.sum.value(o), e.value[0], 1e-9));
      if (e.value.size() == 1) REQUIRE(close(r.sum.reported(o), (e.reported.empty() ? e.value : e.reported)[0], 1e-9));
    }
    REQUIRE(found);  // a new row of the table needs an expected value here
    REQUIRE(&preset(p.name, p.flags, p.given) == &p);
  }
}

TEST_CASE("a preset owns what its row says, and only that") {
  const auto own = [](const char* name, Given given = Given::anything) { return options_of(preset(name, -1, given)); };
  CHECK(own("fairseq.tokens").smoothing_kind == SmoothingKind::others);
  CHECK(own("joeynmt.batch").smoothing_kind == SmoothingKind::others_excluding);
  CHECK(own("joeynmt.batch").report_kl);
  CHECK(own("joeynmt.batch").scope == Scope::micro);
  CHECK(own("sockeye").scope == Scope::micro);
  CHECK(own("torch.mean", Given::class_weight).divide.flat == "class_weight");
  CHECK(own("torch.mean", Given::class_weight).on_zero == OnZero::nan);
  CHECK(own("tf2.categorical_probs_mask").input == Input::probs);
  CHECK(own("tf2.categorical_probs_mask").target == Target::dense);
  CHECK(own("tf2.categorical_probs_mask").probs_mode == ProbsMode::renorm_clip);
  for (const Preset& p : presets()) {
    CAPTURE(p.name);
    CHECK(options_of(p).smoothing == 0);
    CHECK((options_of(p).on_zero == OnZero::nan) ==
          (std::string(p.name).starts_with("tf2.") || std::string(p.name).starts_with("torch.") ||
           std::string(p.name) == "hf.causal_lm" || std::string(p.name) == "cce.mean" ||
           std::string(p.name) == "verl.token-mean" || std::string(p.name) == "simpo.sequence_mean" ||
           (std::string(p.name).starts_with("verl.seq-mean") && std::string(p.name).find('@') == std::string::npos)));
  }
}

TEST_CASE("the sets of flags that TF Addons refuses are refused") {
  int accepted = 0;
  for (int flags = 0; flags < 16; ++flags)
    accepted += message_of([&] { preset("tfa.sequence_loss", flags); }) == "no error";
  CHECK(accepted == 7);
  CHECK(
      message_of([] {
        preset("tfa.sequence_loss", sT | aB);
      }).starts_with("loss: sum_over_timesteps with average_across_batch has no defined order: sums, then their mean"));
  CHECK(message_of([] { preset("token_men"); }).find("unknown preset 'token_men'; expected one of token_mean, sum") !=
        std::string::npos);
  CHECK(message_of([] { preset("torch.men"); }).find("(did you mean 'torch.mean'?)") != std::string::npos);
}

TEST_CASE("early contrib's epsilon may stand beside the preset, which has none") {
  LossConfig config(nullptr, "loss", "the loss");
  load(config, parse_yaml("{preset: tf1.contrib_sequence_loss, reduce: {divide_eps: 1.0e-2}}", "a.yaml"));
  Fixture f(true);
  check_close(f.run(config.options()).values, {12.5 / 4.51}, 1e-9);
  for (double& w : *f.in.token_weight) w = 0;
  const LossResult r = f.run(config.options());
  check_close(r.values, {0}, 0);
  CHECK(r.sum.stats.empty == 1);
  LossConfig by_example(nullptr, "loss", "the loss");
  CHECK(message_of([&] {
          load(by_example, parse_yaml("{preset: tf1.sequence_loss_by_example, reduce: {divide_eps: 0.0}}", "a.yaml"));
        }).find("contradicts preset 'tf1.sequence_loss_by_example', which has 1") != std::string::npos);
}

TEST_CASE("gradients of the fixture are those of the closed form") {
  Fixture f(true);
  LossOptions o;
  o.divide.flat = "weight";
  Tape::current().reset();
  const Tensor z = variable(from_host(f.logits, {3, 6, 2}));
  Tape::current().backward(sequence_loss(z, f.in, build_live_rows(f.in, o), o).value);
  const auto g = to_host<double>(grad(z));
  const std::map<size_t, double> want = {{0, -.140471235}, {1, -.192147715}, {2, -.105579215}, {6, -.436304160}};
  for (size_t n = 0; n < 18; ++n) {
    CAPTURE(n);
    CHECK(close(g[2 * n], want.count(n) ? want.at(n) : 0, 1e-8));
    CHECK(close(g[2 * n + 1], want.count(n) ? -want.at(n) : 0, 1e-8));
    if (!want.count(n)) CHECK((!std::signbit(g[2 * n]) && !std::signbit(g[2 * n + 1])));
  }
}
