// What a person hears once in a run, with the first place where it is so.
#include "tests/support/loss_batch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("warnings: the zero policy, clips, divisors that count the dead; each with its first place") {
  const auto said = [](const std::function<void(Batch&)>& set) {
    Batch b;
    set(b);
    std::string all;
    const Tensor z = variable(from_host(std::vector<double>(28 * 50, .5), {4, 7, 50}));
    const LiveRows rows = build_live_rows(b.in, b.options);
    for (const LossWarning& w : rows.warnings) all += w.text + "\n";
    for (const LossWarning& w : sequence_loss(z, b.in, rows, b.options).warnings) all += w.text + "\n";
    return all;
  };
  CHECK(said([](Batch&) {}) == "");
  CHECK(said([](Batch& b) {
          b.in.lengths = {0, 0, 0, 0};
        }) == "no active target in this batch (4 examples, all lengths 0): its loss is 0 and its gradient 0\n");
  CHECK(said([](Batch& b) {
          b.in.lengths = {0, 0, 0, 0};
          b.options.on_zero = OnZero::nan;
        }) == "no active target in this batch (4 examples, all lengths 0): its loss is nan and its gradient 0\n");
  CHECK(said([](Batch& b) {
          b.in.lengths = {7, 7, 0, 7};
          b.options.over = Over::time;
        }) == "divisor `active` is 0 in example b=2: its loss is 0 and its gradient 0\n");
  const auto weights = [](Batch& b) {
    b.in.token_weight.emplace(28, 1.0);
    (*b.in.token_weight)[9] = (*b.in.token_weight)[12] = 0;
  };
  CHECK(said(weights) == "divisor `active` counts 2 positions of weight 0, the first at (b=1,t=2)\n");
  CHECK(said([&](Batch& b) {
          weights(b);
          b.options.divide.flat = "positions";
        }) ==
        "divisor `positions` counts 2 of 28 positions that are masked or have weight 0, the first at (b=1,t=2)\n");
  CHECK(said([&](Batch& b) {
          b.in.lengths = {7, 7, 7, 3};
          b.options.divide = {"", "steps", "batch", 0};
        }) ==
        "divisor `{time: steps, batch: batch}` counts 4 of 28 positions that are masked or have weight 0, the "
        "first at (b=3,t=3)\n");
  CHECK(said([](Batch& b) { b.options.divide.flat = "active_minus_batch"; }) ==
        "divisor `active_minus_batch` drops one token per sentence; kept for parity with OpenNMT-py\n");
}

TEST_CASE("a warning is given once in a run, whatever number of batches it is true of") {
  const Scratch dir;
  const std::string config = dir.write("warn.yaml", R"(
data: {task: copy, sizes: {train: 64, dev: 8, test: 8}}
model: {embedding: 8, encoder: {hidden: 8}, decoder: {hidden: 8}}
loss: {preset: mlx.mean}
train: {steps: 12, log_every: 3, validate_every: 6, batch: {size: 4}}
)");
  const Result r = run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run"));
  CAPTURE(r.out, r.err);
  REQUIRE(r.code == 0);
  const std::string all = r.out + r.err, warning = "warning: loss: divisor `positions` counts ";
  const size_t first = all.find(warning);
  REQUIRE(first != std::string::npos);
  CHECK(all.find("the first at (b=", first) != std::string::npos);
  CHECK(all.find(warning, first + 1) == std::string::npos);
}
