// Gather, and a scatter-add in segments: places are sorted by id once, and each id's are added up in their order.
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

// Brings the places of each id together, in their order: place i goes to where as many places come before it, those of
// smaller ids and the earlier ones of its own. A warp counts for a place: n² comparisons in all, few beside the sums.
__global__ void sort_kernel(const int32_t* ids, int64_t n, int32_t* sorted) {
  const int64_t lane = threadIdx.x % gpu::warp;
  for (int64_t i = gpu::index() / gpu::warp; i < n; i += gpu::step() / gpu::warp) {
    const int32_t id = ids[i];
    int before = 0;
    for (int64_t j = lane; j < n; j += gpu::warp) before += ids[j] < id || (ids[j] == id && j < i);
    before = gpu::warp_reduce(before, gpu::Plus{});
    if (lane == 0) sorted[before] = static_cast<int32_t>(i);
  }
}

// One block for each place of `sorted`; that of an id's first adds up for all of them.
template <class T>
__global__ void embedding_grad_kernel(kernels::EmbeddingGrad<T> k, const int32_t* sorted) {
  const int64_t first = blockIdx.x;
  const int32_t id = k.ids[sorted[first]];
  if (id == k.padding_id || (first > 0 && k.ids[sorted[first - 1]] == id)) return;
  int64_t end = first + 1;
  while (end < k.n && k.ids[sorted[end]] == id) ++end;
  for (int64_t c = threadIdx.x; c < k.width; c += blockDim.x) {
    T sum = k.dtable[id * k.width + c];
    for (int64_t i = first; i < end; ++i) sum += k.dy[sorted[i] * k.width + c];
    k.dtable[id * k.width + c] = sum;
  }
}
template <class T>
void embedding_grad_cuda(const kernels::EmbeddingGrad<T>& k) {
  if (k.n > INT32_MAX) refuse("embedding: {} ids are too many for a GPU", k.n);
  int32_t* sorted = Tape::current().scratch<int32_t>(k.n, Device::cuda);
  gpu::launch(sort_kernel, gpu::blocks_for(k.n * gpu::warp, threads), threads, 0, gpu::stream(), k.ids, k.n, sorted);
  gpu::launch(embedding_grad_kernel<T>, k.n, threads, 0, gpu::stream(), k, sorted);
}

template <class T>
bool add() {
  return install<Device::cuda>(kernels::embedding<T>, embedding_cuda<T>) &&
         install<Device::cuda>(kernels::embedding_grad<T>, embedding_grad_cuda<T>);
}

const bool installed = add<float>() && add<double>();

}  // namespace
}  // namespace seqgrad
