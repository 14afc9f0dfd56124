// A panel of B stays in cache while all rows of C pass; a thread takes some panels.
#include "engine/device/panel_gemm.h"

#include <algorithm>

#include "engine/core/thread_pool.h"
#include "engine/device/f32_kernels.h"

namespace seqgrad {
namespace {

constexpr int64_t height = F32Kernels::rows;
constexpr int64_t min_blocks = 8;               // so that a few threads end together
constexpr int64_t min_shared_numbers = 100000;  // of B, some 5 us of reading

int64_t panels_of(int64_t n, int64_t width) { return (n + width - 1) / width; }

}  // namespace

void panel_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, const float* start,
                int64_t start_ld) {
  const F32Kernels& kernels = *f32_kernels();
  const int64_t width = kernels.columns, panels = panels_of(c.cols, width), k = a.cols;
  const int64_t together = k * c.cols < min_shared_numbers ? panels : (panels + min_blocks - 1) / min_blocks;
  parallel_ranges(panels, std::max<int64_t>(1, together), [&](int64_t begin, int64_t end) {
    for (int64_t j = begin * width; j < std::min(end * width, c.cols); j += width)
      for (int64_t i = 0; i < c.rows; i += height)
        kernels.tile(k, a.at(i, 0), a.ld, b.panels + j * k, start ? start + i * start_ld + j : nullptr, start_ld,
                     c.at(i, j), c.ld, std::min(height, c.rows - i), std::min(width, c.cols - j));
  });
}

int64_t panel_size(int64_t k, int64_t n) { return panels_of(n, f32_kernels()->columns) * f32_kernels()->columns * k; }

void lay_out_panels(Matrix<const float> b, float* panels) {
  const int64_t width = f32_kernels()->columns;
  parallel_ranges(panels_of(b.cols, width), 1, [&](int64_t panel, int64_t) {
    float* const to = panels + panel * width * b.rows;
    const int64_t first = panel * width, columns = std::min(width, b.cols - first);
    if (!b.transposed) {
      for (int64_t i = 0; i < b.rows; ++i)
        std::fill_n(std::copy_n(b.at(i, first), columns, to + i * width), width - columns, 0.0f);
      return;
    }
    constexpr int64_t few = 16;  // rows whose columns are in the first cache together
    for (int64_t i0 = 0; i0 < b.rows; i0 += few)
      for (int64_t j = 0; j < width; ++j)
        for (int64_t i = i0; i < std::min(i0 + few, b.rows); ++i)
          to[i * width + j] = j < columns ? *b.at(i, first + j) : 0;
  });
}

}  // namespace seqgrad
