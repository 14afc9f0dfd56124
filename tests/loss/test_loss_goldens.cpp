// The acceptance suite (engine/loss/README.md): what the peers' own tests publish, at float64 values; closed forms for
// gradients that they do not print.
#include "tests/support/loss_goldens.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("G01 Sockeye: an ignored class id, mean of the rest") {
  Numbers n(1, 4, 4, {1, 1, 1, 1, 4, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 0, 2, 3});
  n.options.ignore_index = 0;
  const auto out = n.run();
  CHECK(close(out.value[0], 1.386294361, 1e-9));
  const double a = 1 / 12.;
  check_close(out.gradient, {a, -.25, a, a, 0, 0, 0, 0, a, a, -.25, a, a, a, a, -.25}, 1e-15);
}

TEST_CASE("G05, G35 TF1 and Liger: ids outside the classes are refused, in both forms") {
  Numbers n(1, 4, 4, std::vector<double>(16, 1.0), {4, 3, 0, -1});
  const char* first = "target id 4 at (b=0,t=0) is outside [0,4); mask it or set ignore_index";
  CHECK(message_of([&] { n.run(); }) == first);
  CHECK(message_of([&] { through_projection(n); }) == first);
  n.in.targets[0] = 0;
  const char* last = "target id -1 at (b=0,t=3) is outside [0,4); mask it or set ignore_index";
  CHECK(message_of([&] { n.run(); }) == last);
  CHECK(message_of([&] { through_projection(n); }) == last);
  for (int64_t y = 4; y < 8; ++y) {  // [V, 2V): inside memory of a batch, outside the row
    n.in.targets = {0, y, 0, 0};
    CHECK(message_of([&] { through_projection(n); }) ==
          fmt::format("target id {} at (b=0,t=1) is outside [0,4); mask it or set ignore_index", y));
  }
}

TEST_CASE("G13 Keras: sparse categorical cross entropy, its reductions and sample weights") {
  Numbers n(3, 1, 3, {8, 1, 1, 0, 9, 1, 2, 3, 5}, {0, 1, 2});
  check_close(value_as(n, "keras.sum_over_batch_size"), {.057375630}, 1e-9);
  check_close(value_as(n, "tfa.sequence_loss", 0), {.001822103, .000458767, .169846020}, 1e-9);
  n.in.token_weight = {1.2, 3.4, 5.6};
  check_close(value_as(n, "keras.sum_over_batch_size"), {.318294680}, 1e-9);
  check_close(value_as(n, "keras.mean_with_sample_weight"), {.093616082}, 1e-9);
}

TEST_CASE("G15, G16 Keras: the reduction alone, of row losses that are given") {
  LossInputs in;
  in.batch = 4, in.steps = 1;
  const std::vector<double> l = {.81, .04, .49, .16};
  const LossOptions o = options_of(preset("keras.sum_over_batch_size"));
  const auto check = [&](double value, const std::vector<double>& gradient) {
    std::vector<double> given = l;
    for (size_t i = 0; in.mask && i < 4; ++i)
      if (!(*in.mask)[i]) given[i] = NaN;
    check_close(reduce(in, given, o).value, {value}, 1e-9);
    LossInputs with_targets = in;
    with_targets.targets.assign(4, 0);
    with_targets.classes = 1;
    const LiveRows rows = build_live_rows(with_targets, o);
    check_close(coefficients(rows, o, rows.divisor).rows, gradient, 1e-15);
  };
  check(.375, {.25, .25, .25, .25});
  in.mask = {{1, 0, 1, 1}};
  check(.486666667, {1 / 3., 1 / 3., 1 / 3.});
  in.token_weight = {{.4, .3, .2, .1}};
  check(.146, {.4 / 3, .2 / 3, .1 / 3});
  in.mask.reset();
  check(.1125, {.1, .075, .05, .025});
  in.token_weight.reset();
  in.mask = {{0, 0, 0, 0}};
  check(0, {});

  LossInputs two;
  two.batch = 2, two.steps = 1;
  two.token_weight = {{1.2, 3.4}};
  check_close(reduce(two, {110 / 3., 187 / 3.}, options_of(preset("keras.mean_with_sample_weight"))).value,
              {55.637681159}, 1e-9);
}

TEST_CASE("G17 Keras and TF1: smoothing where the target is certain") {
  Numbers n(1, 1, 3, {100, -100, -100}, {0});
  n.options.smoothing = .1;
  const auto out = n.run();
  CHECK(close(out.value[0], 13.333333333, 1e-9));
  check_close(out.gradient, {.2 / 3, -.1 / 3, -.1 / 3}, 1e-15);
}

TEST_CASE("G18 Keras: probabilities that sum to 1.99 are divided by their sum") {
  Numbers n(3, 1, 3, {.9, .05, .05, .5, .89, .6, .05, .01, .94}, {0, 1, 2});
  n.options.input = Input::probs;
  auto out = n.run();
  check_close(out.result.row_loss, {.105360516, .804668455, .061875404}, 1e-9);
  check_close(out.value, {.323968125}, 1e-9);
  // (1 − δ·S/p_y)/S for each row, a third of it
  const double s = 1.99;
  check_close(out.gradient,
              {(1 - 1 / .9) / 3, 1 / 3., 1 / 3., 1 / s / 3, (1 / s - 1 / .89) / 3, 1 / s / 3, 1 / 3., 1 / 3.,
               (1 - 1 / .94) / 3},
              1e-14);
  n.in.token_weight = {1.2, 3.4, 5.6};
  check_close(n.run().value, {1.069602542}, 1e-9);
}

TEST_CASE("G20 Keras: a segmentation with two bad pixels; each saturated one adds its clip") {
  Numbers n(4, 4, 3, {}, std::vector<int64_t>(16));
  for (size_t i = 0; i < 16; ++i) {
    const auto y = static_cast<int64_t>(i % 3);
    n.in.targets[i] = y;
    const double p = i == 5 ? .2 : i == 10 ? .4 : 1;
    for (int64_t v = 0; v < 3; ++v) n.x.push_back(v == y ? p : (1 - p) / 2);
  }
  n.options.input = Input::probs;
  const auto out = n.run();
  check_close(out.value, {.157858127769}, 1e-12);
  CHECK(out.result.sum.stats.clip_hits == 14);
}

TEST_CASE("G21 PyTorch: everything ignored, in 2, 4 and 5 dimensions") {
  for (const auto& [batch, steps] : {std::pair{4, 1}, {3, 20}, {3, 40}}) {
    const auto cells = static_cast<size_t>(batch * steps);
    Numbers n(batch, steps, 5, std::vector<double>(cells * 5, NaN), std::vector<int64_t>(cells, -100));
    n.options.ignore_index = -100;
    const auto is = [&](const char* name, double value) {
      Numbers m = n;
      as(m, name);
      const auto out = m.run();
      check_close(out.value, {value}, 0);
      CHECK(out.gradient == std::vector<double>(cells * 5, 0.0));
    };
    is("sum", 0);
    is("torch.mean", NaN);
    is("token_mean", 0);
    check_close(value_as(n, "tfa.sequence_loss", 0), std::vector<double>(cells, 0.0), 0);
  }
}

TEST_CASE("G22 PyTorch: class weights that are all 0; the gradient is 0, not NaN") {
  Numbers n(3, 1, 2, {1, 2, 3, 4, 5, 6}, {0, 1, 1});
  n.in.class_weight = {0, 0};
  check_close(value_as(n, "sum"), {0}, 0);
  check_close(value_as(n, "tfa.sequence_loss", 0), {0, 0, 0}, 0);
  as(n, "torch.mean", -1, Given::class_weight);
  const auto out = n.run();
  check_close(out.value, {NaN}, 0);
  CHECK(out.gradient == std::vector<double>(6, 0.0));
}

TEST_CASE("G23 PyTorch: empty batches and empty sequences") {
  for (const auto& [batch, steps] : {std::pair{0, 3}, {2, 0}}) {
    Numbers n(batch, steps, 4, {});
    CHECK(value_as(n, "tfa.sequence_loss", 0).empty());
    check_close(value_as(n, "sum"), {0}, 0);
    check_close(value_as(n, "torch.mean"), {NaN}, 0);
    check_close(value_as(n, "token_mean"), {0}, 0);
    check_close(through_projection(n).value, {0}, 0);
  }
}

TEST_CASE("G24 PyTorch: an ignored id far outside the classes") {
  Numbers n(2, 1, 3, {1, 2, 3, NaN, NaN, NaN}, {0, 255});
  n.options.ignore_index = 255;
  const auto out = n.run();
  CHECK(close(out.value[0], 2.407605964, 1e-9));
  check_close(out.gradient, {-.909969427, .244728471, .665240956, 0, 0, 0}, 1e-9);
}

TEST_CASE("G27 PyTorch: smoothing ids is smoothing their distributions; an epsilon of 1.2 is refused") {
  Numbers ids(2, 1, 3, {.3, -1.2, 2, 1, .5, -.7}, {2, 0});
  ids.options.smoothing = .15;
  Numbers dense(2, 1, 3, ids.x);
  dense.options.target = Target::dense;
  dense.in.dense = {.05, .05, .9, .9, .05, .05};
  const auto a = ids.run(), b = dense.run();
  check_close(a.value, b.value, 1e-14);
  check_close(a.gradient, b.gradient, 1e-14);
  ids.options.smoothing = 1.2;
  CHECK(message_of([&] { ids.run(); }) == "loss: smoothing.epsilon must lie in [0,1), got 1.2");
}

TEST_CASE("G28 JoeyNMT: smoothing without mass on padding, as Kullback-Leibler divergence") {
  Numbers n(2, 3, 5, {}, {2, 1, 2, 0, 1, 0});
  for (int i = 0; i < 6; ++i)
    for (const double p : {.1, .1, .6, .1, .1}) n.x.push_back(std::log(p));
  n.options.ignore_index = 0;
  n.options.divide.flat = "one";
  check_close(n.run().value, {5.626821434}, 1e-9);
  n.options.smoothing = .4;
  n.options.smoothing_kind = SmoothingKind::others_excluding;
  n.options.smoothing_excluding = {0};
  check_close(n.run().value, {6.582426484}, 1e-9);
  n.options.report_kl = true;
  const auto out = n.run();
  check_close(out.value, {2.132600154}, 1e-9);
  const double e = .4 / 3;
  const std::vector<double> table = {0, e, .6, e, e, 0, .6, e, e, e, 0, e, .6, e, e,
                                     0, 0, 0,  0, 0, 0, .6, e, e, e, 0, 0, 0,  0, 0};
  for (size_t i = 0; i < 30; ++i) {  // the gradient is p − q', so q' is p minus it
    const bool dead = i / 5 == 3 || i / 5 == 5;
    CHECK(close((dead ? 0 : std::exp(n.x[i])) - out.gradient[i], table[i], 1e-15));
  }
}

TEST_CASE("G30 Cut Cross-Entropy: z-loss of log-sum-exps 1 to 10") {
  LossInputs in;
  in.batch = 1, in.steps = 10;
  std::vector<double> squares;
  Numbers n(1, 10, 1, {}, std::vector<int64_t>(10, 0));  // one class: the logit is the log-sum-exp, and ℓ is 0
  for (int i = 1; i <= 10; ++i) {
    squares.push_back(i * i);
    n.x.push_back(i);
  }
  n.options.z_loss = 1;
  const auto check = [&](const char* divide, double value) {
    n.options.divide.flat = divide;
    CHECK(reduce(in, squares, n.options).value[0] == value);
    const auto out = n.run();
    CHECK(close(out.value[0], value, 1e-15));
    CHECK(close(out.result.sum.stats.z_sum, in.mask ? 52 : 385, 1e-15));
    CHECK(close(out.gradient[3], 2 * 4 * (n.options.divide.flat == "one" ? 1 : .5), 1e-15));
    CHECK(out.result.sum.stats.nll_sum == 0);
  };
  check("one", 385);
  in.mask = n.in.mask = {{0, 0, 0, 1, 0, 1, 0, 0, 0, 0}};
  check("one", 52);
  check("active", 26);
}

TEST_CASE("G31 Marian: smoothed cross entropy, fused with a projection and not") {
  Numbers n(3, 1, 3, {-.1, -1.2, -.4, 1.2, 2.3, -3.4, -2.2, 1, -1.2}, {0, 1, 2});
  n.options = none();
  n.options.smoothing = .1;
  for (const auto& out : {n.run(), through_projection(n)}) {
    check_close(out.value, {.775995960, .516509191, 2.301122201}, 1e-9);
    check_close(out.gradient,
                {-.451101015, .127187861, .323913154, .215781198, -.184951923, -.030829275, .002063879, .835049854,
                 -.837113733},
                2e-9);
  }
}

TEST_CASE("G32 MLX: large logits, and -inf where nothing has mass") {
  for (const double offset : {0.0, 1e4, 1e6}) {
    const auto out = Numbers(1, 1, 2, {2 + offset, -1 + offset}, {0}).run();
    CHECK(close(out.value[0], .048587352, 1e-9));
    const double p = 1 / (1 + std::exp(3.));
    check_close(out.gradient, {-p, p}, 1e-15);
  }
  for (const double z : {1.0, 1e4, 1e8, 1e20}) {
    const auto out = Numbers(1, 1, 2, {z, z}, {0}).run();
    CHECK(out.value[0] == std::log(2.));
    CHECK(out.gradient == std::vector<double>{-.5, .5});
  }
  const auto ids = Numbers(1, 1, 2, {0, -infinity}, {0}).run();
  CHECK(ids.value[0] == 0);
  CHECK(ids.gradient == std::vector<double>{0, 0});
  Numbers dense(1, 1, 2, {0, -infinity});  // NaN in MLX
  dense.in.dense = {1, 0};
  const auto out = dense.run();
  CHECK(out.value[0] == 0);
  CHECK(out.gradient == std::vector<double>{0, 0});
}

TEST_CASE("G36 Flashlight: sum over mean is the number of targets that are not ignored; shapes must match") {
  Numbers n(4, 10, 5, {}, {});
  for (int i = 0; i < 200; ++i) n.x.push_back(std::sin(i));
  n.options.target = Target::ids;
  for (int i = 0; i < 40; ++i) n.in.targets.push_back(i * 7 % 5);
  for (const bool ignore : {false, true}) {
    n.options = {};
    if (ignore) n.options.ignore_index = 3;
    const double mean = n.run().value[0];
    n.options.divide.flat = "one";
    CHECK(close(n.run().value[0] / mean, ignore ? 32 : 40, 1e-14));
  }
  const Tensor z = from_host(n.x, {4, 10, 5});
  n.in.steps = 9;
  n.in.targets.resize(36);
  CHECK(message_of([&] { sequence_loss(z, n.in, n.options); }) ==
        "loss: targets are [B=4,T=9] but logits are [B=4,T=10,V=5]; T must match (did you forget to shift or trim?)");
}

TEST_CASE("G37 PyTorch: the weighted mean divides by the weights of the targets") {
  Numbers n(2, 1, 2, {-100, 100, -100, 100}, {0, 1});
  n.in.class_weight = {20, 10};
  n.options = none();
  check_close(n.run().value, {4000, 0}, 1e-9);
  n.options.then = Then::mean;
  check_close(n.run().value, {2000}, 1e-9);
  as(n, "torch.mean", -1, Given::class_weight);
  const auto out = n.run();
  check_close(out.value, {133.333333333}, 1e-9);
  check_close(out.gradient, {-20 / 30., 20 / 30., 0, 0}, 1e-15);
}

TEST_CASE("own values: soft cap, z-loss, class weights in both scopes, probabilities") {
  Numbers cap(1, 1, 3, {1, 2, 3}, {0});
  cap.options.softcap = 2;
  auto out = cap.run();
  CHECK(close(out.value[0], 1.657422665, 1e-9));
  check_close(out.gradient, {-.636527466, .145725534, .083555783}, 2e-9);

  Numbers z(1, 1, 3, {1, 2, 3}, {0});
  z.options.z_loss = .01;
  out = z.run();
  CHECK(close(out.value[0], 2.523723749, 1e-9));
  check_close(out.gradient, {-.903833652, .261407235, .710578537}, 2e-9);

  Numbers c(1, 1, 3, {1, 2, 3}, {2});
  c.in.class_weight = {.3, .6, 2};
  c.options.smoothing = .1;
  out = c.run();
  CHECK(close(out.value[0], .813092646, 1e-9));
  check_close(out.gradient, {.160757987, .444168333, -.604926321}, 2e-9);
  c.options.class_scope = ClassScope::target;
  out = c.run();
  CHECK(close(out.value[0], 1.015211929, 1e-9));
  check_close(out.gradient, {.113394480, .422790275, -.536184755}, 2e-9);

  Numbers p(1, 1, 3, {1, .6, .4}, {1});
  p.options.input = Input::probs;
  out = p.run();
  CHECK(close(out.value[0], 1.203972804, 1e-9));
  check_close(out.gradient, {.5, -1.166666667, .5}, 2e-9);
}
