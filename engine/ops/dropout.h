// Inverted dropout whose mask is a function of seed, layer, step and sentence: never stored, never dependent on
// batching.
#pragma once
#include <array>

#include "engine/core/kernel.h"
#include "engine/core/random.h"
#include "engine/core/tape.h"

namespace seqgrad {

// Which masks a step draws. Sentence i of the batch is sentence first_row+i of the optimiser batch, so that
// micro-batches draw what the one big batch draws.
struct DropoutDraw {
  uint64_t seed = 0, step = 0;
  uint32_t first_row = 0;
};
// Which of them is drawn at one call: the same in every step.
struct DropoutSite {
  uint32_t layer = 0;       // one number per call in the model
  uint32_t first_step = 0;  // time step t of x is step first_step+t of its sentence
};

// x with each unit zeroed with probability `rate` and the others divided by 1-rate. x is [B,E] or [B,T,E];
// `variational` shares one mask over T (Gal and Ghahramani 2016). `draw` is in memory of x's device, and read until the
// tape's reset.
Tensor dropout(const Tensor& x, double rate, const DropoutDraw* draw, DropoutSite site, bool variational = false);
Tensor dropout(const Tensor& x, double rate, DropoutDraw draw, DropoutSite site, bool variational = false);

// The random words of units 4·group … 4·group+3 at sentence b and time t: Philox counter (step, sentence, time, group),
// key (seed, layer). A unit is dropped when its word is below dropout_threshold(rate).
struct DropoutCounter {
  std::array<uint32_t, 4> counter;
  std::array<uint32_t, 2> key;
};
SEQGRAD_HD inline DropoutCounter dropout_counter(const DropoutDraw& draw, DropoutSite site, int64_t b, int64_t t,
                                                 int64_t group) {
  const uint64_t k = draw.seed ^ (uint64_t{site.layer} << 40);
  return {{static_cast<uint32_t>(draw.step), draw.first_row + static_cast<uint32_t>(b),
           site.first_step + static_cast<uint32_t>(t),
           static_cast<uint32_t>(group) | static_cast<uint32_t>(draw.step >> 32 << 16)},
          {static_cast<uint32_t>(k), static_cast<uint32_t>(k >> 32)}};
}
SEQGRAD_HD inline std::array<uint32_t, 4> dropout_words(const DropoutDraw& draw, DropoutSite site, int64_t b, int64_t t,
                                                        int64_t group) {
  const DropoutCounter c = dropout_counter(draw, site, b, t, group);
  return philox(c.counter, c.key);
}
inline uint32_t dropout_threshold(double rate) {
  return rate < 1 - 0x1p-32 ? static_cast<uint32_t>(rate * 0x1p32) : 0xFFFFFFFF;
}

namespace kernels {
template <class T>
struct Dropout {
  const T* x;
  T* y;
  int64_t batch, steps, width;
  double rate;
  const DropoutDraw* draw;
  DropoutSite site;
  bool variational;
};  // y = mask·x
template <class T>
inline constinit Kernel<Dropout<T>> dropout{"dropout"};
}  // namespace kernels

}  // namespace seqgrad
