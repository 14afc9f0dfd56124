// Packing once, then tiles: a panel of B stays in the first cache while all rows of a block of C pass.
#include "engine/device/bf16_gemm.h"

#include <algorithm>
#include <vector>

#include "engine/core/thread_pool.h"
#include "engine/device/bf16_kernels.h"

namespace seqgrad {
namespace {

constexpr int64_t height = Bf16Kernels::rows, width = Bf16Kernels::columns;
constexpr int64_t deep = 512;  // pairs that are summed before C is added to

int64_t up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

struct Packed {
  const uint32_t *a, *b;
  int64_t pairs;
};

// Rows and columns [row, row+m) x [column, column+n) of C; row and column begin panels.
void run_block(const Packed& p, int64_t row, int64_t m, int64_t column, int64_t n, bool add, float* c, int64_t ldc) {
  const Bf16Kernels& k = needed_bf16_kernels();
  for (int64_t first = 0; first < p.pairs; first += deep) {
    const int64_t pairs = std::min(deep, p.pairs - first);
    for (int64_t j = column; j < column + n; j += width)
      for (int64_t i = row; i < row + m; i += height)
        k.tile(pairs, p.a + i * p.pairs + first * height, p.b + j * p.pairs + first * width, add || first > 0,
               c + i * ldc + j, ldc, std::min(height, row + m - i), std::min(width, column + n - j));
  }
}

// Lines are rows of op(A) or columns of op(B). A thread takes some lines, or some terms of all lines: as they lie in
// memory.
void pack_lines(const float* x, int64_t line_stride, int64_t k_stride, int64_t lines, int64_t k, int64_t panel,
                uint32_t* out) {
  const int64_t pairs = (k + 1) / 2;
  const auto pack = needed_bf16_kernels().pack;
  if (k_stride == 1)
    parallel_ranges(lines, 96, [&](int64_t begin, int64_t end) {
      pack(x + begin * line_stride, line_stride, 1, end - begin, k, panel, pairs, out + begin * pairs);
    });
  else
    parallel_ranges(k, 64, [&](int64_t begin, int64_t end) {
      pack(x + begin * k_stride, line_stride, k_stride, lines, end - begin, panel, pairs, out + begin / 2 * panel);
    });
}

uint32_t* kept_memory(int64_t words) {
  thread_local std::vector<uint32_t> memory;
  if (static_cast<int64_t>(memory.size()) < words) memory = std::vector<uint32_t>(static_cast<size_t>(words));
  return memory.data();
}

// The right factors of the last products that named them, e.g. W and Wᵀ of the fused loss from tile to tile.
const uint32_t* named_factor(const Gemm<float>& g) {
  struct Kept {
    uint64_t name = 0;
    std::vector<uint32_t> words;
  };
  thread_local Kept kept[2];
  Kept& k = kept[g.transpose_b];
  if (k.name == g.b_name) return k.words.data();
  k.name = g.b_name;
  k.words.resize(static_cast<size_t>(bf16_packed_words(g.k, g.n)));
  bf16_pack(g.transpose_b, g.k, g.n, g.b, g.ldb, k.words.data());
  return k.words.data();
}

}  // namespace

void bf16_gemm(const Gemm<float>& g) {
  const int64_t pairs = (g.k + 1) / 2, words = up(g.m, height) * pairs;
  uint32_t* a = kept_memory(words + (g.b_name ? 0 : bf16_packed_words(g.k, g.n)));
  pack_lines(g.a, g.transpose_a ? 1 : g.lda, g.transpose_a ? g.lda : 1, g.m, g.k, height, a);
  if (!g.b_name) bf16_pack(g.transpose_b, g.k, g.n, g.b, g.ldb, a + words);
  const uint32_t* b = g.b_name ? named_factor(g) : a + words;
  const int64_t columns = g.n >= 20 * width ? 10 * width : g.n, across = (g.n + columns - 1) / columns;
  const int64_t enough = (8 + across - 1) / across;  // blocks of rows, so that a few threads end together
  const int64_t rows = std::min<int64_t>(192, up((g.m + enough - 1) / enough, height));
  const int64_t down = (g.m + rows - 1) / rows;
  parallel_blocks(across * down, [&](int64_t i) {
    const int64_t row = i % down * rows, column = i / down * columns;
    run_block({a, b, pairs}, row, std::min(rows, g.m - row), column, std::min(columns, g.n - column), g.beta != 0, g.c,
              g.ldc);
  });
}

int64_t bf16_packed_words(int64_t k, int64_t n) { return up(n, width) * ((k + 1) / 2); }

void bf16_pack(bool transpose, int64_t k, int64_t n, const float* b, int64_t ldb, uint32_t* packed) {
  pack_lines(b, transpose ? ldb : 1, transpose ? 1 : ldb, n, k, width, packed);
}

void bf16_multiply(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const uint32_t* packed, bool add,
                   float* c, int64_t ldc) {
  const int64_t pairs = (k + 1) / 2;
  uint32_t* left = kept_memory(up(m, height) * pairs);
  needed_bf16_kernels().pack(a, lda, 1, m, k, height, pairs, left);
  run_block({left, packed, pairs}, 0, m, 0, n, add, c, ldc);
}

}  // namespace seqgrad
