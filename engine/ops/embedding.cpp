// Gather, and a scatter-add whose order is the order of the ids, whatever the thread count.
#include "engine/ops/embedding.h"

#include <algorithm>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/id_range.h"

namespace seqgrad {
namespace {

template <class T>
void embedding_cpu(const kernels::Embedding<T>& k) {
  parallel_ranges(k.n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(k.table + k.ids[i] * k.width, k.width, k.y + i * k.width);
  });
}

// A block is columns, not rows: no two blocks add to one number, and each number is added to in the order of ids.
template <class T>
void embedding_grad_cpu(const kernels::EmbeddingGrad<T>& k) {
  parallel_ranges(k.width, 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < k.n; ++i) {
      if (k.ids[i] == k.padding_id) continue;
      T* row = k.dtable + k.ids[i] * k.width;
      const T* dy = k.dy + i * k.width;
      for (int64_t c = begin; c < end; ++c) row[c] += dy[c];
    }
  });
}

const bool registered = install<Device::cpu>(kernels::embedding<float>, embedding_cpu<float>) &&
                        install<Device::cpu>(kernels::embedding<double>, embedding_cpu<double>) &&
                        install<Device::cpu>(kernels::embedding_grad<float>, embedding_grad_cpu<float>) &&
                        install<Device::cpu>(kernels::embedding_grad<double>, embedding_grad_cpu<double>) &&
                        register_op({"embedding", "rows of a table by id; ids repeat"});

}  // namespace

Tensor embedding(const Tensor& ids, const Tensor& table, int64_t padding_id) {
  expect("embedding", {{"ids", ids, "[...] i32"}, {"table", table, "[V,E]"}});
  const int64_t rows = table.shape[0], width = table.shape[1], n = ids.numel();
  if (const auto bad = first_outside(ids, 0, rows - 1)) refuse("embedding: id {} is outside [0,{})", bad->value, rows);
  Shape shape = ids.shape;
  shape.push_back(width);
  Tensor y = empty(shape, table.dtype, table.device);
  dispatch(table.dtype, [&]<class T> {
    kernels::embedding<T>(table.device, {ids.as<int32_t>(), table.as<T>(), y.as<T>(), n, width});
  });
  Tape::current().record(y, {.inputs = {table}}, [=](const Tensor& dy) {
    dispatch(table.dtype, [&]<class T> {
      kernels::embedding_grad<T>(table.device,
                                 {ids.as<int32_t>(), dy.as<T>(), grad(table).as<T>(), n, width, padding_id});
    });
  });
  return y;
}

}  // namespace seqgrad
