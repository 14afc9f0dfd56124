// Forward and backward are the same kernel: the masked input.
#include "engine/ops/dropout.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/write_grads.h"

namespace seqgrad {
namespace {

// The draws of `lanes` neighbouring groups side by side, each as dropout_words() has it: philox() in lanes, so that
// compilers make vectors of it. `first` is the counter and key of the first group.
constexpr int64_t lanes = 16;
SEQGRAD_SIMD void draw_many(const DropoutCounter& first, uint32_t* out /*[lanes,4]*/) {
  uint32_t c[4][lanes];
  for (int64_t i = 0; i < lanes; ++i) {
    for (size_t j = 0; j < 3; ++j) c[j][i] = first.counter[j];
    c[3][i] = first.counter[3] + static_cast<uint32_t>(i);
  }
  uint32_t k0 = first.key[0], k1 = first.key[1];
  for (int round = 0; round < 10; ++round) {
    for (int64_t i = 0; i < lanes; ++i) {
      const uint64_t a = uint64_t{0xD2511F53} * c[0][i], b = uint64_t{0xCD9E8D57} * c[2][i];
      c[0][i] = static_cast<uint32_t>(b >> 32) ^ c[1][i] ^ k0;
      c[1][i] = static_cast<uint32_t>(b);
      c[2][i] = static_cast<uint32_t>(a >> 32) ^ c[3][i] ^ k1;
      c[3][i] = static_cast<uint32_t>(a);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  for (int64_t i = 0; i < lanes; ++i)
    for (int64_t j = 0; j < 4; ++j) out[4 * i + j] = c[j][i];
}

template <class T>
SEQGRAD_SIMD void mask(const uint32_t* draws, uint32_t below, T keep, const T* x, T* y, int64_t n) {
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < n; ++i) y[i] = draws[i] >= below ? T{0} + x[i] * keep : T{0};
}

template <class T>
void dropout_cpu(const kernels::Dropout<T>& k) {
  const uint32_t below = dropout_threshold(k.rate);
  const T keep = static_cast<T>(1 / (1 - k.rate));
  parallel_blocks(k.batch, [&](int64_t b) {
    uint32_t draws[4 * lanes];
    for (int64_t t = 0; t < k.steps; ++t) {
      const int64_t at = (b * k.steps + t) * k.width;
      for (int64_t u = 0; u < k.width; u += 4 * lanes) {
        draw_many(dropout_counter(*k.draw, k.site, b, k.variational ? 0 : t, u / 4), draws);
        mask(draws, below, keep, k.x + at + u, k.y + at + u, std::min(4 * lanes, k.width - u));
      }
    }
  });
}

const bool registered = install<Device::cpu>(kernels::dropout<float>, dropout_cpu<float>) &&
                        install<Device::cpu>(kernels::dropout<double>, dropout_cpu<double>) &&
                        register_op({"dropout", "inverted dropout"});

}  // namespace

Tensor dropout(const Tensor& x, double rate, const DropoutDraw* draw, DropoutSite site, bool variational) {
  expect("dropout", {{"x", x, "[...]"}});
  const int rank = x.shape.rank();
  if (rank != 2 && rank != 3) refuse("dropout: x is {}; expected [B,E] or [B,T,E]", x.shape.str());
  if (!(rate >= 0 && rate < 1)) refuse("dropout: the rate must lie in [0,1), got {}", rate);
  if (rate == 0) return x;
  if (variational) site.first_step = 0;
  Tensor y = empty_like(x);
  const auto mask = [=]<class T>(const T* from, T* to) {
    kernels::dropout<T>(x.device,
                        {from, to, x.shape[0], rank == 3 ? x.shape[1] : 1, x.shape[-1], rate, draw, site, variational});
  };
  dispatch(x.dtype, [&]<class T> { mask(x.as<T>(), y.as<T>()); });
  Tape::current().record(y, {.inputs = {x}}, [=](const Tensor& dy) {
    dispatch(x.dtype, [&]<class T> { write_grads<T>({x}, [&](T* dx) { mask(dy.as<T>(), dx); }); });
  });
  return y;
}

Tensor dropout(const Tensor& x, double rate, DropoutDraw draw, DropoutSite site, bool variational) {
  return dropout(x, rate, to_device(std::span<const DropoutDraw>(&draw, 1), x.device), site, variational);
}

}  // namespace seqgrad
