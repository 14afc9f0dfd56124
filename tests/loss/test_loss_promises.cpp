// The promises about batches, to the bit: poison, padding, layout, order, threads, kinds of masks; over random batches
// whose dead cells hold poison; a failure prints its seed.
#include <algorithm>
#include <numeric>

#include "engine/core/thread_pool.h"
#include "tests/support/loss_random.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

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
  each_promise_case([&](uint64_t seed, Device device) {
    const RandomCase clean(seed, dtype_of_seed(seed)), bad = poisoned(seed);
    const auto got = everything(bad, device);
    REQUIRE(got == everything(clean, device));
    if (bad.options.input == Input::logits) REQUIRE(fused(bad, true, device) == got[1]);  // [B·T,D]
    for (int64_t n = 0; n < bad.cells(); ++n) {
      if (bad.live(n)) continue;
      ++dead;
      for (size_t form = 0; form < got.size(); ++form)
        for (int64_t i = 0; i < (form ? bad.width : bad.in.classes); ++i)
          REQUIRE(got[form].dx[static_cast<size_t>(n * (form ? bad.width : bad.in.classes) + i)] == 0);
    }
  });
  CHECK(dead > 1000);
}

TEST_CASE("P2: more steps or empty examples change no bit of the loss and the live gradients") {
  each_promise_case([&](uint64_t seed, Device device) {
    RandomCase c = poisoned(seed);
    forget_padding(c.options);
    const RandomCase w = widened(c, static_cast<int64_t>(seed % 3), static_cast<int64_t>(seed % 4), seed);
    const auto before = everything(c, device), after = everything(w, device);
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
  });
}

TEST_CASE("P3: batch-major, time-major and a list of steps are the same bits") {
  each_promise_case([&](uint64_t seed, Device device) {
    const RandomCase c = poisoned(seed);
    const Outcome batch = direct(c, Layout::batch, device);
    REQUIRE(direct(c, Layout::time, device) == batch);
    REQUIRE(direct(c, Layout::list, device) == batch);
  });
}

TEST_CASE("P4: the order of examples changes no bit of the loss, its rows and their gradients") {
  each_promise_case([&](uint64_t seed, Device device) {
    const RandomCase c = poisoned(seed);
    std::vector<int64_t> order(static_cast<size_t>(c.in.batch));
    std::iota(order.begin(), order.end(), 0);
    Random r(seed, 3);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[r.below(i)]);
    const auto before = everything(c, device), after = everything(permuted(c, order), device);
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
  });
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
  each_promise_case([&](uint64_t seed, Device device) {
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
    const auto lengths = everything(c, device);
    REQUIRE(everything(mask, device) == lengths);
    if (c.options.target == Target::ids) {
      ignore.poison(seed + 2);
      REQUIRE(everything(ignore, device) == lengths);
    }
    weight.poison(seed + 3);
    const Divide& d = c.options.divide;
    const auto by_weight = [](const std::string& name) {
      return name == "one" || name == "nonzero" || name == "weight";
    };
    if (d.nested() ? !by_weight(d.time) || (d.batch != "one" && d.batch != "batch") : !by_weight(d.flat)) return;
    const auto weights = everything(weight, device);
    for (size_t form = 0; form < lengths.size(); ++form) {
      REQUIRE(weights[form].value == lengths[form].value);
      REQUIRE(weights[form].dx == lengths[form].dx);
      REQUIRE(weights[form].dweight == lengths[form].dweight);
      REQUIRE(weights[form].dbias == lengths[form].dbias);
      REQUIRE(weights[form].row_loss == lengths[form].row_loss);
    }
  });
}
