// On the GPU all rows are moved at once.
#include "engine/loss/move_rows.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void move_rows_kernel(kernels::MoveRows<T> k) {
  for (int64_t i = gpu::index(); i < k.count * k.width; i += gpu::step()) {
    const int64_t place = k.places[i / k.width], array = place * k.width + i % k.width;
    if (k.scatter) {
      if (place >= 0) k.to[array] += k.from[i];
    } else {
      k.to[i] = place >= 0 ? k.from[array] : T{0};
    }
  }
}
template <class T>
void move_rows_cuda(const kernels::MoveRows<T>& k) {
  gpu::launch(move_rows_kernel<T>, gpu::blocks_for(k.count * k.width, threads), threads, 0, gpu::stream(), k);
}

const bool installed = install<Device::cuda>(kernels::move_rows<float>, move_rows_cuda<float>) &&
                       install<Device::cuda>(kernels::move_rows<double>, move_rows_cuda<double>);

}  // namespace
}  // namespace seqgrad
