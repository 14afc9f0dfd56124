// The benchmarks of a GPU, by the emulator: that they run, and count what they say.
#include "apps/bench/bench.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

BenchOptions small() {
  BenchOptions o;
  o.device = "cuda";
  o.steps = 2;
  o.warmup = 1;
  o.rows = 40;
  o.vocab = 96;
  o.axes = {"E=4", "H=4", "V=20", "B=3", "T=3"};
  return o;
}

}  // namespace

TEST_CASE("bench loss on a GPU counts the bytes and products of rows that count") {
  BenchOptions o = small();
  o.masked = 0.5;
  const auto kernel = benchmarks().at("loss").run(o);
  const int64_t rows = kernel["bytes"].get<int64_t>() / (2 * 4 * o.vocab);
  CHECK(kernel["bytes"] == 2.0 * 4 * static_cast<double>(rows * o.vocab));
  CHECK(rows > 0);
  CHECK(rows < o.rows);
  CHECK(kernel["share_of_copy"].get<double>() > 0);
  CHECK(kernel["total_ms"]["n"] == 2);
  o.class_weights = true;
  o.smoothing = "prior";
  o.target = "dense";
  CHECK(benchmarks().at("loss").run(o)["total_ms"]["n"] == 2);
  o.hidden = 8;
  o.precision = "tf32";
  const auto fused = benchmarks().at("loss").run(o);
  CHECK(fused["gflop"].get<double>() == Approx(6e-9 * static_cast<double>(rows * o.vocab * o.hidden)));
  CHECK(fused["extra_bytes"].get<int64_t>() > 0);
  o.precision = "fp16";
  CHECK_THROWS_WITH(benchmarks().at("loss").run(o), "bench loss: --precision: expected fp32, tf32 or bf16, got 'fp16'");
  o.precision = "fp32";
  o.masked = 1;
  CHECK_THROWS_WITH(benchmarks().at("loss").run(o), "bench loss: --masked 1 leaves no row that counts");
}

TEST_CASE("an option of bench loss is known to it") {
  const Scratch dir;
  for (const char* option : {"--precision tf32", "--device cuda", "--hidden 4", "--masked 0.5", "--target dense",
                             "--smoothing prior", "--class-weights"}) {
    const auto said = run_seqgrad(dir, std::string("bench loss --rows 4 --vocab 8 ") + option);
    CAPTURE(option, said.err);
    CHECK(said.err.find("belongs to") == std::string::npos);
  }
}

TEST_CASE("bench step on a GPU makes steps that the host does not wait for") {
  const auto step = benchmarks().at("step").run(small());
  CHECK(step["ms_per_step"]["n"] == 2);
  CHECK(step["graph_nodes"].get<int64_t>() > 20);
  CHECK(step["host_ms_per_step"]["n"] == 2);
  CHECK(step["allocations_in_counted_steps"] == 0);
  CHECK(std::isfinite(step["loss"].get<double>()));
}
