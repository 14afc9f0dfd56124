// Random batches for the promises: float32, every source and option, poison in every dead cell.
#pragma once
#include <cstring>

#include "engine/core/random.h"
#include "tests/loss_helpers.h"

namespace seqgrad::testing {

// A random batch with poison in every dead cell.
struct RandomCase {
  LossInputs in;
  LossOptions options;
  std::vector<float> logits, hidden, weight, bias;
  int64_t width = 5;

  RandomCase(uint64_t seed, bool poison) {
    Random r(seed, 0), p(seed, 1);
    in.batch = 1 + static_cast<int64_t>(r.below(5));
    in.steps = 1 + static_cast<int64_t>(r.below(7));
    in.classes = 2 + static_cast<int64_t>(r.below(150));
    const auto cells = static_cast<size_t>(in.batch * in.steps);
    in.lengths.emplace();
    for (int64_t b = 0; b < in.batch; ++b)
      in.lengths->push_back(static_cast<int64_t>(r.below(static_cast<uint64_t>(in.steps) + 1)));
    in.mask.emplace();
    in.token_weight.emplace();
    for (size_t n = 0; n < cells; ++n) {
      in.targets.push_back(static_cast<int64_t>(r.below(static_cast<uint64_t>(in.classes))));
      in.mask->push_back(r.below(5) > 0);
      in.token_weight->push_back(r.below(6) == 0 ? 0.0 : r.uniform() + 0.1);
    }
    static const char* names[] = {"active", "one", "batch", "nonzero", "weight"};
    options.divide.flat = names[r.below(5)];
    if (r.below(4) == 0) options.divide = {"", "active", "active_batch", 0};
    if (r.below(3) == 0) options.smoothing = 0.1;
    if (r.below(4) == 0) options.smoothing_kind = SmoothingKind::others;
    if (r.below(4) == 0) options.softcap = 3.0;
    if (r.below(4) == 0) options.z_loss = 0.01;
    for (size_t i = 0; i < cells * static_cast<size_t>(in.classes); ++i)
      logits.push_back(static_cast<float>(r.normal() * 2));
    for (size_t i = 0; i < cells * static_cast<size_t>(width); ++i) hidden.push_back(static_cast<float>(r.normal()));
    for (int64_t i = 0; i < in.classes * width; ++i) weight.push_back(static_cast<float>(r.normal()));
    for (int64_t i = 0; i < in.classes; ++i) bias.push_back(static_cast<float>(r.normal()));
    if (!poison) return;
    for (int64_t b = 0; b < in.batch; ++b)
      for (int64_t t = 0; t < in.steps; ++t) {
        const auto n = static_cast<size_t>(b * in.steps + t);
        const bool active = t < (*in.lengths)[static_cast<size_t>(b)] && (*in.mask)[n];
        if (active && (*in.token_weight)[n] != 0) continue;
        static const float bad[] = {std::numeric_limits<float>::quiet_NaN(), INFINITY, -INFINITY, 1e38f};
        in.targets[n] = 1000000000;
        if (!active) (*in.token_weight)[n] = NaN;
        for (int64_t v = 0; v < in.classes; ++v)
          logits[n * static_cast<size_t>(in.classes) + static_cast<size_t>(v)] = bad[p.below(4)];
        for (int64_t d = 0; d < width; ++d)
          hidden[n * static_cast<size_t>(width) + static_cast<size_t>(d)] = bad[p.below(4)];
      }
  }
};

using Bits = std::vector<std::vector<uint32_t>>;

inline std::vector<uint32_t> bits(const Tensor& t) {
  const auto v = to_host<float>(t);
  std::vector<uint32_t> b(v.size());
  std::memcpy(b.data(), v.data(), v.size() * 4);
  return b;
}

// Value and gradients of both forms, as bits.
inline Bits everything(const RandomCase& c) {
  Tape& tape = Tape::current();
  tape.reset();
  const LiveRows rows = build_live_rows(c.in, c.options);
  const Tensor z = variable(from_host(c.logits, {c.in.batch, c.in.steps, c.in.classes}));
  const LossResult a = sequence_loss(z, c.in, rows, c.options);
  tape.backward(a.value);
  Bits out{bits(a.value), bits(grad(z))};
  const Tensor h = variable(from_host(c.hidden, {c.in.batch, c.in.steps, c.width})),
               w = variable(from_host(c.weight, {c.in.classes, c.width})),
               bias = variable(from_host(c.bias, {c.in.classes}));
  const LossResult f = linear_sequence_loss(h, w, bias, c.in, rows, c.options, rows.divisor);
  tape.backward(f.value);
  for (const Tensor& t : {f.value}) out.push_back(bits(t));
  for (const Tensor& t : {h, w, bias}) out.push_back(bits(grad(t)));
  return out;
}

}  // namespace seqgrad::testing
