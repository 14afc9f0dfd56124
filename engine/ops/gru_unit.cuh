// One unit of a GRU, for kernels that go over them.
#pragma once
#include "engine/device/gpu.cuh"
#include "engine/ops/vector_math.h"

namespace seqgrad {

template <class T>
struct GruUnit {
  T r, z, n, hn_proj;

  // From gx + gh of the gates r and z, gx of n, and hn_proj.
  __device__ GruUnit(T sum_r, T sum_z, T gx_n, T projected)
      : r(fast_sigmoid(sum_r)), z(fast_sigmoid(sum_z)), n(fast_tanh(gx_n + r * projected)), hn_proj(projected) {}
  __device__ T state(T h_prev) const { return (1 - z) * n + z * h_prev; }

  // Gates of all units lie `stride` elements behind each other.
  __device__ GruUnit(const T* saved, int64_t stride)
      : r(saved[0]), z(saved[stride]), n(saved[2 * stride]), hn_proj(saved[3 * stride]) {}
  __device__ void save(T* to, int64_t stride) const {
    to[0] = r;
    to[stride] = z;
    to[2 * stride] = n;
    to[3 * stride] = hn_proj;
  }
};

// From the gradient dh of the state: of the sums of r and z, of gx_n, of hn_proj, and of h_prev through z.
template <class T>
struct GruUnitGrad {
  T dr, dz, dn, dhn_proj, dh_prev;

  __device__ GruUnitGrad(const GruUnit<T>& u, T h_prev, T dh) {
    dn = dh * (1 - u.z) * (1 - u.n * u.n);
    dz = dh * (h_prev - u.n) * u.z * (1 - u.z);
    dr = dn * u.hn_proj * u.r * (1 - u.r);
    dhn_proj = dn * u.r;
    dh_prev = dh * u.z;
  }
};

}  // namespace seqgrad
