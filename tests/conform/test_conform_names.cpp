// What a report says of a loss beside which property it breaks: names, mends, numbers.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "tests/conform/faulty_loss.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace faulty;

TEST_CASE("a mend keeps what the meaning does where nothing counts, and takes log-probabilities for what they are") {
  const auto mend = [](const std::string& means, const std::string& takes) {
    const Run r = run([](const LossBatch&, LossAnswer& a) { times(a, 0.9, 0.9); }, means, takes);
    const Words all = mends_of(r.report);
    REQUIRE(all.size() == 1);
    return all[0];
  };
  CHECK(mend("trl.dapo", "row_loss mask") ==
        "nll = torch.where(mask, row_loss, 0)\n(nll * mask).sum() / mask.sum().clamp(min=1)");
  CHECK(has(mend("trl.grpo", "row_loss mask"), ").sum() / max(1, len(mask))"));
  CHECK(has(mend("torch.mean", "logits targets mask"), "(nll * mask).sum() / mask.sum()"));
  CHECK(has(mend("torch.mean", "log_probs targets mask"),
            "nll = F.nll_loss(z.transpose(1, 2), y, reduction=\"none\")\n"));
  CHECK(has(mend("torch.mean", "probs targets mask"), "nll = F.nll_loss(z.transpose(1, 2), y, reduction=\"none\")\n"));
  CHECK(has(mend("token_mean", "log_probs dense mask"), "nll = -(y * z).sum(-1)\n"));
  CHECK(has(mend("token_mean", "hidden weight bias targets mask"), "logits = F.linear(hidden, weight, bias)\n"));
}

TEST_CASE("probabilities may be divided by their sum or not, where the meaning does not say it") {
  for (const ProbsMode mode : {ProbsMode::strict, ProbsMode::renorm_clip}) {
    LossOptions options = meaning_of("torch.mean").config->options();
    options.input = Input::probs, options.probs_mode = mode;
    OwnLoss own(program("probs targets mask", {{"gradients", "d_probs"}, {"dtypes", "F64 F32 BF16"}}), options);
    ConformOptions o;
    o.meant = meaning_of("torch.mean");
    const ConformReport r = conform(own, o);
    CAPTURE(static_cast<int>(mode), report_text(r, false));
    CHECK(r.exit == 0);
    own.fault = [](const LossBatch&, LossAnswer& a) { times(a, 0.5, 0.5); };
    CHECK(conform(own, o).finding_ids() == Words{"constant:1/k"});
  }
}

TEST_CASE("answers that change now and then are told as such, and as nothing else") {
  for (const int every : {7, 13, 31}) {
    int calls = 0;
    const Run r = run([&](const LossBatch&, LossAnswer& a) { times(a, ++calls % every == 0 ? 1.01 : 1, 1); });
    CAPTURE(every);
    CHECK(r.broken == Words{"pure"});
    CHECK(r.ids == Words{"pure:state"});
  }
}

TEST_CASE("a mistake after padding was cleared, and a divisor in float32, are named as such mistakes are") {
  const LossMeaning meaning = meaning_of("torch.mean");
  const Run shifted = run(
      [&](const LossBatch& b, LossAnswer& a) {
        LossBatch other = b;
        const std::vector<uint8_t> live = live_predictions(b);
        const auto width = static_cast<size_t>(b.width());
        for (size_t i = 0; i < other.x.size(); ++i)
          if (!live[i / width]) other.x[i] = 0;
        std::vector<uint8_t> counted(live.size());
        for (size_t n = 0; n < live.size(); ++n) {
          counted[n] = (n + 1) % static_cast<size_t>(b.inputs.steps) != 0 && live[n + 1];
          if (!live[n] && !other.inputs.targets.empty()) other.inputs.targets[n] = 0;
        }
        other.inputs.mask = counted;
        a = answer_of(meaning, other);
        for (size_t i = 0; i < a.d_x.size(); ++i)
          if (!live[i / width]) a.d_x[i] = 0;
      },
      "torch.mean");
  REQUIRE_FALSE(shifted.ids.empty());
  CHECK(shifted.ids[0] == "mask:shifted+1");
  const auto with_divisor = [&](auto&& changed) {
    return run(
        [&](const LossBatch& b, LossAnswer& a) {
          const auto n = static_cast<double>(live_count(b));
          times(a, n == 0 ? 1 : n / changed(n), n == 0 ? 1 : n / changed(n));
        },
        "torch.mean");
  };
  CHECK(with_divisor([](double n) { return static_cast<double>(static_cast<float>(n) + 1e-3F); }).ids ==
        Words{"divisor:epsilon"});
  CHECK(with_divisor([](double n) { return static_cast<double>(std::sqrt(static_cast<float>(n))); }).ids ==
        Words{"divisor:square_root"});
  CHECK(with_divisor([](double n) { return n + 0.01; }).ids == Words{"divisor:epsilon"});
}

TEST_CASE("a wrong value without a name is a finding by that name, with the mend of what is meant") {
  const Run r = run([](const LossBatch&, LossAnswer& a) {
    for (double& x : a.value) x = std::sin(x);
  });
  REQUIRE_FALSE(r.ids.empty());
  CHECK(r.ids[0] == "none");
  CHECK(mends_of(r.report).size() == 1);
  const std::string junit = report_junit(r.report);
  CHECK(has(junit, "<failure type=\"none\""));
  CHECK_FALSE(has(junit, "type=\"\""));
}

TEST_CASE("NaN in every batch with padding and in no other is a multiplied mask") {
  const Run r = run([](const LossBatch& b, LossAnswer& a) {
    const std::vector<uint8_t> live = live_predictions(b);
    if (std::find(live.begin(), live.end(), 0) != live.end()) times(a, std::nan(""), std::nan(""));
  });
  REQUIRE_FALSE(r.ids.empty());
  CHECK(std::find(r.ids.begin(), r.ids.end(), "mask:multiplied") != r.ids.end());
}

TEST_CASE("numbers that differ are told with the digits that show it") {
  CHECK(different_texts(2.5, 3) == std::pair<std::string, std::string>{"2.5000", "3.0000"});
  CHECK(different_texts(2.41666, 2.41667) == std::pair<std::string, std::string>{"2.41666", "2.41667"});
  CHECK(different_texts(1, 1 + 1e-15) == std::pair<std::string, std::string>{"1", "1.000000000000001"});
  CHECK(different_texts(7, 7) == std::pair<std::string, std::string>{"7.0000", "7.0000"});
}

TEST_CASE("an input that a hello names twice is refused") {
  CHECK(has(error_of([] { program("logits targets mask mask", {}); }), "a name stands there twice"));
}
