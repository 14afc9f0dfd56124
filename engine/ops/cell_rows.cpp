// Loops that compilers vectorise, once for each instruction set.
#include "engine/ops/cell_rows.h"

#include <algorithm>
#include <numeric>

#include "engine/core/simd.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

template <class T>
SEQGRAD_SIMD void cell(const T* gx, const T* gh, const T* bias, const T* h_prev, T* h, T* saved, int64_t hidden) {
  T *const r = saved, *const z = r + hidden, *const n = z + hidden, *const hn_proj = n + hidden;
  // A loop each: all three together are one long chain of operations, of which a CPU overlaps too few.
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < hidden; ++i) r[i] = fast_sigmoid(gx[i] + gh[i] + bias[i]);
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < hidden; ++i) z[i] = fast_sigmoid(gx[hidden + i] + gh[hidden + i] + bias[hidden + i]);
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < hidden; ++i) {
    const T projected = gh[2 * hidden + i] + bias[2 * hidden + i];
    const T candidate = fast_tanh(gx[2 * hidden + i] + r[i] * projected), update = z[i];
    h[i] = (1 - update) * candidate + update * h_prev[i];
    n[i] = candidate;
    hn_proj[i] = projected;
  }
}

template <class T>
SEQGRAD_SIMD void cell_grad(const T* saved, const T* h_prev, T* dh, const T* dy, T* dgx, T* dgh, int64_t hidden) {
  const T *const r = saved, *const z = r + hidden, *const n = z + hidden, *const hn_proj = n + hidden;
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < hidden; ++i) {
    const T d = dh[i] + dy[i];
    const T dn = d * (1 - z[i]) * (1 - n[i] * n[i]);
    const T dz = d * (h_prev[i] - n[i]) * z[i] * (1 - z[i]);
    const T dr = dn * hn_proj[i] * r[i] * (1 - r[i]);
    dgx[i] = T{0} + dr;
    dgx[hidden + i] = T{0} + dz;
    dgx[2 * hidden + i] = T{0} + dn;
    dgh[i] = dr;
    dgh[hidden + i] = dz;
    dgh[2 * hidden + i] = dn * r[i];
    dh[i] = d * z[i];
  }
}

// Sums of every 16th term, which a compiler may not make by itself, put together in one order.
constexpr int64_t lanes = 16;
template <class T>
T total(const T* sums) {
  T all[lanes];
  std::copy_n(sums, lanes, all);
  for (int64_t half = lanes / 2; half > 0; half /= 2)
    for (int64_t j = 0; j < half; ++j) all[j] += all[j + half];
  return all[0];
}

template <class T>
SEQGRAD_SIMD T score(const T* q, const T* k, const T* v, int64_t n) {
  T sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) sums[j] += v[i + j] * fast_tanh(q[i + j] + k[i + j]);
  for (; i < n; ++i) sums[i % lanes] += v[i] * fast_tanh(q[i] + k[i]);
  return total(sums);
}

template <class T>
SEQGRAD_SIMD void score_grad(const T* q, const T* k, const T* v, T d, T* dq, T* dk, T* dv, int64_t n) {
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < n; ++i) {
    const T th = fast_tanh(q[i] + k[i]);
    const T du = d * v[i] * (1 - th * th);
    dq[i] += du;
    dk[i] += du;
    dv[i] += d * th;
  }
}

template <class T>
SEQGRAD_SIMD T product(const T* x, const T* y, int64_t n) {
  T sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) sums[j] += x[i + j] * y[i + j];
  for (; i < n; ++i) sums[i % lanes] += x[i] * y[i];
  return total(sums);
}
template <class T>
SEQGRAD_SIMD void add(T a, const T* x, T* y, int64_t n) {
  SEQGRAD_IVDEP
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

}  // namespace

SentenceBlocks::SentenceBlocks(int64_t directions, int64_t batch, int64_t hidden, const int32_t* lengths) {
  std::vector<int64_t> longest_first(static_cast<size_t>(batch));
  std::iota(longest_first.begin(), longest_first.end(), int64_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  const int64_t height = sentence_block_height(hidden), blocks = (batch + height - 1) / height;
  sentences_.reserve(longest_first.size());
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t first_row = std::ssize(sentences_), first_token = tokens_;
    for (int64_t row = 0; row < height; ++row) {  // to and fro: who got the longer one gets the shorter one next
      const int64_t at = row * blocks + (row % 2 == 0 ? i : blocks - 1 - i);
      if (at >= batch) continue;
      sentences_.push_back(longest_first[static_cast<size_t>(at)]);
      tokens_ += lengths[sentences_.back()];
    }
    blocks_.push_back(
        {0, std::ssize(sentences_) - first_row, sentences_.data() + first_row, first_row, first_token, lengths});
  }
  const size_t of_one = blocks_.size();
  for (int64_t d = 1; d < directions; ++d)
    for (size_t i = 0; i < of_one; ++i) {
      SentenceBlock block = blocks_[i];
      block.direction = d;
      block.first_row += d * batch;
      block.first_token += d * tokens_;
      blocks_.push_back(block);
    }
}

int64_t saved_rows(const Tensor& lengths, int64_t steps) {
  const int64_t batch = lengths.shape[0];
  if (lengths.device != Device::cpu) return batch * steps;
  return std::accumulate(lengths.as<int32_t>(), lengths.as<int32_t>() + batch, int64_t{0});
}

template <class T>
void gru_cell(const T* gx, const T* gh, const T* bias, const T* h_prev, T* h, T* saved, int64_t hidden) {
  cell(gx, gh, bias, h_prev, h, saved, hidden);
}
template <class T>
void gru_cell_grad(const T* saved, const T* h_prev, T* dh, const T* dy, T* dgx, T* dgh, int64_t hidden) {
  cell_grad(saved, h_prev, dh, dy, dgx, dgh, hidden);
}
template <class T>
T additive_score(const T* q, const T* k, const T* v, int64_t n) {
  return score(q, k, v, n);
}
template <class T>
void additive_score_grad(const T* q, const T* k, const T* v, T d, T* dq, T* dk, T* dv, int64_t n) {
  score_grad(q, k, v, d, dq, dk, dv, n);
}
template <class T>
T dot(const T* x, const T* y, int64_t n) {
  return product(x, y, n);
}
template <class T>
void add_scaled(T a, const T* x, T* y, int64_t n) {
  add(a, x, y, n);
}
template <class T>
void softmax_row(T* x, int64_t n) {
  if (n == 0) return;
  const T top = *std::max_element(x, x + n);
  T total = 0;
  for (int64_t i = 0; i < n; ++i) total += x[i] = fast_exp(x[i] - top);
  for (int64_t i = 0; i < n; ++i) x[i] /= total;
}

#define SEQGRAD_ROWS(T)                                                                    \
  template void gru_cell(const T*, const T*, const T*, const T*, T*, T*, int64_t);         \
  template void gru_cell_grad(const T*, const T*, T*, const T*, T*, T*, int64_t);          \
  template T additive_score(const T*, const T*, const T*, int64_t);                        \
  template void additive_score_grad(const T*, const T*, const T*, T, T*, T*, T*, int64_t); \
  template T dot(const T*, const T*, int64_t);                                             \
  template void add_scaled(T, const T*, T*, int64_t);                                      \
  template void softmax_row(T*, int64_t)
SEQGRAD_ROWS(float);
SEQGRAD_ROWS(double);
#undef SEQGRAD_ROWS

}  // namespace seqgrad
