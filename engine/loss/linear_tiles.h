// The fused loss tile by tile: gather live rows, multiply, row kernel in place, multiply back. Where a tile has not all
// classes, the row kernel sees its logits chunk by chunk and each is multiplied twice.
#pragma once
#include <algorithm>

#include "engine/device/gemm.h"
#include "engine/loss/loss_tile.h"
#include "engine/loss/move_rows.h"
#include "engine/loss/row_loss.h"
#include "engine/loss/sequence_loss.h"
#include "engine/ops/matmul.h"

namespace seqgrad {

inline int64_t padded_to(int64_t count) { return (count + tile_block_rows - 1) / tile_block_rows * tile_block_rows; }

// Everything but the coefficients; backward of a vector loss runs it again with its upstream in them.
struct Job {
  Tensor hidden, weight, bias;
  RowRule rule;
  LossTile tile;
  const int64_t* places;  // on the host, of each row: b·T + t; -1: it only rounds their number up
  int64_t live, rows;     // the live ones come first
  int32_t* stop = nullptr;
};

// What is wanted; absent ones are not formed.
struct Gradients {
  Tensor hidden, weight, bias;
  bool any() const { return hidden.defined() || weight.defined() || bias.defined(); }
};

inline Gradients gradients_of(const Job& job, ParameterGradients when = ParameterGradients::in_backward) {
  const auto place = [&](const Tensor& x) {
    if (!x.requires_grad()) return Tensor{};
    return when == ParameterGradients::now ? grad(x) : zeros(x.shape, x.dtype, x.device);
  };
  return {place(job.hidden), place(job.weight), place(job.bias)};
}

// The products of one tile: of the rows first … first+count of the job, and of the classes [begin,end).
template <class T>
struct Tile {
  const Job& job;
  const Gradients& g;
  const int64_t d = job.hidden.shape[-1], height = std::min(job.tile.rows, padded_to(job.rows));
  const uint64_t weight = job.tile.classes == job.rule.classes ? new_operand_name() : 0;
  const int64_t* const places = places_on_device();
  T* const hidden = scratch(height * d);
  T* const dhidden = scratch(g.hidden.defined() ? height * d : 0);
  T* const logits = scratch(height * job.tile.classes);
  int64_t first = 0, count = 0;

  Device device() const { return job.hidden.device; }
  T* scratch(int64_t n) const { return Tape::current().scratch<T>(n, device()); }
  const int64_t* places_on_device() const {
    if (device() == Device::cpu) return job.places;
    auto* to = Tape::current().scratch<int64_t>(job.rows, device());
    return static_cast<const int64_t*>(backend(device()).upload(to, job.places, static_cast<size_t>(job.rows) * 8));
  }
  int64_t padded() const { return padded_to(count); }
  void clear_padding(T* x, int64_t width) const {
    const int64_t n = (padded() - count) * width;
    if (n > 0) backend(device()).zero(x + count * width, static_cast<size_t>(n) * sizeof(T));
  }

  void gather(int64_t from, int64_t rows) {
    first = from;
    count = rows;
    kernels::move_rows<T>(device(), {job.hidden.as<T>(), hidden, places + first, count, d, false});
    clear_padding(hidden, d);
  }
  T* multiply(int64_t begin, int64_t end, T* z) const {
    kernels::gemm<T>(device(), {false, true, padded(), end - begin, d, hidden, d, job.weight.as<T>() + begin * d, d,
                                T{0}, z, end - begin, weight});
    return z;
  }
  // Takes the gradient of the logits back to the parameters and, after those before, to the hidden states.
  void multiply_back(int64_t begin, int64_t end, T* dz, bool others_before) const {
    const int64_t n = end - begin;
    clear_padding(dz, n);
    if (g.hidden.defined())
      kernels::gemm<T>(device(), {false, false, padded(), d, n, dz, n, job.weight.as<T>() + begin * d, d,
                                  T(others_before), dhidden, d, weight});
    if (g.weight.defined())
      kernels::gemm<T>(device(),
                       {true, false, n, d, padded(), dz, n, hidden, d, T{1}, g.weight.as<T>() + begin * d, d});
    if (g.bias.defined()) kernels::sum_rows<T>(device(), {dz, g.bias.as<T>() + begin, padded(), n, n});
  }
  void scatter() const {
    if (g.hidden.defined())
      kernels::move_rows<T>(device(), {dhidden, g.hidden.as<T>(), places + first, count, d, true});
  }
};

// A row that is not finite is made once more, to be seen.
template <class T, class Inspect>
void look_at(Tile<T>& tile, RowTask task, int64_t row, const Inspect& inspect) {
  const Job& job = tile.job;
  task.offset = 0;
  tile.gather(row, 1);
  T* z = tile.multiply(0, job.rule.classes, tile.scratch(tile.padded() * job.rule.classes));
  RowResult result;
  kernels::row_loss<T>(tile.device(),
                       {z, nullptr, &task, &result, 1, job.rule, job.bias.defined() ? job.bias.as<T>() : nullptr});
  inspect(row, 1, z);
}

// `tasks` of row i start at (i mod tile.rows)·V. A row that is refused ends it: `inspect(first, count, logits)` sees
// each tile before the row kernel has been trusted. On a GPU, where each look would wait for it, results are fetched
// once, after the last tile. Without `results` they stay there; where, is returned.
template <class T, class Inspect>
const RowResult* run_tiles(const Job& job, const RowTask* tasks, RowResult* results, const Gradients& g,
                           const Inspect& inspect) {
  const Device device = job.hidden.device;
  const int64_t v = job.rule.classes;
  Tile<T> tile{job, g};
  RowResult* kept = device == Device::cpu ? nullptr : Tape::current().scratch<RowResult>(job.rows, device);
  for (int64_t first = 0; first < job.rows; first += tile.height) {
    tile.gather(first, std::min(tile.height, job.rows - first));
    kernels::RowLoss<T> rows{nullptr,
                             nullptr,
                             tasks + first,
                             kept ? nullptr : results + first,
                             tile.count,
                             job.rule,
                             job.bias.defined() ? job.bias.as<T>() : nullptr,
                             kept ? kept + first : nullptr,
                             job.stop};
    if (job.tile.classes < v) {
      kernels::RowChunks<T> chunks{rows,
                                   job.tile.classes,
                                   [&](int64_t begin, int64_t end) { return tile.multiply(begin, end, tile.logits); },
                                   {}};
      if (g.any())
        chunks.gradient = [&](int64_t begin, int64_t end, T* dz) { tile.multiply_back(begin, end, dz, end < v); };
      kernels::row_chunks<T>(device, chunks);
    } else {
      rows.x = tile.multiply(0, v, tile.logits);
      if (g.any()) rows.g = rows.x;
      kernels::row_loss<T>(device, rows);
      if (!kept) inspect(first, tile.count, rows.x);
      if (g.any()) tile.multiply_back(0, v, rows.g, false);
    }
    tile.scatter();
  }
  if (!kept || !results) return kept;
  backend(device).download(results, kept, static_cast<size_t>(job.live) * sizeof(RowResult));
  const RowResult* bad = std::find_if(results, results + job.live, [](const RowResult& r) { return r.nonfinite; });
  if (bad != results + job.live && !job.rule.propagate) look_at(tile, tasks[bad - results], bad - results, inspect);
  return kept;
}

}  // namespace seqgrad
