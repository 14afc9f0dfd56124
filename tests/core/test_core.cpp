// The floor that everything stands on: arena, tape, random numbers, thread pool, GEMM.
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

#include "engine/core/phases.h"
#include "engine/core/random.h"
#include "engine/core/scratch.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/device/gemm.h"
#include "tests/support/catch.h"
#include "tests/support/timing.h"

using namespace seqgrad;

namespace {

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// y = a·x with a known gradient, the smallest thing that can be recorded.
Tensor scaled(const Tensor& x, double a) {
  check_alive("scaled", x, x);
  Tensor y = empty_like(x);
  for (int64_t i = 0; i < x.numel(); ++i) y.as<double>()[i] = a * x.as<double>()[i];
  Tape::current().record(y, {.inputs = {x}}, [=](const Tensor& dy) {
    for (int64_t i = 0; i < x.numel(); ++i) grad(x).as<double>()[i] += a * dy.as<double>()[i];
  });
  return y;
}

}  // namespace

TEST_CASE("philox gives the published vectors") {
  // Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) ==
        std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("an arena gives the same addresses every step and stops asking the system") {
  Tape& tape = Tape::current();
  std::vector<void*> addresses[3];
  int64_t asked[3];
  for (int step = 0; step < 3; ++step) {
    tape.reset();
    for (int i = 1; i < 50; ++i) addresses[step].push_back(empty({i, 1000}, DType::f64).data);
    asked[step] = tape.system_allocations();
  }
  CHECK(addresses[1] == addresses[2]);
  CHECK(asked[1] == asked[2]);
}

TEST_CASE("a second backward adds the same again, also through inner tensors") {
  Tape::current().reset();
  const Tensor x = variable(from_host(std::vector<double>{2.0}, {}));
  const Tensor y = scaled(scaled(x, 3), 5);
  Tape::current().backward(y);
  CHECK(*grad(x).as<double>() == 15);
  Tape::current().backward(y);
  CHECK(*grad(x).as<double>() == 30);
}

TEST_CASE("gradients begin at zero in every step") {
  for (int step = 0; step < 3; ++step) {
    Tape::current().reset();
    const Tensor x = variable(from_host(std::vector<double>{2.0}, {}));
    Tape::current().backward(scaled(x, 3));
    CHECK(*grad(x).as<double>() == 3);
  }
}

TEST_CASE("nothing is recorded without need") {
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor constant = from_host(std::vector<double>{1.0}, {});
  CHECK_FALSE(scaled(constant, 2).requires_grad());
  const Tensor x = variable(constant);
  {
    const NoGrad guard;
    CHECK_FALSE(scaled(x, 2).requires_grad());
  }
  CHECK(tape.recorded() == 0);
  CHECK(message_of([&] { tape.backward(constant); }).find("does not depend") != std::string::npos);
}

TEST_CASE("stale, consumed and undifferentiable tensors are refused") {
  Tape& tape = Tape::current();
  tape.reset();
  Tensor x = variable(from_host(std::vector<double>{1.0}, {}));
  Tensor y = empty_like(x);
  tape.record_not_differentiable(y, {x}, "argmax");
  CHECK(message_of([&] { tape.backward(y); }) == "argmax: not differentiable");
  x.slot->consumed = true;
  CHECK(message_of([&] { scaled(x, 1); }).find("overwrote it in place") != std::string::npos);
  const Tensor old = empty({2}, DType::f64);
  tape.reset();
  CHECK(message_of([&] { scaled(old, 1); }).find("earlier step") != std::string::npos);
}

TEST_CASE("decoding gives its memory back") {
  Tape::current().reset();
  const NoGrad guard;
  const Arena& arena = Tape::current().values(Device::cpu);
  const size_t before = arena.used();
  for (int i = 0; i < 3; ++i) {
    const ArenaMark mark(Device::cpu);
    empty({100, 100}, DType::f64);
  }
  CHECK(arena.used() == before);
}

TEST_CASE("every block runs once on any number of threads, and exceptions come back") {
  for (const int n : {1, 2, 3, 7}) {
    set_threads(n);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> ran(37);
      parallel_blocks(37, [&](int64_t i) { ran[static_cast<size_t>(i)]++; });
      for (const auto& r : ran) REQUIRE(r == 1);
    }
    std::atomic<int64_t> sum{0};
    parallel_ranges(1000, 64, [&](int64_t begin, int64_t end) {
      parallel_ranges(end - begin, 8, [&](int64_t b, int64_t e) { sum += e - b; });
    });
    CHECK(sum == 1000);
    CHECK(message_of([] {
            parallel_blocks(9, [](int64_t i) {
              if (i == 5) refuse("block five");
            });
          }) == "block five");
  }
  set_threads(1);
}

TEST_CASE("phases take turns, and the way back has the names of the way there") {
  CHECK(Tape::current().phases().stop().empty());
  Tape::current().phases().start();
  Tape& tape = Tape::current();
  tape.reset();
  Tensor y;
  {
    const Phase outer("outer");
    const Tensor x = variable(from_host(std::vector<double>{2.0}, {1}));
    {
      const Phase inner("inner");
      CHECK(std::string(Tape::current().phases().name()) == "inner");
      y = scaled(x, 3);
    }
    CHECK(std::string(Tape::current().phases().name()) == "outer");
    y = scaled(y, 5);
  }
  tape.backward(y);
  std::vector<std::string> names;
  for (const auto& [name, seconds] : Tape::current().phases().stop()) {
    names.push_back(name);
    CHECK(seconds >= 0);
  }
  CHECK(names == std::vector<std::string>{"", "outer", "inner", "outer backward", "inner backward"});
  CHECK(Tape::current().phases().stop().empty());
}

// Runs of empty blocks on far more threads than there are cores, as on a busy machine: most workers have no core when a
// run begins. They must cost next to nothing: waiting for each of them in every run takes 10 s on 2 cores.
TEST_CASE("scratch of a thread is given back in turn, and is the same memory again") {
  char* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    Scratch outer;
    char* const mine = outer.take<char>(100);
    std::fill_n(mine, 100, 'x');
    {
      Scratch inner;
      char* const more = inner.take<char>(int64_t{3} << 20);  // more than a block
      std::fill_n(more, int64_t{3} << 20, 'y');
      CHECK((more + (int64_t{3} << 20) <= mine || more >= mine + 100));
    }
    CHECK(std::all_of(mine, mine + 100, [](char c) { return c == 'x'; }));
    if (i == 1) first = mine;  // once there is one block for all
    if (i == 2) CHECK(mine == first);
  }
  char* elsewhere = nullptr;
  Scratch here;
  char* const mine = here.take<char>(1);
  std::thread([&] { elsewhere = Scratch().take<char>(1); }).join();
  CHECK(elsewhere != mine);
}

TEST_CASE("nobody waits for a worker that took no block", "[timing]") {
  set_threads(200);
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> ran{0};
  for (int round = 0; round < 2000; ++round) parallel_blocks(8, [&](int64_t) { ++ran; });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  set_threads(1);
  CHECK(ran == 16000);
  CHECK_SECONDS(seconds, 4);
}

TEMPLATE_TEST_CASE("gemm agrees with the definition and with itself on any thread count", "", float, double) {
  using T = TestType;
  Random random(11, 0);
  for (int trial = 0; trial < 60; ++trial) {
    const auto dim = [&](uint64_t top) { return static_cast<int64_t>(random.below(top)); };
    const bool ta = random.below(2), tb = random.below(2);
    const int64_t m = dim(300), n = dim(40), k = trial % 7 == 0 ? 0 : dim(300);
    const int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    const T beta = static_cast<T>(random.below(2));
    CAPTURE(trial, ta, tb, m, n, k, beta);
    const auto fill = [&](int64_t count) {
      std::vector<T> v(static_cast<size_t>(count) + 1);
      for (T& x : v) x = static_cast<T>(random.uniform() - 0.5);
      return v;
    };
    const auto a = fill((ta ? k : m) * lda), b = fill((tb ? n : k) * ldb), c0 = fill(m * ldc);
    std::vector<T> first;
    for (const int threads : {1, 3}) {
      set_threads(threads);
      auto c = c0;
      const Matrix<const T> left = ta ? Matrix{a.data(), k, m, lda}.t() : Matrix{a.data(), m, k, lda},
                            right = tb ? Matrix{b.data(), n, k, ldb}.t() : Matrix{b.data(), k, n, ldb};
      kernels::gemm<T>(Device::cpu, {left, right, Matrix{c.data(), m, n, ldc}, beta == 1});
      if (threads == 1) first = c;
      REQUIRE(c == first);
    }
    set_threads(1);
    double worst = 0;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < ldc; ++j) {
        double want = static_cast<double>(c0[static_cast<size_t>(i * ldc + j)]);
        if (j < n) {
          want *= static_cast<double>(beta);
          for (int64_t p = 0; p < k; ++p)
            want += static_cast<double>(a[static_cast<size_t>(ta ? p * lda + i : i * lda + p)]) *
                    static_cast<double>(b[static_cast<size_t>(tb ? j * ldb + p : p * ldb + j)]);
        }
        worst = std::max(worst, std::abs(want - static_cast<double>(first[static_cast<size_t>(i * ldc + j)])));
      }
    REQUIRE(worst <= (sizeof(T) == 4 ? 1e-5 : 1e-13));
  }
}
