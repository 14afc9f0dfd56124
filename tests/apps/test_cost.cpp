// The formulas that benchmarks are held against, at sizes whose cost is known.
#include "apps/bench/cost.h"
#include "tests/support/catch.h"

using namespace seqgrad;

TEST_CASE("the arithmetic of the reference models is that of their table") {
  struct Row {
    const char *model, *attention;
    double words, gflop;
  };
  // Real words: lengths uniform from 2T/3 to T, one of length T.
  for (const auto& [name, attention, words, gflop] :
       {Row{"small", "none", 402.5, 0.67}, Row{"small", "general", 402.5, 0.81}, Row{"ref8k", "none", 1605, 62},
        Row{"ref8k", "general", 1605, 71}, Row{"ref32k", "none", 1605, 181}}) {
    INFO(name << ", " << attention);
    CHECK(step_cost(reference_model(name), attention, words, 0).gflop == Approx(gflop).epsilon(0.01));
  }
}

TEST_CASE("the cost of a step at a size that is counted by hand") {
  // E=2, h=1, D=2, V=5, B=1, T=3, two real target words.
  const ReferenceModel m{"tiny", 2, 1, 2, 5, 1, 3};
  // Encoder 3 steps x 2 directions x 3 gates x (2 + 1) = 54; bridge 2 x 2 = 4; decoder 3 x 6 x (2 + 2) = 72; words 2
  // x 10.
  CHECK(step_cost(m, "none", 2, 0).gflop == Approx(6e-9 * (54 + 4 + 72 + 20)));
  // Keys 3 x 2 x 2 = 12; scores and context 3 x 3 x (2 + 2) = 36; readout 2 x 4 x 2 = 16.
  CHECK(step_cost(m, "general", 2, 0).gflop == Approx(6e-9 * (150 + 64)));
  CHECK(step_cost(m, "dot", 2, 0).gflop == Approx(6e-9 * (150 + 52)));
  // Query 3 x 2 x 2 = 12; the cell's context 3 x 6 x 2 = 36.
  CHECK(step_cost(m, "additive", 2, 0).gflop == Approx(6e-9 * (150 + 64 + 48)));
  CHECK(step_cost(m, "none", 2, 100).update_bytes == 3200);
  CHECK(step_cost(m, "none", 2, 100).memory_bytes - step_cost(m, "none", 2, 0).memory_bytes == 1600);
}
