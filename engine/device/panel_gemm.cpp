// A panel of B stays in cache while all rows of C pass; a thread takes some panels.
#include "engine/device/panel_gemm.h"

#include <algorithm>

#include "engine/core/scratch.h"
#include "engine/core/thread_pool.h"
#include "engine/device/f32_kernels.h"

namespace seqgrad {
namespace {

constexpr int64_t cached_columns = 128;                  // of a stored A that all panels find in the second cache
constexpr int64_t min_rows_to_share = 128;               // of C, into blocks of which each reads all of B
constexpr int64_t min_blocks = 8;                        // so that a few threads end together
constexpr int64_t neighbours = 4;                        // panels for which a stored row of B is read at once
constexpr int64_t min_own_panels = 32;                   // that threads lay out for themselves, each while it is wanted
constexpr int64_t min_shared_numbers = 100000;           // of B, some 5 us of reading
constexpr int64_t min_shared_multiplications = 2000000;  // some 30 us

int64_t panels_of(int64_t n, int64_t width) { return (n + width - 1) / width; }

// The panels [first,end).
void lay_out(Matrix<const float> b, int64_t first, int64_t end, float* to) {
  const F32Kernels& kernels = *f32_kernels();
  const int64_t column = first * kernels.columns;
  kernels.lay_out(b.rows, std::min(end * kernels.columns, b.cols) - column, b.at(0, column), b.ld, b.transposed, to);
}

}  // namespace

void panel_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, const float* start,
                int64_t start_ld) {
  const F32Kernels& kernels = *f32_kernels();
  const int64_t height = kernels.rows, width = kernels.columns, panels = panels_of(c.cols, width), k = a.cols;
  const auto run = [&](int64_t first_row, int64_t end_row, int64_t first_panel, int64_t end_panel) {
    const int64_t step = end_row - first_row <= height ? end_panel - first_panel : 1;  // panels of one call
    for (int64_t panel = first_panel; panel < end_panel; panel += step) {
      const int64_t j = panel * width;
      for (int64_t i = first_row; i < end_row; i += height)
        kernels.tile(k, a.at(i, 0), a.ld, a.transposed, b.panels + j * k, start ? start + i * start_ld + j : nullptr,
                     start_ld, c.at(i, j), c.ld, std::min(height, end_row - i), std::min(step * width, c.cols - j));
    }
  };
  const bool shared = c.rows * k * c.cols >= min_shared_multiplications;
  if (shared && c.rows >= min_rows_to_share) {
    int64_t rows = (c.rows / min_blocks + height - 1) / height * height;
    if (a.transposed) rows = std::min(rows, cached_columns / height * height);
    return parallel_ranges(c.rows, rows, [&](int64_t begin, int64_t end) { run(begin, end, 0, panels); });
  }
  const bool split = shared || k * c.cols >= min_shared_numbers;
  parallel_ranges(panels, std::max<int64_t>(1, split ? (panels + min_blocks - 1) / min_blocks : panels),
                  [&](int64_t begin, int64_t end) { run(0, c.rows, begin, end); });
}

int64_t panel_size(int64_t k, int64_t n) { return panels_of(n, f32_kernels()->columns) * f32_kernels()->columns * k; }

void lay_out_panels(Matrix<const float> b, float* panels) {
  const int64_t width = f32_kernels()->columns;
  parallel_ranges(panels_of(b.cols, width), b.transposed ? 1 : neighbours,
                  [&](int64_t first, int64_t end) { lay_out(b, first, end, panels + first * width * b.rows); });
}

void packing_gemm(Matrix<const float> a, Matrix<const float> b, Matrix<float> c, const float* start, int64_t start_ld) {
  const int64_t width = f32_kernels()->columns, panels = panels_of(c.cols, width);
  if (panels < min_own_panels || a.transposed) {
    Scratch scratch;
    auto* const laid_out = scratch.take<float>(panel_size(b.rows, b.cols));
    lay_out_panels(b, laid_out);
    PackedMatrix<float> right = b;
    right.panels = laid_out;
    return panel_gemm(a, right, c, start, start_ld);
  }
  parallel_blocks(panels, [&](int64_t panel) {
    Scratch scratch;
    auto* const laid_out = scratch.take<float>(width * b.rows);
    lay_out(b, panel, panel + 1, laid_out);
    const int64_t j = panel * width, span = std::min(width, c.cols - j);
    PackedMatrix<float> one = b.block(0, j, b.rows, span);
    one.panels = laid_out;
    panel_gemm(a, one, c.block(0, j, c.rows, span), start ? start + j : nullptr, start_ld);
  });
}

}  // namespace seqgrad
