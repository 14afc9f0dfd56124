// Gather, and a scatter-add in the order of the ids: the first place that holds an id adds up for all that do.
#include "engine/ops/embedding.h"

#include "engine/device/gpu.cuh"

namespace seqgrad {
namespace {

constexpr int threads = 128;

template <class T>
__global__ void embedding_kernel(kernels::Embedding<T> k) {
  for (int64_t i = gpu::index(); i < k.n * k.width; i += gpu::step())
    k.y[i] = k.table[k.ids[i / k.width] * k.width + i % k.width];
}
template <class T>
void embedding_cuda(const kernels::Embedding<T>& k) {
  gpu::launch(embedding_kernel<T>, gpu::blocks_for(k.n * k.width, threads), threads, 0, gpu::stream(), k);
}

// One block for each place.
template <class T>
__global__ void embedding_grad_kernel(kernels::EmbeddingGrad<T> k) {
  const int64_t place = blockIdx.x;
  const int32_t id = k.ids[place];
  if (id == k.padding_id) return;
  int earlier = 0;
  for (int64_t i = threadIdx.x; i < place; i += blockDim.x) earlier |= k.ids[i] == id;
  if (gpu::block_reduce(earlier, gpu::shared_memory<int>(), gpu::Plus{}) > 0) return;
  for (int64_t c = threadIdx.x; c < k.width; c += blockDim.x) {
    T sum = k.dtable[id * k.width + c];
    for (int64_t i = place; i < k.n; ++i)
      if (k.ids[i] == id) sum += k.dy[i * k.width + c];
    k.dtable[id * k.width + c] = sum;
  }
}
template <class T>
void embedding_grad_cuda(const kernels::EmbeddingGrad<T>& k) {
  gpu::launch(embedding_grad_kernel<T>, k.n, threads, threads / gpu::warp * sizeof(int), gpu::stream(), k);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::embedding<T>, embedding_cuda<T>) &&
         install<Device::cuda>(kernels::embedding_grad<T>, embedding_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad
