// The fixture that tells reductions apart (engine/loss/README.md, Reduction), with poison wherever nothing may look.
#pragma once
#include <map>

#include "tests/support/loss_helpers.h"

namespace seqgrad::testing {

// The fixture: B=3, T=6, lengths [3,2,0], row losses [[1,2,3],[4,5],[]], poison everywhere else.
struct Fixture {
  LossInputs in;
  std::vector<double> logits;

  static const std::map<int, double>& losses() {  // of cells b·6 + t
    static const std::map<int, double> by_cell = {{0, 1}, {1, 2}, {2, 3}, {6, 4}, {7, 5}};
    return by_cell;
  }

  explicit Fixture(bool weighted, bool mask_as_weights = false) {
    in.batch = 3, in.steps = 6, in.classes = 2;
    in.targets.assign(18, 7);
    logits.assign(36, NaN);
    std::vector<double> w(18, 7.0);
    const std::map<int, double> weights = {{0, 1}, {1, 1}, {2, .5}, {6, 2}, {7, 0}};
    for (const auto& [n, loss] : losses()) {
      const auto i = static_cast<size_t>(n);
      in.targets[i] = 0;
      logits[2 * i] = 0;
      logits[2 * i + 1] = std::log(std::expm1(loss));
      w[i] = weighted ? weights.at(n) : 1.0;
    }
    if (mask_as_weights) {
      for (size_t i = 0; i < 18; ++i)
        if (!losses().count(static_cast<int>(i))) w[i] = 0;
    } else {
      in.lengths = {3, 2, 0};
    }
    if (weighted || mask_as_weights) in.token_weight = w;
  }

  LossResult run(const LossOptions& o) {
    Tape::current().reset();
    LossInputs now = in;
    std::vector<double> x = logits;
    if (o.input == Input::probs)
      for (size_t i = 0; i < 18; ++i) x[2 * i] = 1 / (1 + std::exp(logits[2 * i + 1])), x[2 * i + 1] = 1 - x[2 * i];
    if (o.target == Target::dense) {
      now.targets.clear();
      for (const int64_t y : in.targets) now.dense.insert(now.dense.end(), {y == 0 ? 1 : NaN, y == 0 ? 0 : NaN});
    }
    return sequence_loss(variable(from_host(x, {3, 6, 2})), now, build_live_rows(now, o), o);
  }
};

}  // namespace seqgrad::testing
