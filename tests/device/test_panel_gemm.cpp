// Products by factors that are laid out once: the vector kernels against the plain loops, to the bit, whole products
// against float64, and which products take them.
#include "engine/device/panel_gemm.h"

#include <cmath>
#include <utility>

#include "engine/core/isa.h"
#include "engine/core/random.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/device/cpu_gemm.h"
#include "engine/device/f32_kernels.h"
#include "engine/device/gemm.h"
#include "engine/device/prepared_weights.h"
#include "engine/ops/matmul.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

constexpr uint64_t seed = 20261129;

std::vector<float> noise(int64_t n, Random& random) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(random.normal());
  return v;
}

// A product of random sizes, whose rows lie further apart than they are long.
struct Product {
  int64_t m, n, k, lda, ldc;
  bool transposed, a_transposed;  // B and A
  std::vector<float> a, b, bias, before;

  explicit Product(Random& random) {
    const auto below = [&](uint64_t most) { return static_cast<int64_t>(random.below(most)); };
    m = 1 + below(20), n = 1 + below(150), k = below(70);
    transposed = random.below(2), a_transposed = random.below(2);
    lda = (a_transposed ? m : k) + below(3), ldc = n + below(3);
    // A has memory where k is 0, too: no offset of null is defined.
    a = noise(1 + (a_transposed ? k : m) * lda, random), b = noise(k * n, random), bias = noise(n, random),
    before = noise(m * ldc, random);
  }
  Matrix<const float> left() const { return {a.data(), m, k, lda, a_transposed}; }
  Matrix<const float> right() const {
    const Matrix<const float> stored{b.data(), transposed ? n : k, transposed ? k : n};
    return transposed ? stored.t() : stored;
  }
  std::vector<float> panels() const {
    std::vector<float> out(static_cast<size_t>(panel_size(k, n)), 7.0f);
    lay_out_panels(right(), out.data());
    return out;
  }
  std::vector<float> panels(int64_t columns) const {
    std::vector<float> out(static_cast<size_t>((n + columns - 1) / columns * columns * k), 0.0f);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < n; ++j)
        out[static_cast<size_t>(j / columns * columns * k + i * columns + j % columns)] = *right().at(i, j);
    return out;
  }
};

// C from `product` (begin, start, start_ld), by each of three beginnings: nothing, C itself, and a row.
template <class F>
void for_each_start(const Product& p, const F& f) {
  for (const char* start : {"none", "c", "bias"}) {
    std::vector<float> c = p.before;
    const std::string s = start;
    f(s, c, s == "none" ? nullptr : s == "c" ? c.data() : p.bias.data(), s == "c" ? p.ldc : 0);
  }
}

}  // namespace

TEST_CASE("tiles have the bits of the plain loops in every instruction set, and write nothing beside C") {
  Random random(seed, 1);
  std::vector<std::string> names = {"plain"}, found;
  if (isa() >= Isa::avx2) names.emplace_back("avx2");
  if (isa() >= Isa::avx512) names.emplace_back("avx512");
  for (const F32Kernels* kernels : all_f32_kernels()) found.emplace_back(kernels->isa);
  CHECK(found == names);
  for (int trial = 0; trial < 200; ++trial) {
    const Product p(random);
    const F32Kernels& plain = *all_f32_kernels()[0];
    for (const F32Kernels* kernels : all_f32_kernels()) {
      const int64_t height = std::min({p.m, kernels->rows, plain.rows}),
                    span = 1 + static_cast<int64_t>(random.below(static_cast<uint64_t>(p.n)));
      const std::vector<float> panels = p.panels(kernels->columns), plain_panels = p.panels(plain.columns);
      for_each_start(p, [&](const std::string& start, std::vector<float>& c, const float* from, int64_t ld) {
        std::vector<float> want = p.before;
        plain.tile(p.k, p.a.data(), p.lda, p.a_transposed, plain_panels.data(), start == "c" ? want.data() : from, ld,
                   want.data(), p.ldc, height, span);
        kernels->tile(p.k, p.a.data(), p.lda, p.a_transposed, panels.data(), from, ld, c.data(), p.ldc, height, span);
        CAPTURE(seed, trial, kernels->isa, start, p.m, span, p.k);
        REQUIRE(c == want);
        for (int64_t r = 0; r < p.m; ++r)
          for (int64_t j = 0; j < p.ldc; ++j)
            if (const auto at = static_cast<size_t>(r * p.ldc + j); r >= height || j >= span)
              REQUIRE(c[at] == p.before[at]);
      });
    }
  }
}

TEST_CASE("panels are laid out as the plain loops do in every instruction set") {
  Random random(seed, 6);
  for (int trial = 0; trial < 200; ++trial) {
    const auto below = [&](uint64_t most) { return static_cast<int64_t>(random.below(most)); };
    const int64_t k = below(70), span = 1 + below(150);
    const bool transposed = random.below(2);
    const int64_t ld = (transposed ? k : span) + below(3);
    const std::vector<float> b = noise(1 + (transposed ? span : k) * ld, random);
    for (const F32Kernels* kernels : all_f32_kernels()) {
      const int64_t width = kernels->columns, whole = (span + width - 1) / width * width;
      CAPTURE(seed, trial, kernels->isa, k, span, transposed, ld);
      std::vector<float> panels(static_cast<size_t>(k * whole) + 1, 7.0f), want = panels;
      for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < whole; ++j)
          want[static_cast<size_t>(j / width * width * k + i * width + j % width)] =
              j < span ? b[static_cast<size_t>(transposed ? j * ld + i : i * ld + j)] : 0;
      kernels->lay_out(k, span, b.data(), ld, transposed, panels.data());
      REQUIRE(panels == want);
    }
  }
}

TEST_CASE(
    "a product whose right factor is laid out on the way has the bits of one in panels, on any number of threads") {
  if (!f32_kernels()) return;
  Random random(seed, 7);
  const int64_t wide = 40 * f32_kernels()->columns + 5;  // panels that threads lay out for themselves
  for (const int64_t n : {int64_t{70}, wide})
    for (const bool transposed : {false, true}) {
      constexpr int64_t m = 45, k = 33;
      const std::vector<float> a = noise(m * k, random), right = noise(k * n, random), bias = noise(n, random),
                               before = noise(m * n, random);
      const Matrix<const float> b = transposed ? Matrix{right.data(), n, k}.t() : Matrix{right.data(), k, n};
      std::vector<float> panels(static_cast<size_t>(panel_size(k, n)));
      lay_out_panels(b, panels.data());
      PackedMatrix<float> laid_out = b;
      laid_out.panels = panels.data();
      for (const int threads_used : {1, 3})
        for (const std::string start : {"none", "c", "bias"}) {
          CAPTURE(seed, n, transposed, threads_used, start);
          std::vector<float> c = before, want = before;
          const auto from = [&](std::vector<float>& to) {
            return start == "none" ? nullptr : start == "c" ? to.data() : bias.data();
          };
          const int64_t start_ld = start == "c" ? n : 0;
          set_threads(threads_used);
          packing_gemm({a.data(), m, k}, b, {c.data(), m, n}, from(c), start_ld);
          set_threads(1);
          panel_gemm({a.data(), m, k}, laid_out, {want.data(), m, n}, from(want), start_ld);
          CHECK(c == want);
        }
    }
}

TEST_CASE("a product of panels is the product, of the same bits for a row alone and on any number of threads") {
  if (!f32_kernels()) return;
  Random random(seed, 2);
  for (int trial = 0; trial < 100; ++trial) {
    const Product p(random);
    const std::vector<float> panels = p.panels();
    PackedMatrix<float> b = p.right();
    b.panels = panels.data();
    for_each_start(p, [&](const std::string& start, std::vector<float>& c, const float* from, int64_t ld) {
      CAPTURE(seed, trial, start, p.m, p.n, p.k, p.transposed);
      std::vector<float> alone = p.before, threaded = p.before;
      const auto same_start = [&](std::vector<float>& to) { return start == "c" ? to.data() : from; };
      panel_gemm(p.left(), b, {c.data(), p.m, p.n, p.ldc}, from, ld);
      set_threads(3);
      panel_gemm(p.left(), b, {threaded.data(), p.m, p.n, p.ldc}, same_start(threaded), ld);
      set_threads(1);
      for (int64_t r = 0; r < p.m; ++r)
        panel_gemm(p.left().block(r, 0, 1, p.k), b, {alone.data() + r * p.ldc, 1, p.n, p.ldc},
                   from ? same_start(alone) + r * ld : nullptr, ld);
      REQUIRE(threaded == c);
      REQUIRE(alone == c);
      if (start != "bias") {  // laid out for this product alone
        std::vector<float> unpacked = p.before;
        cpu_gemm(p.left(), p.right(), {unpacked.data(), p.m, p.n, p.ldc}, start == "c");
        REQUIRE(unpacked == c);
      }
      for (int64_t r = 0; r < p.m; ++r)
        for (int64_t j = 0; j < p.n; ++j) {
          const auto at = static_cast<size_t>(r * p.ldc + j);
          double sum = start == "none" ? 0.0 : start == "c" ? p.before[at] : p.bias[static_cast<size_t>(j)];
          double terms = std::abs(sum);
          for (int64_t i = 0; i < p.k; ++i) {
            const double term = static_cast<double>(*p.left().at(r, i)) * static_cast<double>(*p.right().at(i, j));
            sum += term, terms += std::abs(term);
          }
          REQUIRE(std::abs(static_cast<double>(c[at]) - sum) <= static_cast<double>(p.k + 1) * 0x1p-24 * terms);
        }
    });
  }
}

TEST_CASE("a product of many rows is that of each row alone") {
  if (!f32_kernels()) return;
  Random random(seed, 4);
  constexpr int64_t m = 231, k = 90, n = 130, ld = n + 1;
  const std::vector<float> a = noise(m * k, random), right = noise(k * n, random), bias = noise(n, random),
                           before = noise(m * ld, random);
  std::vector<float> panels(static_cast<size_t>(panel_size(k, n)));
  PackedMatrix<float> b = Matrix{right.data(), k, n};
  lay_out_panels(b.matrix, panels.data());
  b.panels = panels.data();
  for (const int threads_used : {1, 3})
    for (const std::string start : {"none", "c", "bias"}) {
      CAPTURE(seed, threads_used, start);
      std::vector<float> c = before, want = before;
      const auto from = [&](std::vector<float>& to) {
        return start == "none" ? nullptr : start == "c" ? to.data() : bias.data();
      };
      const int64_t start_ld = start == "c" ? ld : 0;
      set_threads(threads_used);
      panel_gemm({a.data(), m, k}, b, {c.data(), m, n, ld}, from(c), start_ld);
      set_threads(1);
      for (int64_t r = 0; r < m; ++r) {
        const float* const begin = from(want);
        panel_gemm({a.data() + r * k, 1, k}, b, {want.data() + r * ld, 1, n, ld},
                   begin ? begin + r * start_ld : nullptr, start_ld);
      }
      CHECK(c == want);
    }
}

TEST_CASE("a product over nothing is its bias, or 0") {
  constexpr int64_t m = 40, n = 100;
  Random random(seed, 8);
  const std::vector<float> bias = noise(n, random);
  for (const bool transposed : {false, true})
    for (const float* start : {static_cast<const float*>(nullptr), bias.data()}) {
      std::vector<float> c(m * n, 7.0f);
      const Matrix<const float> nothing{nullptr, transposed ? n : 0, transposed ? 0 : n};
      kernels::gemm<float>(Device::cpu, {.a = Matrix<const float>{nullptr, m, 0},
                                         .b = transposed ? nothing.t() : nothing,
                                         .c = Matrix{c.data(), m, n},
                                         .accumulate = false,
                                         .bias = start});
      for (size_t i = 0; i < c.size(); ++i) REQUIRE(c[i] == (start ? start[i % n] : 0.0f));
    }
}

TEST_CASE("the gradient of a large weight is the product, of the same bits on any number of threads") {
  Random random(seed, 5);
  constexpr int64_t m = 301, n = 259, k = 70;
  const std::vector<float> a = noise(k * m, random), b = noise(k * n, random), before = noise(m * n, random);
  for (const bool accumulate : {false, true}) {
    std::vector<std::vector<float>> all;
    for (const int threads_used : {1, 3}) {
      set_threads(threads_used);
      all.push_back(before);
      kernels::gemm<float>(Device::cpu, {Matrix{a.data(), k, m}.t(), Matrix{b.data(), k, n},
                                         Matrix{all.back().data(), m, n}, accumulate});
    }
    set_threads(1);
    CHECK(all[0] == all[1]);
    for (int64_t r = 0; r < m; ++r)
      for (int64_t j = 0; j < n; ++j) {
        double sum = accumulate ? static_cast<double>(before[static_cast<size_t>(r * n + j)]) : 0,
               terms = std::abs(sum);
        for (int64_t i = 0; i < k; ++i) {
          const double term = static_cast<double>(a[static_cast<size_t>(i * m + r)]) *
                              static_cast<double>(b[static_cast<size_t>(i * n + j)]);
          sum += term, terms += std::abs(term);
        }
        REQUIRE(std::abs(static_cast<double>(all[0][static_cast<size_t>(r * n + j)]) - sum) <=
                static_cast<double>(k + 1) * 0x1p-24 * terms);
      }
  }
}

TEST_CASE("weights are prepared while somebody says that they do not change, and parameters alone") {
  Tape::current().reset();
  Random random(seed, 3);
  std::vector<float> memory = noise(50 * 70, random);
  const Tensor parameter = wrap(memory.data(), {50, 70}), of_the_tape = from_host(memory, {50, 70});
  const auto panels = [](const Tensor& w, bool transposed = false) { return prepared<float>(w, transposed).panels; };
  CHECK(panels(parameter) == nullptr);
  const Tensor x = from_host(noise(3 * 50, random), {3, 50});
  const std::vector<float> unprepared = to_host<float>(linear(x, parameter, {}));
  {
    const PreparedWeights outer;
    const float* const kept = panels(parameter);
    CHECK((kept != nullptr) == (f32_kernels() != nullptr));
    {
      const PreparedWeights inner;
      CHECK(panels(parameter) == kept);
    }
    CHECK(panels(parameter) == kept);
    if (kept) CHECK(panels(parameter, true) != kept);
    CHECK(panels(of_the_tape) == nullptr);
    CHECK(prepared<double>(wrap(static_cast<double*>(nullptr), {0, 0})).panels == nullptr);
    const std::vector<float> y = to_host<float>(linear(x, parameter, {}));
    for (size_t i = 0; i < y.size(); ++i) CHECK(std::abs(y[i] - unprepared[i]) < 1e-4f);
    const float before =
        std::exchange(memory[0], 1000.0f);  // against what was said: it is not seen, for panels are read
    if (kept) CHECK(to_host<float>(linear(x, parameter, {})) == y);
    memory[0] = before;
  }
  CHECK(panels(parameter) == nullptr);
  CHECK(to_host<float>(linear(x, parameter, {})) == unprepared);
}
