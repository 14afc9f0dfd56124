// Packing once, then tiles: a panel of B stays in the first cache while all rows of a block of C pass.
#include "engine/device/bf16_gemm.h"

#include <algorithm>

#include "engine/core/scratch.h"
#include "engine/core/thread_pool.h"
#include "engine/device/bf16_kernels.h"

namespace seqgrad {
namespace {

constexpr int64_t height = Bf16Kernels::rows, width = Bf16Kernels::columns;
constexpr int64_t depth = 512;     // pairs that are summed before C is added to
constexpr int64_t min_blocks = 8;  // of C, so that a few threads end together
constexpr int64_t max_block_rows = 192;

int64_t up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// C from the panels of A that begin with its first row and those of B that begin with its first column.
void run_block(const uint32_t* a, const uint32_t* b, int64_t pairs, Matrix<float> c, bool accumulate) {
  const Bf16Kernels& k = needed_bf16_kernels();
  for (int64_t first = 0; first < pairs; first += depth) {
    const int64_t count = std::min(depth, pairs - first);
    for (int64_t j = 0; j < c.cols; j += width)
      for (int64_t i = 0; i < c.rows; i += height)
        k.tile(count, a + i * pairs + first * height, b + j * pairs + first * width, accumulate || first > 0,
               c.at(i, j), c.ld, std::min(height, c.rows - i), std::min(width, c.cols - j));
  }
}

// The rows of x in panels. A thread takes some rows, or some columns of all rows: as they lie in memory.
void pack_rows(Matrix<const float> x, int64_t panel, uint32_t* out) {
  const int64_t pairs = (x.cols + 1) / 2;
  const auto pack = needed_bf16_kernels().pack;
  if (!x.transposed)
    parallel_ranges(x.rows, 96, [&](int64_t begin, int64_t end) {
      pack(x.at(begin, 0), x.ld, 1, end - begin, x.cols, panel, pairs, out + begin * pairs);
    });
  else
    parallel_ranges(x.cols, 64, [&](int64_t begin, int64_t end) {
      pack(x.at(0, begin), 1, x.ld, x.rows, end - begin, panel, pairs, out + begin / 2 * panel);
    });
}

}  // namespace

void bf16_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, bool accumulate) {
  const int64_t pairs = (a.cols + 1) / 2, words = up(a.rows, height) * pairs;
  Scratch scratch;
  uint32_t* left = scratch.take<uint32_t>(words + (b.bf16 ? 0 : bf16_packed_words(a.cols, c.cols)));
  pack_rows(a, height, left);
  if (!b.bf16) bf16_pack(b.matrix, left + words);
  const uint32_t* right = b.bf16 ? b.bf16 : left + words;
  const int64_t columns = c.cols >= 20 * width ? 10 * width : c.cols, across = (c.cols + columns - 1) / columns;
  const int64_t wanted = (min_blocks + across - 1) / across;
  const int64_t rows = std::min(max_block_rows, up((c.rows + wanted - 1) / wanted, height));
  const int64_t down = (c.rows + rows - 1) / rows;
  parallel_blocks(across * down, [&](int64_t i) {
    const int64_t row = i % down * rows, column = i / down * columns;
    run_block(left + row * pairs, right + column * pairs, pairs,
              c.block(row, column, std::min(rows, c.rows - row), std::min(columns, c.cols - column)), accumulate);
  });
}

void bf16_gemm_here(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, bool accumulate) {
  const int64_t pairs = (a.cols + 1) / 2;
  Scratch scratch;
  uint32_t* left = scratch.take<uint32_t>(up(a.rows, height) * pairs);
  needed_bf16_kernels().pack(a.data, a.transposed ? 1 : a.ld, a.transposed ? a.ld : 1, a.rows, a.cols, height, pairs,
                             left);
  run_block(left, b.bf16, pairs, c, accumulate);
}

int64_t bf16_packed_words(int64_t k, int64_t n) { return up(n, width) * ((k + 1) / 2); }

void bf16_pack(Matrix<const float> b, uint32_t* packed) { pack_rows(b.t(), width, packed); }

}  // namespace seqgrad
