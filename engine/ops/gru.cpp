// Sentences are independent in the recurrence, so a thread takes a fixed block of them through all time steps.
#include "engine/ops/gru.h"

#include <algorithm>
#include <vector>

#include "engine/core/op_registry.h"
#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/device/right_factor.h"
#include "engine/ops/matmul.h"
#include "engine/ops/vector_math.h"
#include "engine/ops/weight_gradient.h"

namespace seqgrad {
namespace {

// Sentences a thread takes at once: a function of the layer's size alone. Larger layers need taller blocks to amortise
// reading W.
int64_t block_of(int64_t hidden) { return hidden <= 128 ? 16 : 32; }

template <class T>
SEQGRAD_SIMD void cell(const T* gx, const T* gh, const T* bias, const T* h, T* next, T* r_out, T* z_out, T* n_out,
                       T* q_out, int64_t hidden) {
#pragma GCC ivdep
  for (int64_t i = 0; i < hidden; ++i) {
    const T r = fast_sigmoid(gx[i] + gh[i] + bias[i]);
    const T z = fast_sigmoid(gx[hidden + i] + gh[hidden + i] + bias[hidden + i]);
    const T q = gh[2 * hidden + i] + bias[2 * hidden + i];
    const T n = fast_tanh(gx[2 * hidden + i] + r * q);
    next[i] = (1 - z) * n + z * h[i];
    r_out[i] = r;
    z_out[i] = z;
    n_out[i] = n;
    q_out[i] = q;
  }
}

template <class T>
SEQGRAD_SIMD void cell_grad(const T* r, const T* z, const T* n, const T* q, const T* before, T* dh, const T* dy, T* dgx,
                            T* dgh, int64_t hidden) {
#pragma GCC ivdep
  for (int64_t i = 0; i < hidden; ++i) {
    const T d = dh[i] + dy[i];
    const T dn = d * (1 - z[i]) * (1 - n[i] * n[i]);
    const T dz = d * (before[i] - n[i]) * z[i] * (1 - z[i]);
    const T dr = dn * q[i] * r[i] * (1 - r[i]);
    dgx[i] += dr;
    dgx[hidden + i] += dz;
    dgx[2 * hidden + i] += dn;
    dgh[i] = dr;
    dgh[hidden + i] = dz;
    dgh[2 * hidden + i] = dn * r[i];
    dh[i] = d * z[i];
  }
}

// Steps that any sentence of the block still has.
int64_t longest(const int32_t* lengths, int64_t begin, int64_t end) {
  return *std::max_element(lengths + begin, lengths + end);
}

template <class T>
void gru_cpu(const kernels::Gru<T>& k) {
  const int64_t h = k.hidden;
  const RightFactor<T> w(false, h, 3 * h, k.w, 3 * h, k.steps);
  parallel_ranges(k.batch, block_of(h), [&](int64_t begin, int64_t end) {
    const int64_t rows = end - begin, steps = longest(k.lengths, begin, end);
    thread_local std::vector<T> memory;  // state [rows,H], products [rows,3H], discarded gates [4,H]
    memory.resize(static_cast<size_t>(rows * 4 * h + 4 * h));
    T *state = memory.data(), *gh = state + rows * h, *spare = gh + rows * 3 * h;
    std::copy_n(k.h0 + begin * h, rows * h, state);
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t t = k.reverse ? steps - 1 - i : i;
      w.multiply(rows, state, h, false, gh, 3 * h);
      for (int64_t b = 0; b < rows; ++b) {
        if (t >= k.lengths[begin + b]) continue;
        const int64_t at = ((begin + b) * k.steps + t) * h, gate = k.batch * k.steps * h;
        T* s = state + b * h;
        if (k.before) std::copy_n(s, h, k.before + at);
        T* g = k.gates ? k.gates + at : spare;
        const int64_t stride = k.gates ? gate : h;
        cell(k.gx + 3 * at, gh + b * 3 * h, k.b, s, s, g, g + stride, g + 2 * stride, g + 3 * stride, h);
        std::copy_n(s, h, k.y + at);
      }
    }
  });
}

template <class T>
void gru_grad_cpu(const kernels::GruGrad<T>& k) {
  const int64_t h = k.hidden, gate = k.batch * k.steps * h;
  const RightFactor<T> w(true, 3 * h, h, k.w, 3 * h, k.steps);
  parallel_ranges(k.batch, block_of(h), [&](int64_t begin, int64_t end) {
    const int64_t rows = end - begin, steps = longest(k.lengths, begin, end);
    thread_local std::vector<T> memory;  // dh [rows,H], unwanted dgx [3H]
    memory.assign(static_cast<size_t>(rows * h + 3 * h), T{0});
    T *dh = memory.data(), *spare = dh + rows * h;
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t t = k.reverse ? i : steps - 1 - i;
      for (int64_t b = 0; b < rows; ++b) {
        if (t >= k.lengths[begin + b]) continue;
        const int64_t at = ((begin + b) * k.steps + t) * h;
        const T* g = k.gates + at;
        cell_grad(g, g + gate, g + 2 * gate, g + 3 * gate, k.before + at, dh + b * h, k.dy + at,
                  k.dgx ? k.dgx + 3 * at : spare, k.dgh + 3 * at, h);
      }
      // Rows of sentences that have ended are the zeros of the caller.
      w.multiply(rows, k.dgh + (begin * k.steps + t) * 3 * h, k.steps * 3 * h, true, dh, h);
    }
    if (k.dh0)
      for (int64_t j = 0; j < rows * h; ++j) k.dh0[begin * h + j] += dh[j];
  });
}

Values naive(const std::vector<Values>& in, int64_t batch, int64_t steps, int64_t h, bool reverse) {
  const auto at = [](const Values& v, int64_t i) { return v[static_cast<size_t>(i)]; };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  Values y(static_cast<size_t>(batch * steps * h), 0.0);
  for (int64_t b = 0; b < batch; ++b) {
    Values state;
    for (int64_t i = 0; i < h; ++i) state.push_back(at(in[3], b * h + i));
    const auto length = static_cast<int64_t>(at(in[4], b));
    for (int64_t s = 0; s < length; ++s) {
      const int64_t t = reverse ? length - 1 - s : s;
      Values gh;
      for (int64_t j = 0; j < 3 * h; ++j) {
        double sum = at(in[2], j);
        for (int64_t i = 0; i < h; ++i) sum += at(state, i) * at(in[1], i * 3 * h + j);
        gh.push_back(sum);
      }
      const int64_t x = (b * steps + t) * 3 * h;
      for (int64_t i = 0; i < h; ++i) {
        const double r = sigmoid(at(in[0], x + i) + at(gh, i)), z = sigmoid(at(in[0], x + h + i) + at(gh, h + i));
        const double n = std::tanh(at(in[0], x + 2 * h + i) + r * at(gh, 2 * h + i));
        state[static_cast<size_t>(i)] = (1 - z) * n + z * at(state, i);
        y[static_cast<size_t>((b * steps + t) * h + i)] = state[static_cast<size_t>(i)];
      }
    }
  }
  return y;
}

OpSample sample(const char* label, int64_t batch, int64_t steps, int64_t h, bool reverse) {
  return {label,
          {SampleInput::reals({batch, steps, 3 * h}), SampleInput::reals({h, 3 * h}), SampleInput::reals({3 * h}),
           SampleInput::reals({batch, h}), SampleInput::ids({batch}, steps + 1)},
          [=](std::span<const Tensor> in) { return gru(in[0], in[1], in[2], in[3], in[4], reverse); },
          [=](const std::vector<Values>& in) { return naive(in, batch, steps, h, reverse); }};
}

const bool registered = install<Device::cpu>(kernels::gru<float>, gru_cpu<float>) &&
                        install<Device::cpu>(kernels::gru<double>, gru_cpu<double>) &&
                        install<Device::cpu>(kernels::gru_grad<float>, gru_grad_cpu<float>) &&
                        install<Device::cpu>(kernels::gru_grad<double>, gru_grad_cpu<double>) &&
                        register_op({"gru",
                                     "GRU layer with true lengths",
                                     {sample("forwards", 3, 4, 2, false), sample("backwards", 3, 4, 2, true),
                                      sample("more sentences than a block", 37, 2, 3, false)}});

}  // namespace

Tensor gru(const Tensor& gx, const Tensor& w_hh, const Tensor& b_hh, const Tensor& h0, const Tensor& lengths,
           bool reverse) {
  check_alive("gru", {gx, w_hh, b_hh, h0, lengths});
  if (gx.shape.rank() != 3 || w_hh.shape.rank() != 2)
    refuse("gru: gx is {}, w_hh is {}; expected [B,T,3H] and [H,3H]", gx.shape.str(), w_hh.shape.str());
  const int64_t batch = gx.shape[0], steps = gx.shape[1], h = w_hh.shape[0];
  if (gx.shape[2] != 3 * h || w_hh.shape[1] != 3 * h || !(b_hh.shape == Shape{3 * h}) ||
      !(h0.shape == Shape{batch, h}) || !(lengths.shape == Shape{batch}))
    refuse("gru: gx {}, w_hh {}, b_hh {}, h0 {}, lengths {} do not fit", gx.shape.str(), w_hh.shape.str(),
           b_hh.shape.str(), h0.shape.str(), lengths.shape.str());
  if (lengths.device == Device::cpu)
    for (int64_t b = 0; b < batch; ++b)
      if (const int32_t l = lengths.as<int32_t>()[b]; l < 0 || l > steps)
        refuse("gru: lengths[{}]={} is outside [0,{}]", b, l, steps);
  const bool recorded = Tape::current().wants_grad({gx, w_hh, b_hh, h0});
  Tensor y = zeros({batch, steps, h}, gx.dtype, gx.device);
  const Tensor before = recorded ? zeros({batch, steps, h}, gx.dtype, gx.device) : Tensor{};
  const Tensor gates = recorded ? empty({4, batch, steps, h}, gx.dtype, gx.device) : Tensor{};
  with_floating(gx.dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::gru<T>(
        gx.device, {gx.as<T>(), w_hh.as<T>(), b_hh.as<T>(), h0.as<T>(), lengths.as<int32_t>(), y.as<T>(),
                    recorded ? before.as<T>() : nullptr, recorded ? gates.as<T>() : nullptr, batch, steps, h, reverse});
  });
  Tape::current().record(y, {gx, w_hh, b_hh, h0}, [=](const Tensor& dy) {
    const Tensor dgh = zeros({batch, steps, 3 * h}, gx.dtype, gx.device);
    with_floating(gx.dtype, [&](auto zero) {
      using T = decltype(zero);
      kernels::gru_grad<T>(gx.device, {w_hh.as<T>(), before.as<T>(), gates.as<T>(), dy.as<T>(), lengths.as<int32_t>(),
                                       gx.requires_grad() ? grad(gx).as<T>() : nullptr, dgh.as<T>(),
                                       h0.requires_grad() ? grad(h0).as<T>() : nullptr, batch, steps, h, reverse});
      if (w_hh.requires_grad())  // one product for all steps; rows beyond a length are zero
        add_weight_gradient<T>(w_hh, batch * steps, before.as<T>(), dgh.as<T>(), steps == 1);
      if (b_hh.requires_grad())
        kernels::sum_rows<T>(gx.device, {dgh.as<T>(), grad(b_hh).as<T>(), batch * steps, 3 * h});
    });
  });
  return y;
}

}  // namespace seqgrad
