// What a meaning answers, in every form of prediction; names of meanings; findings; and what is told of gradients.
#include <set>

#include "engine/naming/edits.h"
#include "engine/naming/findings.h"
#include "engine/naming/forms.h"
#include "engine/naming/reducers.h"
#include "engine/naming/torch.h"
#include "tests/naming/draw_batches.h"
#include "tests/support/catch.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

constexpr uint64_t answers_seed = 7;

LossBatch as_log_probs(LossBatch batch) {
  const auto v = static_cast<size_t>(batch.inputs.classes);
  for (size_t row = 0; row + v <= batch.x.size(); row += v) {
    double sum = 0;
    for (size_t j = 0; j < v; ++j) sum += std::exp(batch.x[row + j]);
    for (size_t j = 0; j < v; ++j) batch.x[row + j] -= std::log(sum);
  }
  batch.kind = PredictionKind::log_probs;
  return batch;
}

LossBatch as_row_loss(const LossBatch& batch, const MeantAnswer& answer) {
  LossBatch out = batch;
  out.kind = PredictionKind::row_loss;
  out.x = answer.row_loss;
  out.inputs.classes = 1;
  std::fill(out.inputs.targets.begin(), out.inputs.targets.end(), 0);
  return out;
}

}  // namespace

TEST_CASE("logits, log-probabilities and row losses answer the same value, each with its own gradient") {
  Takes takes;
  takes.token_weight = takes.example_weight = true;
  for (const LossBatch& b : draw_batches(answers_seed, takes, 10)) {
    const LossMeaning meaning = meaning_of("tf1.legacy_sequence_loss");
    const MeantAnswer of_logits = answer_of(meaning, b), of_log = answer_of(meaning, as_log_probs(b)),
                      of_rows = answer_of(meaning, as_row_loss(b, of_logits));
    check_close(of_log.value, of_logits.value, 1e-12);
    check_close(of_rows.value, of_logits.value, 1e-12);
    check_close(of_rows.d_x, of_logits.coefficient, 1e-15);
    const auto v = static_cast<size_t>(b.inputs.classes);
    for (size_t n = 0; n < of_logits.coefficient.size(); ++n)
      for (size_t j = 0; j < v; ++j) {
        const double c = of_logits.coefficient[n], y = static_cast<size_t>(b.inputs.targets[n]) == j;
        CHECK(of_log.d_x[n * v + j] == (c == 0 ? 0 : -c * y));
      }
  }
}

TEST_CASE("a loss that shifts by itself is the loss of the shifted batch, with a dead last column") {
  for (LossBatch b : draw_batches(answers_seed, {}, 10)) {
    const LossMeaning meaning = meaning_of("torch.mean");
    b.shifts = true;
    const MeantAnswer whole = answer_of(meaning, b), cut = answer_of(meaning, shifted(b));
    if (std::isnan(cut.value[0])) continue;
    CHECK(whole.value == cut.value);
    REQUIRE(whole.d_x.size() == b.x.size());
    const auto v = static_cast<size_t>(b.inputs.classes), t = static_cast<size_t>(b.inputs.steps);
    for (size_t i = 0; i < b.x.size(); ++i)
      if (i / v % t == t - 1) CHECK(whole.d_x[i] == 0);
  }
}

TEST_CASE("an upstream and the divisor of all micro-batches scale a meaning's gradient") {
  LossBatch b = draw_batches(answers_seed, {}, 1)[0];
  const LossMeaning meaning = meaning_of("token_mean");
  const MeantAnswer one = answer_of(meaning, b);
  b.upstream = {3};
  b.num_items = 2 * one.divisor;
  const MeantAnswer other = answer_of(meaning, b);
  check_close(other.value, {one.value[0] / 2}, 1e-12);
  for (size_t i = 0; i < one.d_x.size(); ++i) CHECK(close(other.d_x[i], 1.5 * one.d_x[i], 1e-14));
}

TEST_CASE("meanings are named on the command line, with flags and constants") {
  const LossBatch b = draw_batches(answers_seed, {}, 1)[0];
  CHECK(options_for(meaning_of("tfa.sequence_loss[sum_over_timesteps+sum_over_batch]"), b).divide.flat == "nonzero");
  CHECK(options_for(meaning_of("tfa.sequence_loss[no flag]"), b).over == Over::none);
  CHECK(options_for(meaning_of("trl.dr_grpo[k=10]"), b).divide == Divide{"", "const", "batch", 10});
  CHECK(options_for(meaning_of("trl.dr_grpo"), b).divide.k == 512);
  LossBatch dense = b;  // of which PyTorch divides by another number
  dense.inputs.dense.assign(b.x.size(), 1 / static_cast<double>(b.inputs.classes));
  CHECK(options_for(meaning_of("torch.mean"), b).divide.flat == "active");
  CHECK(options_for(meaning_of("torch.mean"), dense).divide.flat == "positions");
  CHECK(message_of([] { meaning_of("torch.men"); }).find("did you mean 'torch.mean'?") != std::string::npos);
  CHECK(message_of([] { meaning_of("torch.mean[k=3]"); }) == "--means: torch.mean has no constant k");
  CHECK(message_of([] {
          meaning_of("tfa.sequence_loss[sums]");
        }).starts_with("--means: tfa.sequence_loss has no flag 'sums'"));
}

TEST_CASE("every finding that the search can tell stands in the table, once") {
  std::set<std::string> ids;
  for (const FindingInfo& f : findings()) CHECK(ids.insert(f.id).second);
  for (const auto table : {who_edits(), target_edits(), logit_edits(), weight_edits()})
    for (const Edit& e : table) CHECK(ids.count(e.id) == 1);
  for (const SolvedEdit& e : solved_edits()) CHECK(ids.count(e.id) == 1);
  const LossBatch b = draw_batches(answers_seed, {}, 1)[0];
  for (const Reducer& r : reducers_of(b.inputs, {}, "")) {
    CAPTURE(r.id);
    CHECK(ids.count(r.id) == 1);
  }
  CHECK_THROWS_AS(finding("divisor:nothing"), InputError);
  CHECK(mend_of(finding("divisor:positions")).ends_with("(nll * mask).sum() / mask.sum()"));
  const LossOptions by_sentence = options_for(meaning_of("sentence_mean"), b);
  CHECK(torch_of(by_sentence) == "((nll * mask).sum(1) / mask.sum(1).clamp(min=1e-12)).sum() / mask.any(1).sum()");
  const LossOptions inner_epsilon = options_for(meaning_of("verl.seq-mean-token-mean"), b);
  CHECK(torch_of(inner_epsilon) == "((nll * mask).sum(1) / (mask.sum(1) + 1e-08)).sum() / mask.any(1).sum()");
  CHECK(sentence_of(inner_epsilon).starts_with("Σ_b(Σ_t ωℓ / (Σ m + 1e-08)) / B⁺,"));
}

TEST_CASE("wrong gradients of a right value are told") {
  const auto batches = draw_batches(answers_seed, {}, 12);
  const LossMeaning meaning = meaning_of("torch.mean");
  NamingOptions options;
  options.meant = meaning;
  const auto told = [&](const auto& spoil) {
    const auto observed = observe(batches, [&](const LossBatch& b) {
      MeantAnswer a = answer_of(meaning, b);
      spoil(b, a);
      return static_cast<LossAnswer>(a);
    });
    const Naming n = name_loss(observed, options);
    REQUIRE(n.fits.size() == 1);
    CHECK(n.fits[0].ids.empty());
    std::string out;
    for (const GradientFinding& f : gradient_findings(observed, n.fits[0], options)) out += f.id + "|" + f.sentence;
    return out;
  };
  const auto rows = [](const LossBatch& b, MeantAnswer& a, const auto& factor) {
    for (size_t i = 0; i < a.d_x.size(); ++i) a.d_x[i] *= factor(i / static_cast<size_t>(b.inputs.classes));
  };
  CHECK(told([](const LossBatch&, MeantAnswer&) {}) == "");
  CHECK(told([&](const LossBatch& b, MeantAnswer& a) { rows(b, a, [](size_t) { return 0.5; }); }) ==
        "gradient:scaled|right value, gradient times 1/2 in every row");
  CHECK(told([&](const LossBatch& b, MeantAnswer& a) {
          rows(b, a, [](size_t) { return -1.0; });
        }).starts_with("gradient:sign"));
  CHECK(told([&](const LossBatch& b, MeantAnswer& a) {
          rows(b, a, [](size_t) { return 0.0; });
        }).starts_with("gradient:zero"));
  CHECK(told([&](const LossBatch& b, MeantAnswer& a) {
          rows(b, a, [&](size_t n) { return 1.0 + static_cast<double>(n / static_cast<size_t>(b.inputs.steps)); });
        }).starts_with("gradient:scaled_per_example"));
  CHECK(told([&](const LossBatch& b, MeantAnswer& a) {
          rows(b, a, [&](size_t n) { return n % static_cast<size_t>(b.inputs.steps) == 0 ? 0.0 : 1.0; });
        }).starts_with("gradient:rows_missing"));
  CHECK(told([&](const LossBatch& b, MeantAnswer& a) {
          for (size_t n = 0; n < a.coefficient.size(); ++n)
            if (a.coefficient[n] == 0) a.d_x[n * static_cast<size_t>(b.inputs.classes)] = 0.25;
        }).starts_with("gradient:dead_rows"));
  CHECK(told([](const LossBatch& b, MeantAnswer& a) {
          a.d_x = answer_of(meaning_of("sentence_mean"), b).d_x;
        }).starts_with("gradient:another_loss|the gradient of Σ_b(Σ_t ωℓ / Σ m) / B⁺"));
  CHECK(told([](const LossBatch& b, MeantAnswer& a) {
          LossBatch all = b;
          all.inputs.lengths.reset();
          a.d_x = answer_of(meaning_of("torch.mean"), all).d_x;
        }) ==
        "gradient:another_loss|the gradient of Σ ωℓ / Σ m, active tokens, with every position counted, padding too");
  CHECK(told([](const LossBatch& b, MeantAnswer& a) {
          const auto v = static_cast<size_t>(b.inputs.classes);
          for (size_t n = 0; n < a.coefficient.size(); ++n)
            a.d_x[n * v + static_cast<size_t>(b.inputs.targets[n])] += a.coefficient[n];
        }).starts_with("gradient:one_hot_missing"));
}
