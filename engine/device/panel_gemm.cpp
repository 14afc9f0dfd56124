// A panel of B stays in cache while all rows of C pass; a thread takes some panels.
#include "engine/device/panel_gemm.h"

#include <algorithm>
#include <cstring>

#include "engine/core/thread_pool.h"
#include "engine/device/f32_kernels.h"

namespace seqgrad {
namespace {

constexpr int64_t height = F32Kernels::rows;
constexpr int64_t cached_columns = 128;                  // of a stored A that all panels find in the second cache
constexpr int64_t min_rows_to_share = 128;               // of C, into blocks of which each reads all of B
constexpr int64_t min_blocks = 8;                        // so that a few threads end together
constexpr int64_t min_shared_numbers = 100000;           // of B, some 5 us of reading
constexpr int64_t min_shared_multiplications = 2000000;  // some 30 us

// Copies n numbers and fills up to `width` with 0. A call of memmove would take longer than the copy.
void copy_few(const float* from, int64_t n, float* to, int64_t width) {
  constexpr int64_t at_once = 8;
  int64_t j = 0;
  for (; j + at_once <= n; j += at_once) std::memcpy(to + j, from + j, at_once * sizeof(float));
  for (; j < width; ++j) to[j] = j < n ? from[j] : 0;
}

int64_t panels_of(int64_t n, int64_t width) { return (n + width - 1) / width; }

}  // namespace

void panel_gemm(Matrix<const float> a, const PackedMatrix<float>& b, Matrix<float> c, const float* start,
                int64_t start_ld) {
  const F32Kernels& kernels = *f32_kernels();
  const int64_t width = kernels.columns, panels = panels_of(c.cols, width), k = a.cols;
  const auto run = [&](int64_t first_row, int64_t end_row, int64_t panel) {
    const int64_t j = panel * width;
    for (int64_t i = first_row; i < end_row; i += height)
      kernels.tile(k, a.at(i, 0), a.ld, a.transposed, b.panels + j * k, start ? start + i * start_ld + j : nullptr,
                   start_ld, c.at(i, j), c.ld, std::min(height, end_row - i), std::min(width, c.cols - j));
  };
  const bool shared = c.rows * k * c.cols >= min_shared_multiplications;
  if (shared && c.rows >= min_rows_to_share) {
    int64_t rows = (c.rows / min_blocks + height - 1) / height * height;
    if (a.transposed) rows = std::min(rows, cached_columns);
    parallel_ranges(c.rows, rows, [&](int64_t begin, int64_t end) {
      for (int64_t panel = 0; panel < panels; ++panel) run(begin, end, panel);
    });
    return;
  }
  const bool split = shared || k * c.cols >= min_shared_numbers;
  parallel_ranges(panels, std::max<int64_t>(1, split ? (panels + min_blocks - 1) / min_blocks : panels),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t panel = begin; panel < end; ++panel) run(0, c.rows, panel);
                  });
}

int64_t panel_size(int64_t k, int64_t n) { return panels_of(n, f32_kernels()->columns) * f32_kernels()->columns * k; }

void lay_out_panels(Matrix<const float> b, float* panels) {
  const int64_t width = f32_kernels()->columns;
  parallel_ranges(panels_of(b.cols, width), 1, [&](int64_t panel, int64_t) {
    float* const to = panels + panel * width * b.rows;
    const int64_t first = panel * width, columns = std::min(width, b.cols - first);
    if (!b.transposed) {
      for (int64_t i = 0; i < b.rows; ++i) copy_few(b.at(i, first), columns, to + i * width, width);
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
