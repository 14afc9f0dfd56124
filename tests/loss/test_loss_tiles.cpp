// The fused loss over several tiles in float32: when parameters get their gradients, and that tiles leave no trace.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/core/random.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// A fused loss in float32 over several tiles, the last of them lower than the others.
struct WideLoss {
  int64_t rows = 450, classes = 2100, width = 40;
  LossInputs in;
  std::vector<float> hidden, weight, bias;

  WideLoss() {
    Random random(7, 0);
    in.batch = rows;
    in.steps = 1;
    in.classes = classes;
    for (int64_t i = 0; i < rows; ++i)
      in.targets.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(classes))));
    const auto fill = [&](std::vector<float>& v, int64_t n) {
      for (int64_t i = 0; i < n; ++i) v.push_back(static_cast<float>(random.normal()));
    };
    fill(hidden, rows * width);
    fill(weight, classes * width);
    fill(bias, classes);
  }

  struct Out {
    std::vector<double> row_loss;
    std::vector<float> dh, dw, db;
  };
  Out run(ParameterGradients when, float before = 0, float upstream = 1, int backwards = 1) const {
    Tape& tape = Tape::current();
    tape.reset();
    const Tensor h = variable(from_host(hidden, {rows, 1, width})), w = variable(from_host(weight, {classes, width})),
                 b = variable(from_host(bias, {classes}));
    for (const Tensor& x : {w, b}) std::fill_n(grad(x).as<float>(), x.numel(), before);
    const LossOptions options;
    const LiveRows live = build_live_rows(in, options);
    const LossResult r = linear_sequence_loss(h, w, b, in, live, options, live.divisor, when);
    for (int i = 0; i < backwards; ++i) tape.backward(r.value, from_host(std::vector<float>{upstream}, {}));
    return {r.row_loss, to_host<float>(grad(h)), to_host<float>(grad(w)), to_host<float>(grad(b))};
  }
};

}  // namespace

TEST_CASE("parameter gradients formed in forward are those of backward, and are added") {
  const WideLoss loss;
  const auto later = loss.run(ParameterGradients::in_backward), now = loss.run(ParameterGradients::now);
  CHECK(now.row_loss == later.row_loss);
  CHECK(now.dh == later.dh);
  CHECK(now.dw == later.dw);
  CHECK(now.db == later.db);
  const auto added = loss.run(ParameterGradients::now, 0.5f);
  bool good = true;
  for (size_t i = 0; i < added.dw.size(); ++i) good &= std::abs(added.dw[i] - 0.5f - now.dw[i]) < 1e-6f;
  for (size_t i = 0; i < added.db.size(); ++i) good &= std::abs(added.db[i] - 0.5f - now.db[i]) < 1e-6f;
  CHECK(good);
  const char* refusal = "linear_sequence_loss: its parameters have their gradients already";
  CHECK(message_of([&] { loss.run(ParameterGradients::now, 0, 2); }).find(refusal) == 0);
  CHECK(message_of([&] { loss.run(ParameterGradients::now, 0, 1, 2); }).find(refusal) == 0);
}

TEST_CASE("a row of a fused loss keeps its bits in whatever tile it lies") {
  const WideLoss loss;
  WideLoss turned = loss;  // the same rows, last first
  for (int64_t i = 0; i < loss.rows; ++i) {
    const int64_t j = loss.rows - 1 - i;
    turned.in.targets[static_cast<size_t>(j)] = loss.in.targets[static_cast<size_t>(i)];
    std::copy_n(loss.hidden.begin() + i * loss.width, loss.width, turned.hidden.begin() + j * loss.width);
  }
  const auto a = loss.run(ParameterGradients::now), b = turned.run(ParameterGradients::now);
  bool same = true;
  for (int64_t i = 0; i < loss.rows; ++i) {
    const int64_t j = loss.rows - 1 - i;
    same &= a.row_loss[static_cast<size_t>(i)] == b.row_loss[static_cast<size_t>(j)];
    same &=
        std::equal(a.dh.begin() + i * loss.width, a.dh.begin() + (i + 1) * loss.width, b.dh.begin() + j * loss.width);
  }
  CHECK(same);
}
