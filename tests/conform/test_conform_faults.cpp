// One fault at a time in our own answers: the property that looks for it finds it, by name, and the others hold.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/conform/cells.h"
#include "engine/conform/conform.h"
#include "engine/conform/subsets.h"
#include "tests/conform/faulty_loss.h"
#include "tests/support/catch.h"

using namespace seqgrad;
using namespace faulty;

TEST_CASE("a loss without a fault has no finding") {
  const Run r = run({});
  CHECK(r.ids.empty());
  CHECK(r.broken.empty());
  CHECK(r.report.exit == 0);
}

TEST_CASE("a gradient of half the size breaks gradient and derivative; the smallest batch is one token") {
  const Run r = run([](const LossBatch&, LossAnswer& a) { times(a, 1, 0.5); });
  CHECK(r.broken == Words{"gradient", "derivative"});
  CHECK(r.ids == Words{"gradient:scaled", "derivative:value_is_meant"});
  REQUIRE(r.report.smallest);
  CHECK(r.report.smallest->batch.inputs.batch * r.report.smallest->batch.inputs.steps <= 2);
  CHECK(r.report.smallest->batch.inputs.classes == 2);
}

TEST_CASE(
    "NaN that reaches the value is a multiplied mask; in dead gradients alone it is a note, or broken if strict") {
  const Run r = run([](const LossBatch& b, LossAnswer& a) {
    if (any_nan(b.x)) times(a, std::nan(""), 1);
  });
  CHECK(r.broken == Words{"poison"});
  CHECK(r.ids == Words{"mask:multiplied"});
  const Change dead = [](const LossBatch& b, LossAnswer& a) {
    const std::vector<uint8_t> live = live_predictions(b);
    const auto width = static_cast<size_t>(b.width());
    for (size_t i = 0; i < a.d_x.size(); ++i)
      if (any_nan(b.x) && !live[i / width]) a.d_x[i] = std::nan("");
  };
  const Run note = run(dead), strict = run(dead, "token_mean", "logits targets mask", {}, true);
  CHECK(note.notes == Words{"poison"});
  CHECK(note.ids == Words{"dead_gradient:nan"});
  CHECK(note.report.exit == 0);
  CHECK(strict.report.exit == 1);
}

TEST_CASE("an upstream that is ignored, or whose first entry scales every row") {
  const Run ignored = run([](const LossBatch& b, LossAnswer& a) {
    if (!b.upstream.empty()) times(a, 1, 1 / b.upstream[0]);
  });
  CHECK(ignored.broken == Words{"upstream"});
  CHECK(ignored.ids == Words{"upstream:ignored"});
  const Run first = run(
      [](const LossBatch& b, LossAnswer& a) {
        const auto example = static_cast<size_t>(b.inputs.steps * b.width());
        for (size_t i = 0; i < a.d_x.size() && !b.upstream.empty(); ++i)
          a.d_x[i] *= b.upstream[0] / b.upstream[i / example];
      },
      "tf1.sequence_loss_by_example", "logits targets mask", {{"axis", "time"}});
  CHECK(first.broken == Words{"upstream"});
  CHECK(first.ids == Words{"upstream:first_row"});
}

TEST_CASE("a state, an order, micro-batches that divide by their own count, and a batch in which nothing counts") {
  int calls = 0;
  const Run state = run([&](const LossBatch&, LossAnswer& a) { times(a, 1 + 1e-15 * (++calls % 2), 1); });
  CHECK(state.broken == Words{"pure"});
  CHECK(state.ids == Words{"pure:state"});
  const Run micro = run(
      [](const LossBatch& b, LossAnswer& a) {
        const auto own = static_cast<double>(live_count(b));
        if (own > 0) times(a, *b.num_items / own, *b.num_items / own);
      },
      "token_mean", "logits targets mask num_items");
  CHECK(micro.broken == Words{"micro"});
  CHECK(micro.ids == Words{"micro:num_items_ignored"});
  const Run empty = run([](const LossBatch& b, LossAnswer& a) {
    if (live_count(b) == 0) times(a, std::nan(""), 1);
  });
  CHECK(empty.broken == Words{"empty"});
  CHECK(empty.ids == Words{"empty:nan"});
  const Run order = run([](const LossBatch& b, LossAnswer& a) {
    if (b.reason == "the examples the other way round") times(a, 1.01, 1.01);
  });
  CHECK(order.broken == Words{"order"});
  CHECK(order.ids == Words{"order:examples"});
}

TEST_CASE("padding that counts, dtypes that lose, and large logits that overflow") {
  const Run padding = run([](const LossBatch& b, LossAnswer& a) {
    if (b.inputs.steps > 20 && b.inputs.batch < 20) times(a, 0.5, 0.5);
  });
  CHECK(padding.broken == Words{"padding"});
  CHECK(padding.ids == Words{"padding:width"});
  const Run large = run([](const LossBatch& b, LossAnswer& a) {
    if (std::any_of(b.x.begin(), b.x.end(), [](double x) { return x == 1e4; })) times(a, INFINITY, 1);
  });
  CHECK(large.notes == Words{"extremes"});
  CHECK(large.ids == Words{"extremes:overflow"});
}

TEST_CASE("a loss that leaves out steps or examples beyond some number is told so, with the number") {
  const LossMeaning meaning = meaning_of("token_mean");
  const auto cut = [&](int64_t examples, int64_t steps) -> Change {
    return [&meaning, examples, steps](const LossBatch& b, LossAnswer& a) {
      std::vector<int64_t> rows(static_cast<size_t>(std::min(examples, b.inputs.batch)));
      std::vector<int64_t> columns(static_cast<size_t>(std::min(steps, b.inputs.steps)));
      std::iota(rows.begin(), rows.end(), 0), std::iota(columns.begin(), columns.end(), 0);
      a.value = answer_of(meaning, with_steps(with_examples(b, rows), columns)).value;
    };
  };
  const auto check = [](const Run& r, const std::string& id, const std::string& words) {
    CHECK(r.broken == Words{"size"});
    CHECK(r.ids == Words{id});
    CHECK(report_text(r.report, false).find(words) != std::string::npos);
  };
  check(run(cut(1000, 12)), "size:steps", "it is that of the first 12 steps");
  check(run(cut(8, 1000)), "size:examples", "it is that of the first 8 examples");
  // The tokens that are left out are in the divisor.
  check(run([&](const LossBatch& b, LossAnswer& a) {
          if (!b.upstream.empty()) return;  // which is in the coefficients
          const MeantAnswer all = answer_of(meaning, b);
          a.value = {0};
          for (size_t n = 0; n < all.row_loss.size(); ++n)
            if (n % static_cast<size_t>(b.inputs.steps) < 100 && all.coefficient[n] != 0)
              a.value[0] += all.coefficient[n] * all.row_loss[n];
        }),
        "size:steps", "it is that of the first 100 steps");
  check(run([](const LossBatch& b, LossAnswer& a) { times(a, b.inputs.batch > 20 ? 1.01 : 1, 1); }), "size:other",
        "34 examples of up to 130 steps");
}

TEST_CASE("one mend for all findings: the loss that is meant, with num_items where parts do not add up") {
  const auto mend = [](const Run& r) {
    const Words all = mends_of(r.report);
    REQUIRE(all.size() == 1);
    return all[0].substr(all[0].rfind('\n') + 1);
  };
  const Change nan = [](const LossBatch& b, LossAnswer& a) { times(a, live_count(b) == 0 ? std::nan("") : 0.5, 1); };
  const Run halved = run(nan);
  CHECK(halved.ids.size() > 2);
  CHECK(mend(halved) == "(nll * mask).sum() / mask.sum().clamp(min=1)");
  CHECK(mend(run(nan, "mlx.mean")) == "(nll * mask).sum() / max(1, mask.numel())");
  CHECK(mend(run(nan, "sum")) == "(nll * mask).sum()");
  const Change own = [](const LossBatch& b, LossAnswer& a) {
    const auto count = static_cast<double>(live_count(b));
    if (count > 0) times(a, *b.num_items / count, *b.num_items / count);
  };
  CHECK(mend(run(own, "token_mean", "logits targets mask num_items")) == "(nll * mask).sum() / num_items");
  const Change negative = [](const LossBatch& b, LossAnswer& a) {
    if (live_count(b) <= b.inputs.batch) times(a, std::nan(""), 1);
  };
  CHECK(mend(run(negative, "opennmt.tokens")) ==
        "(nll * mask).sum() * (mask.sum() > len(mask)) / (mask.sum() - len(mask)).clamp(min=1)");
}

TEST_CASE("without a meaning the mend keeps the reduction that was named") {
  OwnLoss own(program("logits targets mask", {}), meaning_of("mlx.mean").config->options());
  own.fault = [](const LossBatch& b, LossAnswer& a) {
    if (any_nan(b.x)) times(a, std::nan(""), 1);
  };
  ConformOptions o;
  o.draw.seed = 5;
  const Words mends = mends_of(conform(own, o));
  REQUIRE(mends.size() == 1);
  CHECK(mends[0].ends_with("(nll * mask).sum() / mask.numel()"));
}

TEST_CASE("a sentence of no token, whose mean is no number, has no slope") {
  const Metadata more{{"axis", "time"}, {"gradients", "d_row_loss"}};
  OwnLoss own(program("row_loss mask", more), meaning_of("simpo.sequence_mean").config->options());
  ConformOptions o;
  o.meant = meaning_of("simpo.sequence_mean");
  o.only = {"derivative"};
  for (uint64_t seed = 1; seed <= 5; ++seed) {  // one of them has such a sentence where slopes are taken
    o.draw.seed = seed;
    CAPTURE(seed);
    CHECK(conform(own, o).exit == 0);
  }
  own.fault = [](const LossBatch&, LossAnswer& a) { times(a, 1, 0.5); };
  CHECK(conform(own, o).exit == 1);
}

TEST_CASE("a shift, or smoothing, that the hello does not say is hinted at") {
  LossOptions options = meaning_of("hf.causal_lm").config->options();
  std::string takes = "logits labels";
  const auto hints = [&](const Metadata& said, const Metadata& done, bool meant) {
    struct Silent : OwnLoss {  // says one thing and does another
      Silent(const Program& says, const Program& does, const LossOptions& o) : OwnLoss(does, o), said(says) {}
      const Program& program() const override { return said; }
      Reply ask(const LossBatch& batch, const Question& question) override {
        LossBatch b = batch;
        b.shifts = OwnLoss::program().shifts;
        if (!b.shifts || b.inputs.steps > 1) return OwnLoss::ask(b, question);
        Reply nothing;
        nothing.answer = {{0}, std::vector<double>(b.x.size(), 0.0), {}, {}};
        return nothing;
      }
      Program said;
    };
    Silent own(program(takes, said), program(takes, done), options);
    ConformOptions o;
    if (meant) o.meant = meaning_of("hf.causal_lm");
    o.draw.seed = 5;
    return hints_of(conform(own, o));
  };
  for (const bool meant : {true, false}) {
    takes = meant ? "logits labels num_items" : "logits labels";
    const Words one = hints({}, {{"shifts", "1"}}, meant), other = hints({{"shifts", "1"}}, {}, meant);
    REQUIRE(one.size() == 1);
    CHECK(one[0].find("a function that is to shift by itself says so, shifts=1") != std::string::npos);
    REQUIRE(other.size() == 1);
    CHECK(other[0].find("without a shift: leave out shifts=1") != std::string::npos);
    CHECK(hints({}, {}, meant).empty());
    CHECK(hints({{"shifts", "1"}}, {{"shifts", "1"}}, meant).empty());
  }
  options.smoothing = 0.1;
  const Words smooth = hints({}, {}, true);
  REQUIRE(smooth.size() == 1);
  CHECK(smooth[0].find("smoothing=…") != std::string::npos);
  CHECK(hints({{"smoothing", "0.1"}}, {{"smoothing", "0.1"}}, true).empty());
}

TEST_CASE("an infinite value where smoothing gives mass to a class of -inf is no note") {
  LossOptions options = meaning_of("token_mean").config->options();
  options.smoothing = 0.1;
  OwnLoss own(program("logits targets mask", {}), options);
  ConformOptions o;
  o.draw.seed = 5;
  o.only = {"extremes"};
  const ConformReport r = conform(own, o);
  CHECK(r.count(Verdict::note) == 0);
  CHECK(r.fault_ids() == Words{"smoothing:added"});
}

TEST_CASE("NaN where there is no example or no step at all is a note") {
  const Run r = run([](const LossBatch& b, LossAnswer& a) {
    if (b.inputs.batch * b.inputs.steps == 0) times(a, std::nan(""), 1);
  });
  CHECK(r.broken.empty());
  CHECK(r.notes == Words{"empty"});
  CHECK(r.ids == Words{"empty:nan"});
  CHECK(r.report.exit == 0);
}

TEST_CASE("values that are all 0, NaN or infinite are told as such, with a meaning and without") {
  const auto told = [](double x, bool meant) {
    OwnLoss own(program("logits targets mask", {}), meaning_of("token_mean").config->options());
    own.fault = [x](const LossBatch&, LossAnswer& a) { a.value.assign(a.value.size(), x); };
    ConformOptions o;
    if (meant) o.meant = meaning_of("opennmt.tokens");
    o.draw.seed = 5;
    const ConformReport r = conform(own, o);
    CHECK(r.exit == 1);
    REQUIRE(r.naming.fits.size() == 1);
    return r.naming.fits[0].ids;
  };
  for (const bool meant : {true, false}) {
    CHECK(told(0, meant) == Words{"value:zero"});
    CHECK(told(std::nan(""), meant) == Words{"value:nan"});
    CHECK(told(-INFINITY, meant) == Words{"value:infinite"});
  }
}

TEST_CASE("a gradient that is not finite is told as such, and nothing else is made of it") {
  const auto set = [](double x, bool where_live, bool in_first_example_only) {
    return [=](const LossBatch& b, LossAnswer& a) {
      const std::vector<uint8_t> live = live_predictions(b);
      const auto width = static_cast<size_t>(b.width()), first = width * static_cast<size_t>(b.inputs.steps);
      for (size_t i = 0; i < (in_first_example_only ? std::min(first, a.d_x.size()) : a.d_x.size()); ++i)
        if (where_live || !live[i / width]) a.d_x[i] = x;
    };
  };
  for (const double x : {std::nan(""), double{INFINITY}}) {
    for (const bool in_first_example_only : {false, true}) {
      CAPTURE(x, in_first_example_only);
      const Run r = run(set(x, true, in_first_example_only));
      CHECK(r.ids[0] == "gradient:nan");
      CHECK(r.broken == (in_first_example_only ? Words{"gradient", "derivative", "order", "empty"}
                                               : Words{"gradient", "derivative", "empty"}));
      CHECK(r.notes == Words{"poison"});
    }
    const Run dead = run(set(x, false, false));
    CHECK(dead.ids[0] == "gradient:dead_rows");
    CHECK(dead.broken == Words{"gradient", "empty"});  // of an empty batch all rows are dead
    CHECK(dead.notes == Words{"poison"});
  }
}

TEST_CASE("a value of another shape than the meant one is told by its shape") {
  OwnLoss own(program("logits targets mask", {{"axis", "none"}}),
              meaning_of("tf1.contrib_sequence_loss[no flag]").config->options());
  ConformOptions o;
  o.meant = meaning_of("token_mean");
  o.draw.seed = 5;
  const ConformReport report = conform(own, o);
  CHECK(report.exit == 1);
  CHECK(report_text(report, false).find("the value is of shape [B,T] where token_mean is a scalar") !=
        std::string::npos);
}

TEST_CASE("answers in a narrower dtype than was asked are judged by it, whichever tensor has it") {
  for (const FloatType type : {FloatType::f32, FloatType::bf16})
    for (const bool value : {false, true})
      for (const bool gradients : {!value, true}) {
        CAPTURE(name_of(type), value, gradients);
        OwnLoss own(program("logits targets mask", {}), meaning_of("token_mean").config->options());
        if (value) own.value_in = type;
        if (gradients) own.gradients_in = type;
        ConformOptions o;
        o.meant = meaning_of("token_mean");
        o.draw.seed = 5;
        const ConformReport r = conform(own, o);
        CHECK(r.finding_ids().empty());
        CHECK(r.exit == 0);
        own.fault = [](const LossBatch&, LossAnswer& a) { times(a, 1.1, 1.1); };
        CHECK(conform(own, o).exit == 1);
      }
}

TEST_CASE("what was left out is said, and nothing that was tried is refused") {
  OwnLoss own(program("logits targets mask", {}), meaning_of("token_mean").config->options());
  ConformOptions o;
  o.meant = meaning_of("mlx.mean");
  o.draw.seed = 5;
  o.only = {"order"};
  const ConformReport r = conform(own, o);
  CHECK(r.exit == 0);
  CHECK(report_text(r, false).find("the value was left out (--only)") != std::string::npos);
  o.only = {"micro"};
  CHECK(conform(own, o).exit == 2);
  o.skip = {"micro"};
  CHECK_THROWS_AS(conform(own, o), InputError);
}

TEST_CASE("answers that change from call to call are told as that alone") {
  int calls = 0;
  const Run r = run([&](const LossBatch&, LossAnswer& a) { times(a, 1 + 0.01 * (++calls * 7 % 11), 1); });
  CHECK(r.ids == Words{"pure:state"});
  CHECK(r.broken == Words{"pure"});
  CHECK(r.report.count(Verdict::not_tried) == 14);
  CHECK(r.report.exit == 1);
}

TEST_CASE("clamped logits are told by the value of large ones") {
  OwnLoss own(program("logits targets mask", {}), meaning_of("token_mean").config->options());
  const LossMeaning meaning = meaning_of("token_mean");
  own.fault = [&](const LossBatch& b, LossAnswer& a) {
    LossBatch clamped = b;
    for (double& x : clamped.x) x = std::clamp(x, -30.0, 30.0);
    static_cast<LossAnswer&>(a) = answer_of(meaning, clamped);
  };
  ConformOptions o;
  o.meant = meaning;
  o.draw.seed = 5;
  o.only = {"extremes"};
  const ConformReport r = conform(own, o);
  CHECK(r.exit == 1);
  CHECK(r.finding_ids() == Words{"extremes:value"});
  o.meant.reset();
  CHECK(conform(own, o).exit == 0);
}

TEST_CASE("a program that refuses float64 at its first question is asked in float32") {
  struct Single : OwnLoss {
    using OwnLoss::OwnLoss;
    Reply ask(const LossBatch& batch, const Question& question) override {
      if (dtype() == FloatType::f64) return {{}, "float64 is not supported", {}};
      return OwnLoss::ask(batch, question);
    }
  };
  Single own(program("logits targets mask", {}), meaning_of("token_mean").config->options());
  ConformOptions o;
  o.meant = meaning_of("token_mean");
  o.draw.seed = 5;
  const ConformReport r = conform(own, o);
  CHECK(r.dtype == FloatType::f32);
  CHECK(r.exit == 0);
}

TEST_CASE("properties are chosen by name; few batches do") {
  OwnLoss own(program("logits targets mask", {}), meaning_of("token_mean").config->options());
  ConformOptions o;
  o.meant = meaning_of("mlx.mean");
  o.draw.seed = 5;
  o.draw.count = 3;
  o.only = {"poison", "order"};
  CHECK(conform(own, o).exit == 0);
  o.only = {"value"};
  const ConformReport r = conform(own, o);
  CHECK(r.exit == 1);
  CHECK(r.count(Verdict::not_tried) == 14);
}

TEST_CASE("without a meaning universal properties are judged, the others described") {
  OwnLoss own(program("logits targets mask", {}), meaning_of("mlx.mean").config->options());
  ConformOptions o;
  o.draw.seed = 5;
  const ConformReport right = conform(own, o);
  CHECK(right.exit == 0);
  REQUIRE_FALSE(right.naming.fits.empty());
  const Words& names = right.naming.fits[0].names;
  CHECK(std::find(names.begin(), names.end(), "mlx.mean") != names.end());
  own.fault = [](const LossBatch&, LossAnswer& a) { times(a, 1, 2); };
  const ConformReport wrong = conform(own, o);
  CHECK(wrong.exit == 1);
  for (const PropertyResult& p : wrong.properties) CHECK((p.verdict == Verdict::broken) == (p.id == "derivative"));
}
