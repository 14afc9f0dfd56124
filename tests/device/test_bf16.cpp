// Products in bfloat16: the vector kernels against the plain loops, whole products against float64, and training.
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/device/bf16_kernels.h"
#include "engine/device/cpu_gemm.h"
#include "engine/device/gemm.h"
#include "engine/optim/optimizer.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

constexpr uint64_t seed = 20250317;

struct InBf16 {
  InBf16() { set_matmul_precision(MatmulPrecision::bf16); }
  ~InBf16() {
    set_matmul_precision(MatmulPrecision::fp32);
    set_threads(1);
  }
};

std::vector<float> noise(int64_t n, Random& random) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(random.normal());
  return v;
}

// 40 sentences of up to 7 source and 6 target words.
Batch some_batch(uint64_t stream) {
  Random r(seed, stream);
  Batch b;
  b.batch = 40, b.source_steps = 7, b.target_steps = 6;
  for (int64_t i = 0; i < b.batch; ++i) {
    b.source_lengths.push_back(i == 0 ? 7 : static_cast<int32_t>(1 + r.below(7)));
    b.target_lengths.push_back(i == 0 ? 6 : static_cast<int32_t>(1 + r.below(6)));
    for (int64_t t = 0; t < 7; ++t)
      b.source.push_back(t < b.source_lengths.back() ? static_cast<int32_t>(4 + r.below(13)) : 0);
    for (int64_t t = 0; t < 6; ++t) {
      b.target_in.push_back(t == 0 ? 1 : b.target_out.back());
      b.target_out.push_back(t < b.target_lengths.back() ? static_cast<int32_t>(4 + r.below(13)) : 0);
    }
  }
  b.lines.assign(40, 1);
  return b;
}

// Four steps of training; the digest of weights and moments, and the last loss.
std::pair<uint64_t, double> train(const std::string& attention, int threads) {
  set_threads(threads);
  Config config;
  load(config, "",
       {"data.task=copy", "model.embedding=5", "model.encoder.hidden=20", "model.decoder.hidden=40",
        "model.dropout.hidden=0.2", "model.attention=" + attention});
  const auto model = make_model(config, {17, 17});
  LossSetup setup;
  setup.classes = 17;
  double loss = 0;
  for (int step = 1; step <= 4; ++step) {
    const Batch batch = some_batch(static_cast<uint64_t>(100 + step));
    loss = accumulate_gradients(*model, setup, {&batch, 1}, {true, 1, static_cast<uint64_t>(step), 0})
               .loss.value(setup.options);
    optimizers().at("adam")(model->store(), {}, step);
  }
  return {model->store().digest(), loss};
}

// The nearest bfloat16: 8 significant bits, ties to even.
double bf16(float x) {
  int exponent = 0;
  const double fraction = std::frexp(static_cast<double>(x), &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

}  // namespace

TEST_CASE("packing rounds as the plain loops do, in every layout", "[bf16]") {
  Random random(seed, 1);
  const float huge = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min(),
              infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const std::vector<float> special = {0.0f, -0.0f, 1.0f,     1.00390625f, 1.01171875f, -1.00390625f, huge,       -huge,
                                      tiny, -tiny, infinity, -infinity,   nan,         0x1p-126f,    0x1.fp-127f};
  const auto all = all_bf16_kernels();
  REQUIRE(std::string(all[0]->isa) == "plain");
  for (int trial = 0; trial < 60; ++trial) {
    const auto lines = 1 + static_cast<int64_t>(random.below(120)), k = 1 + static_cast<int64_t>(random.below(90));
    const bool along = random.below(2);
    const int64_t width = random.below(2) ? Bf16Kernels::rows : Bf16Kernels::columns;
    const int64_t ld = (along ? k : lines) + static_cast<int64_t>(random.below(3));
    std::vector<float> x = noise((along ? lines : k) * ld, random);
    for (size_t i = 0; i < special.size(); ++i) x[random.below(x.size())] = special[i];
    const auto words = static_cast<size_t>((lines + width - 1) / width * width * ((k + 1) / 2));
    std::vector<uint32_t> want(words + 1, 7);
    all[0]->pack(x.data(), along ? ld : 1, along ? 1 : ld, lines, k, width, (k + 1) / 2, want.data());
    CHECK(want.back() == 7);
    for (const Bf16Kernels* kernels : all.subspan(1)) {
      std::vector<uint32_t> got(words + 1, 7);
      kernels->pack(x.data(), along ? ld : 1, along ? 1 : ld, lines, k, width, (k + 1) / 2, got.data());
      CAPTURE(seed, trial, kernels->isa, lines, k, along, width, ld);
      REQUIRE(got == want);
    }
  }
  uint32_t words[Bf16Kernels::rows];
  for (const float v : {1.0f, 1.00390625f, 1.01171875f, -3.3f, 1e30f}) {
    all[0]->pack(&v, 1, 1, 1, 1, Bf16Kernels::rows, 1, words);
    const uint32_t bits = words[0] << 16;
    float got;
    std::memcpy(&got, &bits, 4);
    CHECK(static_cast<double>(got) == bf16(v));
  }
}

TEST_CASE("a tile is what the plain loops compute, and writes nothing beside itself", "[bf16]") {
  constexpr int64_t rows = Bf16Kernels::rows, columns = Bf16Kernels::columns, ldc = columns + 3;
  Random random(seed, 2);
  const auto all = all_bf16_kernels();
  for (int trial = 0; trial < 60; ++trial) {
    const auto pairs = static_cast<int64_t>(random.below(70)), height = 1 + static_cast<int64_t>(random.below(rows)),
               span = 1 + static_cast<int64_t>(random.below(columns));
    const bool add = random.below(2);
    std::vector<uint32_t> a(static_cast<size_t>(pairs * rows) + 1), b(static_cast<size_t>(pairs * columns) + 1);
    all[0]->pack(noise(rows * 2 * pairs, random).data(), 2 * pairs, 1, rows, 2 * pairs, rows, pairs, a.data());
    all[0]->pack(noise(columns * 2 * pairs, random).data(), 2 * pairs, 1, columns, 2 * pairs, columns, pairs, b.data());
    const std::vector<float> before = noise(rows * ldc, random);
    std::vector<float> want = before;
    all[0]->tile(pairs, a.data(), b.data(), add, want.data(), ldc, height, span);
    for (const Bf16Kernels* kernels : all.subspan(1)) {
      std::vector<float> got = before;
      kernels->tile(pairs, a.data(), b.data(), add, got.data(), ldc, height, span);
      CAPTURE(seed, trial, kernels->isa, pairs, height, span, add);
      for (int64_t i = 0; i < rows * ldc; ++i) {
        const auto n = static_cast<size_t>(i);
        if (i / ldc < height && i % ldc < span)
          REQUIRE(std::abs(got[n] - want[n]) <= 2e-6f * static_cast<float>(10 + pairs));
        else
          REQUIRE(got[n] == before[n]);
      }
    }
  }
}

TEST_CASE("bf16 is refused with the reason where the CPU has none, and info says which it is", "[bf16]") {
  const Scratch dir;
  CHECK(has(run_seqgrad(dir, "info").out, "precision: bf16") == (bf16_kernels() != nullptr));
  if (bf16_kernels()) return;
  CHECK(run_seqgrad(dir, "bench step --precision bf16").code == 3);
  CHECK_THROWS_WITH(set_matmul_precision(MatmulPrecision::bf16), Catch::Contains("no bfloat16 arithmetic"));
  set_matmul_precision(MatmulPrecision::bf16, Device::cuda);  // which says nothing of the CPU
  std::vector<float> x(256 * 256, 1), y(256 * 256);
  const Matrix square{x.data(), 256, 256};
  CHECK_THROWS_WITH(kernels::gemm<float>(Device::cpu, {square, square, Matrix{y.data(), 256, 256}, false}),
                    Catch::Contains("no bfloat16 arithmetic"));
  set_matmul_precision(MatmulPrecision::fp32);
  CHECK(Tape::current().matmul_precision() == MatmulPrecision::fp32);
}

TEST_CASE("a bf16 product sums rounded factors in float32, with the same bits on any thread count", "[bf16]") {
  if (!bf16_kernels()) return;
  const InBf16 guard;
  Random random(seed, 3);
  for (int trial = 0; trial < 60; ++trial) {
    const auto dim = [&](uint64_t top) { return static_cast<int64_t>(random.below(top)); };
    const bool ta = random.below(2), tb = random.below(2);
    const int64_t m = dim(300), n = trial % 5 == 0 ? 1000 + dim(200) : dim(70),
                  k = trial % 7 == 0   ? dim(3)
                      : trial % 6 == 0 ? 2100
                                       : dim(300);
    const int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    const auto beta = static_cast<float>(random.below(2));
    CAPTURE(seed, trial, ta, tb, m, n, k, beta);
    const auto a = noise((ta ? k : m) * lda + 1, random), b = noise((tb ? n : k) * ldb + 1, random),
               c0 = noise(m * ldc + 1, random);
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 4}) {
      set_threads(threads);
      auto c = c0;
      const Matrix left = ta ? Matrix{a.data(), k, m, lda}.t() : Matrix{a.data(), m, k, lda},
                   right = tb ? Matrix{b.data(), n, k, ldb}.t() : Matrix{b.data(), k, n, ldb};
      Tape::current().reset();
      const PackedMatrix<float> packed = pack(Device::cpu, right);
      kernels::gemm<float>(Device::cpu, {left, packed, Matrix{c.data(), m, n, ldc}, beta == 1});
      if (threads == 1) first = c;
      REQUIRE(c == first);
      c = c0;
      cpu_gemm(left, packed, Matrix{c.data(), m, n, ldc}, beta == 1);
      REQUIRE(c == first);
      c = c0;
      kernels::gemm<float>(Device::cpu, {left, right, Matrix{c.data(), m, n, ldc}, beta == 1});
      if (m >= 128) REQUIRE(c == first);
    }
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = n; j < ldc; ++j)
        REQUIRE(first[static_cast<size_t>(i * ldc + j)] == c0[static_cast<size_t>(i * ldc + j)]);
    for (int probe = 0; probe < 300 && m > 0 && n > 0; ++probe) {
      const int64_t i = dim(static_cast<uint64_t>(m)), j = dim(static_cast<uint64_t>(n));
      const auto at = static_cast<size_t>(i * ldc + j);
      double want = static_cast<double>(beta) * static_cast<double>(c0[at]), size = std::abs(want);
      for (int64_t p = 0; p < k; ++p) {
        const double term = bf16(a[static_cast<size_t>(ta ? p * lda + i : i * lda + p)]) *
                            bf16(b[static_cast<size_t>(tb ? j * ldb + p : p * ldb + j)]);
        want += term;
        size += std::abs(term);
      }
      REQUIRE(std::abs(want - static_cast<double>(first[at])) <= 1e-6 * size);
    }
  }
}

TEST_CASE("a bf16 product of few rows, whose factor is not packed, is float32", "[bf16]") {
  if (!bf16_kernels()) return;
  Random random(seed, 4);
  for (const int64_t m : {1, 127, 128}) {
    const auto a = noise(m * 20, random), b = noise(20 * 30, random);
    const auto product = [&] {
      std::vector<float> c(static_cast<size_t>(m * 30));
      kernels::gemm<float>(Device::cpu,
                           {Matrix{a.data(), m, 20}, Matrix{b.data(), 20, 30}, Matrix{c.data(), m, 30}, false});
      return c;
    };
    const auto want = product();
    const InBf16 guard;
    CHECK((product() == want) == (m < 128));
  }
}

TEST_CASE("training in bf16 follows float32, keeps float32 weights, and gives the same bits on 1 to 4 threads",
          "[bf16]") {
  if (!bf16_kernels()) return;
  for (const char* attention : {"none", "general", "additive"}) {
    const auto [single_digest, single_loss] = train(attention, 1);
    const InBf16 guard;
    const auto [digest, loss] = train(attention, 1);
    CHECK(digest != single_digest);
    CHECK(std::abs(loss - single_loss) <= 2e-3 * single_loss);
    for (const int threads : {2, 3, 4}) CHECK(train(attention, threads).first == digest);
  }
}
