// The promises to the bit, each over random batches whose dead cells hold poison; a failure prints its seed.
#include <algorithm>
#include <numeric>

#include "engine/core/thread_pool.h"
#include "tests/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

RandomCase poisoned(uint64_t seed, std::optional<Input> input = {}, std::optional<Target> target = {}) {
  RandomCase c(seed, dtype_of_seed(seed), input, target);
  c.poison(seed);
  return c;
}

// Divisors that padding changes by definition, replaced by their neighbours that it does not.
void forget_padding(LossOptions& o) {
  for (const char* name : {"positions", "steps", "batch", "active_minus_batch"})
    if (o.divide.flat == name) o.divide.flat = "active";
  if (o.divide.time == "steps") o.divide.time = "active";
  if (o.divide.batch == "batch") o.divide.batch = "active_batch";
  if (o.then == Then::mean) o.then = Then::sum;       // a mean over entries counts them
  if (o.then == Then::sum) o.on_zero = OnZero::zero;  // as `nan`, every new entry is one
}

// Example or step i of the wide batch is i of the narrow one, where that has one.
RandomCase widened(const RandomCase& c, int64_t examples, int64_t steps, uint64_t seed) {
  RandomCase w = c;
  w.in.batch += examples;
  w.in.steps += steps;
  if (!w.in.lengths) w.in.lengths.emplace(static_cast<size_t>(c.in.batch), c.in.steps);
  w.each_by_cell([&](auto& values, int64_t size) {
    auto wide = values;
    wide.assign(static_cast<size_t>(w.cells() * size), {});
    for (int64_t b = 0; b < c.in.batch; ++b)
      std::copy_n(values.begin() + b * c.in.steps * size, c.in.steps * size, wide.begin() + b * w.in.steps * size);
    values = wide;
  });
  w.each_by_example([&](auto& values) { values.resize(static_cast<size_t>(w.in.batch)); });
  w.up_t.resize(static_cast<size_t>(w.in.steps));
  w.poison(seed);
  return w;
}

// The part of a batch-major array of the wide batch that the narrow one has.
Bits narrowed(const Bits& values, const RandomCase& wide, const RandomCase& c, int64_t size) {
  Bits out;
  for (int64_t b = 0; b < c.in.batch; ++b)
    out.insert(out.end(), values.begin() + b * wide.in.steps * size,
               values.begin() + (b * wide.in.steps + c.in.steps) * size);
  return out;
}

RandomCase permuted(const RandomCase& c, const std::vector<int64_t>& order) {
  RandomCase p = c;
  const auto reorder = [&](auto& values, int64_t size) {
    auto out = values;
    for (int64_t b = 0; b < c.in.batch; ++b)
      std::copy_n(values.begin() + order[static_cast<size_t>(b)] * size, size, out.begin() + b * size);
    values = out;
  };
  p.each_by_cell([&](auto& values, int64_t size) { reorder(values, c.in.steps * size); });
  p.each_by_example([&](auto& values) { reorder(values, 1); });
  return p;
}

}  // namespace

TEST_CASE("P1: poison in dead cells changes no bit, and their gradient is +0") {
  int dead = 0;
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    const RandomCase clean(seed, dtype_of_seed(seed)), bad = poisoned(seed);
    const auto got = everything(bad);
    REQUIRE(got == everything(clean));
    if (bad.options.input == Input::logits) REQUIRE(fused(bad, true) == got[1]);  // [B·T,D]
    for (int64_t n = 0; n < bad.cells(); ++n) {
      if (bad.live(n)) continue;
      ++dead;
      for (size_t form = 0; form < got.size(); ++form)
        for (int64_t i = 0; i < (form ? bad.width : bad.in.classes); ++i)
          REQUIRE(got[form].dx[static_cast<size_t>(n * (form ? bad.width : bad.in.classes) + i)] == 0);
    }
  }
  CHECK(dead > 1000);
}

TEST_CASE("P2: more steps or empty examples change no bit of the loss and the live gradients") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    RandomCase c = poisoned(seed);
    forget_padding(c.options);
    const RandomCase w = widened(c, static_cast<int64_t>(seed % 3), static_cast<int64_t>(seed % 4), seed);
    const auto before = everything(c), after = everything(w);
    const bool scalar = c.options.over == Over::all || c.options.then != Then::nothing;
    for (size_t form = 0; form < before.size(); ++form) {
      const Outcome &a = before[form], &b = after[form];
      CAPTURE(form);
      REQUIRE(narrowed(b.dx, w, c, form ? c.width : c.in.classes) == a.dx);
      REQUIRE(b.dweight == a.dweight);
      REQUIRE(b.dbias == a.dbias);
      REQUIRE(b.row_loss == a.row_loss);
      if (scalar) REQUIRE(b.value == a.value);
      if (scalar && c.options.over == Over::all) REQUIRE(b.sums == a.sums);
      if (!scalar && c.options.over == Over::none) REQUIRE(narrowed(b.value, w, c, 1) == a.value);
      if (!scalar && c.options.over != Over::none) REQUIRE(std::equal(a.value.begin(), a.value.end(), b.value.begin()));
    }
  }
}

TEST_CASE("P3: batch-major, time-major and a list of steps are the same bits") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    const RandomCase c = poisoned(seed);
    const Outcome batch = direct(c);
    REQUIRE(direct(c, Layout::time) == batch);
    REQUIRE(direct(c, Layout::list) == batch);
  }
}

TEST_CASE("P4: the order of examples changes no bit of the loss, its rows and their gradients") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    const RandomCase c = poisoned(seed);
    std::vector<int64_t> order(static_cast<size_t>(c.in.batch));
    std::iota(order.begin(), order.end(), 0);
    Random r(seed, 3);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[r.below(i)]);
    const auto before = everything(c), after = everything(permuted(c, order));
    const bool by_example =
        c.options.then == Then::nothing && (c.options.over == Over::time || c.options.over == Over::none);
    for (size_t form = 0; form < before.size(); ++form) {
      const auto reordered = [&](const Bits& bits, int64_t size) {
        Bits out;
        for (const int64_t b : order) out.insert(out.end(), bits.begin() + b * size, bits.begin() + (b + 1) * size);
        return out;
      };
      const Outcome &a = before[form], &b = after[form];
      CAPTURE(form);
      REQUIRE(b.value == (by_example ? reordered(a.value, c.options.over == Over::time ? 1 : c.in.steps) : a.value));
      REQUIRE(b.dx == reordered(a.dx, c.in.steps * (form ? c.width : c.in.classes)));
      REQUIRE(b.sums == a.sums);
      const auto near = [&](const Bits& got, const Bits& want) {
        const auto number = [&](uint64_t bits) {
          float f = 0;
          double d = 0;
          std::memcpy(&f, &bits, sizeof f);
          std::memcpy(&d, &bits, sizeof d);
          return c.dtype == DType::f32 ? static_cast<double>(f) : d;
        };
        double largest = 0;
        for (const uint64_t x : want) largest = std::max(largest, std::abs(number(x)));
        for (size_t i = 0; i < want.size(); ++i)
          REQUIRE(std::abs(number(got[i]) - number(want[i])) <= (c.dtype == DType::f32 ? 1e-5 : 1e-13) * largest);
      };
      near(b.dweight, a.dweight);
      near(b.dbias, a.dbias);
    }
  }
}

TEST_CASE("P5: any number of threads gives the same bits, in every run") {
  std::vector<RandomCase> cases;
  std::vector<std::vector<Outcome>> one;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    cases.push_back(poisoned(seed));
    if (seed % 50 == 0) cases.back() = RandomCase(seed, dtype_of_seed(seed), {}, {}, 300);  // more rows than a tile has
    one.push_back(everything(cases.back()));
  }
  for (const int n : {1, 2, 3, 7}) {
    set_threads(n);
    for (size_t seed = 0; seed < cases.size(); ++seed) {
      CAPTURE(seed, n);
      REQUIRE(everything(cases[seed]) == one[seed]);
    }
  }
  set_threads(1);
}

TEST_CASE("P6: lengths, mask, ignore_index and weights of 0 and 1 are the same bits") {
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
    RandomCase c(seed, dtype_of_seed(seed));
    c.in.mask.reset();
    c.in.token_weight.reset();
    c.options.ignore_index.reset();
    for (int64_t& y : c.in.targets) y = std::max<int64_t>(y, 1);
    if (!c.in.lengths) c.in.lengths.emplace(static_cast<size_t>(c.in.batch), c.in.steps / 2);
    RandomCase mask = c, ignore = c, weight = c;
    c.poison(seed);
    for (RandomCase* other : {&mask, &ignore, &weight}) other->in.lengths.reset();
    mask.in.mask.emplace();
    weight.in.token_weight.emplace();
    ignore.options.ignore_index = -100;
    for (int64_t n = 0; n < c.cells(); ++n) {
      const bool on = n % c.in.steps < (*c.in.lengths)[static_cast<size_t>(n / c.in.steps)];
      mask.in.mask->push_back(on);
      weight.in.token_weight->push_back(on);
      if (!on && c.options.target == Target::ids) ignore.in.targets[static_cast<size_t>(n)] = -100;
    }
    mask.poison(seed + 1);
    const auto lengths = everything(c);
    REQUIRE(everything(mask) == lengths);
    if (c.options.target == Target::ids) {
      ignore.poison(seed + 2);
      REQUIRE(everything(ignore) == lengths);
    }
    weight.poison(seed + 3);
    const Divide& d = c.options.divide;
    const auto by_weight = [](const std::string& name) {
      return name == "one" || name == "nonzero" || name == "weight";
    };
    if (d.nested() ? !by_weight(d.time) || (d.batch != "one" && d.batch != "batch") : !by_weight(d.flat)) continue;
    const auto weights = everything(weight);
    for (size_t form = 0; form < lengths.size(); ++form) {
      REQUIRE(weights[form].value == lengths[form].value);
      REQUIRE(weights[form].dx == lengths[form].dx);
      REQUIRE(weights[form].dweight == lengths[form].dweight);
      REQUIRE(weights[form].dbias == lengths[form].dbias);
      REQUIRE(weights[form].row_loss == lengths[form].row_loss);
    }
  }
}

TEST_CASE("P7: one-hot dense targets and ids are the same bits, class weights included") {
  int weighted = 0;
  for (uint64_t seed = 0; seed < promise_cases; ++seed) {
    CAPTURE(seed);
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
    REQUIRE(everything(dense) == everything(ids));
  }
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
    // Mass as the specification has it: q' = (1−ε)q + εu, times c in scope class.
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
        if (!mass(n, v) && !is_target(n, v) && r.below(3) == 0 && left > 1) {
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
    REQUIRE(got == direct(finite));

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
