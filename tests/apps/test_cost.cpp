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
  const ReferenceModel m{"tiny", 2, 1, 2, 5, 1, 3, 3};
  // Encoder 3 steps x 2 directions x 3 gates x (2 + 1) = 54; bridge 2 x 2 = 4; decoder 3 x 6 x (2 + 2) = 72; words 2
  // x 10.
  CHECK(step_cost(m, "none", 2, 0).gflop == Approx(6e-9 * (54 + 4 + 72 + 20)));
  // Keys 3 x 2 x 2 = 12; scores and context 3 x 3 x (2 + 2) = 36; readout 2 x 4 x 2 = 16.
  CHECK(step_cost(m, "general", 2, 0).gflop == Approx(6e-9 * (150 + 64)));
  CHECK(step_cost(m, "dot", 2, 0).gflop == Approx(6e-9 * (150 + 52)));
  // Query 3 x 2 x 2 = 12; the cell's context 3 x 6 x 2 = 36.
  CHECK(step_cost(m, "additive", 2, 0).gflop == Approx(6e-9 * (150 + 64 + 48)));
  // A fourth step of the source: 18 of the encoder; 4 of keys, 3 x (2 + 2) of scores and context.
  const ReferenceModel longer{"longer", 2, 1, 2, 5, 1, 4, 3};
  CHECK(step_cost(longer, "none", 2, 0).gflop == Approx(6e-9 * (150 + 18)));
  CHECK(step_cost(longer, "general", 2, 0).gflop == Approx(6e-9 * (150 + 18 + 64 + 4 + 12)));
  CHECK(step_cost(m, "none", 2, 100).update_bytes == 3200);
  CHECK(step_cost(m, "none", 2, 100).memory_bytes - step_cost(m, "none", 2, 0).memory_bytes == 1600);
}

TEST_CASE("the cost of a translation at a size that is counted by hand") {
  DecodeSizes z{.embedding = 2,
                .encoder_hidden = 1,
                .directions = 2,
                .encoder_layers = 1,
                .decoder_hidden = 2,
                .decoder_layers = 1,
                .readout = 3,
                .vocabulary = 5,
                .attention = "none",
                .input_feeding = false};
  // Source 3 words x 2 directions x 3 gates x (2 + 1) = 54; bridge 2 x 2 = 4; each of 2 words 6 x (2 + 2) + 2 x 5 = 34,
  // where the readout is as wide as the state.
  z.readout = 2;
  CHECK(decode_gflop(z, 3, 2, 1) == Approx(2e-9 * (54 + 4 + 68)));
  CHECK(decode_gflop(z, 3, 2, 5) == Approx(2e-9 * (54 + 4 + 5 * 68)));
  // Scores and context 3 x (2 + 2) = 12 a word; readout (2 + 2) x 3 = 12, and 5 more products a word of its width.
  z.readout = 3, z.attention = "dot";
  CHECK(decode_gflop(z, 3, 2, 1) == Approx(2e-9 * (54 + 4 + 2 * (24 + 15 + 12 + 12))));
  z.attention = "general";  // keys 3 x 2 x 2
  CHECK(decode_gflop(z, 3, 2, 1) == Approx(2e-9 * (54 + 12 + 4 + 2 * (24 + 15 + 12 + 12))));
  z.input_feeding = true;  // the readout of 3 joins the input of 6 gates
  CHECK(decode_gflop(z, 3, 2, 1) == Approx(2e-9 * (54 + 12 + 4 + 2 * (24 + 18 + 15 + 12 + 12))));
  z.input_feeding = false, z.attention = "additive";  // the context of 2 does, and a query 2 x 2
  CHECK(decode_gflop(z, 3, 2, 1) == Approx(2e-9 * (54 + 12 + 4 + 2 * (24 + 12 + 15 + 12 + 12 + 4))));
  z.attention = "none", z.readout = 2, z.encoder_layers = 2, z.decoder_layers = 2;
  CHECK(decode_gflop(z, 3, 2, 1) == Approx(2e-9 * (54 + 3 * 2 * 3 * (2 + 1) + 4 + 2 * (34 + 24))));
}
