// One unit of a GRU, for kernels that go over them.
#pragma once
#include "engine/device/gpu.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {

template <class T>
struct GruUnit {
  T r, z, n, q;

  // From the sums of input and state: of the gates r and z, and of n apart, q with the bias.
  __device__ GruUnit(T sum_r, T sum_z, T x, T q_)
      : r(fast_sigmoid(sum_r)), z(fast_sigmoid(sum_z)), n(fast_tanh(x + r * q_)), q(q_) {}
  __device__ T state(T before) const { return (1 - z) * n + z * before; }

  // Gates of all units lie `stride` apart.
  __device__ GruUnit(const T* gates, int64_t stride)
      : r(gates[0]), z(gates[stride]), n(gates[2 * stride]), q(gates[3 * stride]) {}
  __device__ void keep(T* gates, int64_t stride) const {
    gates[0] = r;
    gates[stride] = z;
    gates[2 * stride] = n;
    gates[3 * stride] = q;
  }
};

// From the gradient d of the state: of the sums of r and z, of x, of q, and of the state before through z.
template <class T>
struct GruUnitGrad {
  T r, z, n, q, before;

  __device__ GruUnitGrad(const GruUnit<T>& u, T state_before, T d) {
    n = d * (1 - u.z) * (1 - u.n * u.n);
    z = d * (state_before - u.n) * u.z * (1 - u.z);
    r = n * u.q * u.r * (1 - u.r);
    q = n * u.r;
    before = d * u.z;
  }
};

}  // namespace seqgrad
