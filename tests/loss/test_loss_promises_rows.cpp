// The promises about rows and options, to the bit, over random batches whose dead cells hold poison.
#include "tests/support/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("P7: one-hot dense targets and ids are the same bits, class weights included") {
  int weighted = 0;
  each_promise_case([&](uint64_t seed, Device device) {
    RandomCase ids(seed, dtype_of_seed(seed), {}, Target::ids);
    if (ids.options.smoothing_kind != SmoothingKind::prior) ids.options.smoothing_kind = SmoothingKind::uniform;
    ids.options.smoothing_excluding.clear();
    if (ids.options.class_scope == ClassScope::target) ids.in.class_weight.reset();
    if (ids.options.divide.flat == "class_weight" && !ids.in.class_weight) ids.options.divide.flat = "active";
    weighted += ids.in.class_weight.has_value();
    RandomCase dense = ids;
    dense.in.mask.emplace();
    for (int64_t n = 0; n < ids.cells(); ++n) dense.in.mask->push_back(ids.active(n));
    dense.options.ignore_index.reset();
    dense.options.target = Target::dense;
    for (const int64_t y : ids.in.targets) {
      dense.in.dense.resize(dense.in.dense.size() + static_cast<size_t>(ids.in.classes), 0.0);
      if (y >= 0) dense.in.dense[dense.in.dense.size() - static_cast<size_t>(ids.in.classes - y)] = 1;
    }
    dense.in.targets.clear();
    ids.poison(seed);
    dense.poison(seed + 1);
    REQUIRE(everything(dense, device) == everything(ids, device));
  });
  CHECK(weighted > 30);
}

TEST_CASE("P8: a constant added to a row, exact in the dtype, changes no bit") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    RandomCase c(seed, dtype_of_seed(seed), Input::logits);
    c.options.softcap.reset();
    c.options.z_loss = 0;
    for (double& z : c.x) z = std::round(z * 16) / 16;  // exact beside 1e6 in float32, whose ulp there is 1/16
    const Outcome before = direct(c);
    Random r(seed, 4);
    for (const double offset : {1e4, -1e4, 1e6, 0.0}) {
      CAPTURE(seed, offset);
      RandomCase shifted = c;
      for (int64_t n = 0; n < c.cells(); ++n) {
        const double add = offset != 0 ? offset : std::round(r.normal() * 1e4);  // 0: another one for each row
        for (int64_t v = 0; v < c.in.classes; ++v) shifted.x[static_cast<size_t>(n * c.in.classes + v)] += add;
      }
      shifted.poison(seed);
      REQUIRE(direct(shifted) == before);
    }
  }
}

TEST_CASE("P9: -inf at a class without mass leaves a finite loss and gradient 0; with mass the loss is infinite") {
  int checked = 0;
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, dtype_of_seed(seed), Input::logits);
    c.options.softcap.reset();
    Random r(seed, 5);
    const auto is_target = [&](int64_t n, int64_t v) {
      return c.options.target == Target::dense ? c.in.dense[static_cast<size_t>(n * c.in.classes + v)] > 0
                                               : c.in.targets[static_cast<size_t>(n)] == v;
    };
    // Mass as README.md has it: q' = (1−ε)q + εu, times c in scope class.
    const auto mass = [&](int64_t n, int64_t v) {
      const auto i = static_cast<size_t>(v);
      const LossOptions& o = c.options;
      const bool target = is_target(n, v);
      const auto& excluded = o.smoothing_excluding;
      const bool smooth = o.smoothing > 0 && (o.smoothing_kind == SmoothingKind::uniform ||
                                              (o.smoothing_kind == SmoothingKind::prior && (*c.in.prior)[i] > 0) ||
                                              (o.smoothing_kind == SmoothingKind::others && !target) ||
                                              (o.smoothing_kind == SmoothingKind::others_excluding && !target &&
                                               std::find(excluded.begin(), excluded.end(), v) == excluded.end()));
      const bool weightless =
          c.in.class_weight && o.class_scope == ClassScope::per_class && (*c.in.class_weight)[i] == 0;
      return (target || smooth) && !weightless;
    };
    c.options.nonfinite = Nonfinite::error;
    std::vector<size_t> holes;
    for (int64_t n = 0; n < c.cells(); ++n) {
      int64_t left = c.in.classes;
      for (int64_t v = 0; c.live(n) && v < c.in.classes; ++v)
        if (!mass(n, v) && r.below(3) == 0 && left > 1) {
          holes.push_back(static_cast<size_t>(n * c.in.classes + v));
          c.x[holes.back()] = -infinity;
          --left;
        }
    }
    c.poison(seed);
    const Outcome got = direct(c);
    for (const size_t hole : holes) {
      double zero = 1;
      std::memcpy(&zero, &got.dx[hole], sizeof zero);
      REQUIRE(zero == 0);
      ++checked;
    }
    // −1e30 is as good as −inf where nothing has mass, and finite.
    RandomCase finite = c;
    for (const size_t hole : holes) finite.x[hole] = -1e30;
    const Outcome as_finite = direct(finite);
    REQUIRE(got.value == as_finite.value);
    REQUIRE(got.dx == as_finite.dx);
    REQUIRE(got.row_loss == as_finite.row_loss);  // its nll is infinite where a target has class weight 0

    int64_t row = 0;
    while (row < c.cells() && !c.live(row)) ++row;
    if (row == c.cells()) continue;
    int64_t with_mass = 0;
    while (with_mass < c.in.classes && !mass(row, with_mass)) ++with_mass;
    if (with_mass == c.in.classes) continue;
    c.x[static_cast<size_t>(row * c.in.classes + with_mass)] = -infinity;
    const std::string place = fmt::format("(b={},t={})", row / c.in.steps, row % c.in.steps);
    const std::string said = message_of([&] { direct(c); });
    REQUIRE((said == "the loss at " + place + " is infinite: a class with target mass has logit -inf" ||
             said == "logits" + place + " are all -inf on a live row"));
    c.options.nonfinite = Nonfinite::propagate;
    const Bits rows = direct(c).row_loss;
    double loss = 0;
    std::memcpy(&loss, &rows[0], sizeof loss);
    REQUIRE((said.starts_with("logits") ? std::isnan(loss) : loss == infinity));
  }
  CHECK(checked > 1000);
}

TEST_CASE("P11: scaling all weights by a power of two leaves a weighted mean and scales a sum, to the bit") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    RandomCase c = poisoned(seed);
    c.options.divide_eps = 0;
    const bool mean = seed % 4 < 2;
    c.options.divide = seed % 3 == 0 && c.options.over == Over::all ? Divide{"", mean ? "weight" : "one", "batch", 0}
                                                                    : Divide{mean ? "weight" : "one", "", "", 0};
    if (!c.in.token_weight) c.in.token_weight.emplace(static_cast<size_t>(c.cells()), 1.0);
    const int power = static_cast<int>(seed % 41) - 20;
    RandomCase scaled = c;
    for (double& w : *scaled.in.token_weight) w = std::ldexp(w, power);
    const auto before = everything(c), after = everything(scaled);
    const auto times = [&](const Bits& bits) {
      Bits out = bits;
      for (uint64_t& x : out) {
        if (mean) continue;
        if (c.dtype == DType::f32) {
          float f;
          std::memcpy(&f, &x, sizeof f);
          f = std::ldexp(f, power);
          std::memcpy(&x, &f, sizeof f);
        } else {
          double d;
          std::memcpy(&d, &x, sizeof d);
          d = std::ldexp(d, power);
          std::memcpy(&x, &d, sizeof d);
        }
      }
      return out;
    };
    for (size_t form = 0; form < before.size(); ++form) {
      REQUIRE(after[form].value == times(before[form].value));
      REQUIRE(after[form].dx == times(before[form].dx));
      REQUIRE(after[form].row_loss == before[form].row_loss);
    }
  }
}

TEST_CASE("P13: options at rest are the same bits as options that are not given") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, dtype_of_seed(seed));
    c.in.token_weight.reset();
    c.in.example_weight.reset();
    c.in.class_weight.reset();
    c.in.prior.reset();
    if (c.options.divide.flat == "class_weight") c.options.divide.flat = "active";
    c.options.softcap.reset();
    c.options.z_loss = 0;
    const auto smoothing = std::pair{c.options.smoothing, c.options.smoothing_kind};
    c.options.smoothing = 0;
    c.options.smoothing_kind = SmoothingKind::uniform;
    c.options.smoothing_excluding.clear();
    c.options.report_kl = false;
    RandomCase given = c;  // ε=0, with a kind and its prior or excluded ids
    given.options.smoothing_kind = static_cast<SmoothingKind>(seed % 4);
    if (c.options.target == Target::dense) given.options.smoothing_kind = SmoothingKind::prior;
    given.options.smoothing_excluding = {1};
    given.in.prior.emplace(static_cast<size_t>(c.in.classes), 1.0 / static_cast<double>(c.in.classes));
    given.in.token_weight.emplace(static_cast<size_t>(c.cells()), 1.0);
    given.in.example_weight.emplace(static_cast<size_t>(c.in.batch), 1.0);
    const bool per_class = c.options.input == Input::logits;
    given.options.class_scope = per_class ? ClassScope::per_class : ClassScope::target;
    if (per_class || c.options.target == Target::ids)
      given.in.class_weight.emplace(static_cast<size_t>(c.in.classes), 1.0);
    c.poison(seed);
    given.poison(seed + 1);
    REQUIRE(everything(given) == everything(c));
    // Class weights of 1 are none under smoothing, too.
    if (c.options.target == Target::dense || !per_class) continue;
    c.options.smoothing = given.options.smoothing = std::max(smoothing.first, 0.05);
    c.options.smoothing_kind = given.options.smoothing_kind = SmoothingKind::uniform;
    REQUIRE(everything(given) == everything(c));
  }
}
