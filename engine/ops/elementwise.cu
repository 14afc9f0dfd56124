// The GPU's loops behind the lists of elementwise.h.
#include "engine/device/gpu.cuh"
#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T, class Op>
__global__ void unary_kernel(kernels::Unary<T> k) {
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) k.y[i] = Op::template f<T>(k.x[i]);
}
template <class T, class Op>
void unary_cuda(const kernels::Unary<T>& k) {
  gpu::launch(unary_kernel<T, Op>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

template <class T, class Op>
__global__ void unary_grad_kernel(kernels::UnaryGrad<T> k) {
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step())
    k.dx[i] = T{0} + k.dy[i] * Op::template df<T>(k.x[i], k.y[i]);
}
template <class T, class Op>
void unary_grad_cuda(const kernels::UnaryGrad<T>& k) {
  gpu::launch(unary_grad_kernel<T, Op>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

template <class T, class Op>
__global__ void binary_kernel(kernels::Binary<T> k) {
  for (int64_t i = gpu::index(); i < k.outer * k.inner; i += gpu::step())
    k.y[i] = Op::template f<T>(k.a[i], k.b[i % k.inner]);
}
template <class T, class Op>
void binary_cuda(const kernels::Binary<T>& k) {
  gpu::launch(binary_kernel<T, Op>, gpu::blocks_for(k.outer * k.inner, threads), threads, 0, gpu::stream(), k);
}

template <class T, class Op>
__global__ void binary_da_kernel(kernels::BinaryGrad<T> k) {
  for (int64_t i = gpu::index(); i < k.outer * k.inner; i += gpu::step())
    k.da[i] = T{0} + k.dy[i] * Op::template da<T>(k.a[i], k.b[i % k.inner]);
}
// A thread owns a column, so that db is summed over `outer` in one fixed order.
template <class T, class Op>
__global__ void binary_db_kernel(kernels::BinaryGrad<T> k) {
  for (int64_t i = gpu::index(); i < k.inner; i += gpu::step()) {
    T sum = 0;
    for (int64_t o = i; o < k.outer * k.inner; o += k.inner) sum += k.dy[o] * Op::template db<T>(k.a[o], k.b[i]);
    k.db[i] = sum;
  }
}
template <class T, class Op>
void binary_grad_cuda(const kernels::BinaryGrad<T>& k) {
  if (k.da)
    gpu::launch(binary_da_kernel<T, Op>, gpu::blocks_for(k.outer * k.inner, threads), threads, 0, gpu::stream(), k);
  if (k.db) gpu::launch(binary_db_kernel<T, Op>, gpu::blocks_for(k.inner, 64), 64, 0, gpu::stream(), k);
}

template <class T>
__global__ void axpy_kernel(kernels::Axpy<T> k) {
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step())
    k.y[i] = (k.accumulate ? k.y[i] : T{0}) + (k.x[i] == 0 ? T{0} : k.a * k.x[i]);
}
template <class T>
void axpy_cuda(const kernels::Axpy<T>& k) {
  gpu::launch(axpy_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

template <class T>
__global__ void scale_in_place_kernel(kernels::ScaleInPlace<T> k) {
  for (int64_t i = gpu::index(); i < k.n; i += gpu::step()) k.x[i] = k.x[i] == 0 ? T{0} : k.factor * k.x[i];
}
template <class T>
void scale_in_place_cuda(const kernels::ScaleInPlace<T>& k) {
  gpu::launch(scale_in_place_kernel<T>, gpu::blocks_for(k.n, threads), threads, 0, gpu::stream(), k);
}

template <class T, class... Op>
bool add_unary(OpList<Op...>) {
  return ((install<Device::cuda>(kernels::unary<T, Op>, unary_cuda<T, Op>) &&
           install<Device::cuda>(kernels::unary_grad<T, Op>, unary_grad_cuda<T, Op>)) &&
          ...);
}
template <class T, class... Op>
bool add_binary(OpList<Op...>) {
  return ((install<Device::cuda>(kernels::binary<T, Op>, binary_cuda<T, Op>) &&
           install<Device::cuda>(kernels::binary_grad<T, Op>, binary_grad_cuda<T, Op>)) &&
          ...);
}
template <class T>
bool add_all() {
  return add_unary<T>(UnaryOps{}) && add_binary<T>(BinaryOps{}) &&
         install<Device::cuda>(kernels::axpy<T>, axpy_cuda<T>) &&
         install<Device::cuda>(kernels::scale_in_place<T>, scale_in_place_cuda<T>);
}

const bool installed = add_all<float>() && add_all<double>();

}  // namespace
}  // namespace seqgrad
