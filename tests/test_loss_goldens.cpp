// Values that the peers' own tests publish, and float64 arithmetic done by hand.
#include "tests/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("published values of the peers' own tests") {
  struct Golden {
    const char* id;
    std::vector<double> logits;
    std::vector<int64_t> y;
    std::function<void(LossOptions&, LossInputs&)> set;
    double value;
    std::vector<double> gradient;  // of the last row, or all
  };
  const std::vector<Golden> cases = {
      {"G01 sockeye",
       {1, 1, 1, 1, 4, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1},
       {1, 0, 2, 3},
       [](LossOptions& o, LossInputs&) { o.ignore_index = 0; },
       1.386294361,
       {1 / 12., -.25, 1 / 12., 1 / 12., 0, 0, 0, 0, 1 / 12., 1 / 12., -.25, 1 / 12., 1 / 12., 1 / 12., 1 / 12., -.25}},
      {"G02 tf1",
       {1, 2, 3, 4},
       {0},
       [](LossOptions&, LossInputs&) {},
       3.440189699,
       {-.967941397, .087144319, .236882818, .643914260}},
      {"G17 keras", {100, -100, -100}, {0}, [](LossOptions& o, LossInputs&) { o.smoothing = .1; }, 13.333333333, {}},
      {"G31 marian",
       {-.1, -1.2, -.4},
       {0},
       [](LossOptions& o, LossInputs&) { o.smoothing = .1; },
       .775995960,
       {-.451101015, .127187861, .323913154}},
      {"G31 marian, third",
       {-2.2, 1, -1.2},
       {2},
       [](LossOptions& o, LossInputs&) { o.smoothing = .1; },
       2.301122201,
       {.002063879, .835049854, -.837113733}},
      {"softcap",
       {1, 2, 3},
       {0},
       [](LossOptions& o, LossInputs&) { o.softcap = 2; },
       1.657422665,
       {-.636527466, .145725534, .083555783}},
      {"z-loss",
       {1, 2, 3},
       {0},
       [](LossOptions& o, LossInputs&) { o.z_loss = .01; },
       2.523723749,
       {-.903833652, .261407235, .710578537}},
      {"class scope",
       {1, 2, 3},
       {2},
       [](LossOptions& o, LossInputs& in) {
         o.smoothing = .1;
         in.class_weight = {.3, .6, 2};
       },
       .813092646,
       {.160757987, .444168333, -.604926321}},
      {"target scope",
       {1, 2, 3},
       {2},
       [](LossOptions& o, LossInputs& in) {
         o.smoothing = .1;
         o.class_scope = ClassScope::target;
         in.class_weight = {.3, .6, 2};
       },
       1.015211929,
       {.113394480, .422790275, -.536184755}},
      {"G37 pytorch",
       {-100, 100, -100, 100},
       {0, 1},
       [](LossOptions& o, LossInputs& in) {
         o.divide.flat = "class_weight";
         in.class_weight = {20, 10};
       },
       133.333333333,
       {}},
      {"G28 joeynmt",
       {std::log(.1), std::log(.1), std::log(.6), std::log(.1), std::log(.1)},
       {2},
       [](LossOptions& o, LossInputs&) {
         o.smoothing = .4;
         o.smoothing_kind = SmoothingKind::others_excluding;
         o.smoothing_excluding = {0};
       },
       -.6 * std::log(.6) - .4 * std::log(.1),
       {}},
  };
  for (const Golden& c : cases) {
    CAPTURE(c.id);
    Tape::current().reset();
    LossInputs in;
    in.batch = 1;
    in.steps = static_cast<int64_t>(c.y.size());
    in.classes = static_cast<int64_t>(c.logits.size() / c.y.size());
    in.targets = c.y;
    LossOptions o;
    c.set(o, in);
    const Tensor z = variable(from_host(c.logits, {1, in.steps, in.classes}));
    const LossResult r = sequence_loss(z, in, build_live_rows(in, o), o);
    CHECK(close(r.values[0], c.value, 1e-9));
    Tape::current().backward(r.value);
    const auto g = to_host<double>(grad(z));
    for (size_t i = 0; i < c.gradient.size(); ++i) {
      CAPTURE(i, g[i], c.gradient[i]);
      CHECK(close(g[i], c.gradient[i], 2e-9));
    }
  }
}
