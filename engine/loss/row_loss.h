// What a row kernel is asked, of one row and of all rows; row_result.h has what it answers. It knows target
// distributions and coefficients, no modes; row_formulas.h has the mathematics.
#pragma once
#include <cstdint>

#include "engine/core/host_device.h"
#include "engine/core/kernel.h"
#include "engine/loss/distribution.h"
#include "engine/loss/options.h"
#include "engine/loss/row_result.h"

namespace seqgrad {

struct RowTask {
  int64_t offset = 0;          // of the row in x (and in g)
  int64_t target = 0;          // id, in [0,V); -1: a row that does not count, whose gradient is 0 (on a GPU)
  Distribution q = {};         // [V] the target distribution, where it is not one-hot at `target`
  double q_sum = 1;            // Σ q
  double spike = 1;            // Σ r − Σ base: without q, what r has at `target` beside the base
  int64_t single_target = -1;  // without q: the class that holds all of r; -1: there are several, or none
  double coefficient = 0;      // what the gradient is multiplied by: s·ω
  bool in_place = false;       // as LiveRow has it
};

// What holds for all rows. q' = off + on·q, where `off_row` [V] stands for `off` if given; r = q' times `class_weight`
// [V] if given. So r is a base that no row changes, and what each row adds to it: at one class, if its target is an id.
struct RowRule {
  Input input = Input::logits;
  int64_t classes = 0;
  double off = 0, on = 1;
  const double *off_row = nullptr, *class_weight = nullptr;
  // The base as a row [V] in each precision, null where it is `off` everywhere; and its sum.
  const double* base_f64 = nullptr;
  const float* base_f32 = nullptr;
  double base_sum = 0;
  double softcap = 0;  // κ; 0: none
  double z_loss = 0;   // ζ
  ProbsMode probs_mode = ProbsMode::renorm_clip;
  double probs_eps = 0;
  // Rows that are not finite are let through: those without a finite maximum get NaN as gradient, those of which only
  // the loss is infinite the formula's, which is finite. Else the gradient is unspecified, and an error follows.
  bool propagate = false;

  template <class T>
  SEQGRAD_HD const T* base_row() const {
    if constexpr (sizeof(T) == sizeof(float))
      return base_f32;
    else
      return base_f64;
  }
  // Whether r is q.
  SEQGRAD_HD bool is_plain() const { return off == 0 && on == 1 && !off_row && !class_weight; }

  SEQGRAD_HD double q(const RowTask& task, int64_t v) const {
    return task.q ? task.q[v] : v == task.target ? 1.0 : 0.0;
  }
  SEQGRAD_HD double smoothed(const RowTask& task, int64_t v) const {
    return (off_row ? off_row[v] : off) + on * q(task, v);
  }
  SEQGRAD_HD double r(const RowTask& task, int64_t v) const {
    return class_weight ? smoothed(task, v) * class_weight[v] : smoothed(task, v);
  }
};

// Classes of a wide row that one block of a GPU takes: as many as fit in the 48 KiB of shared memory that any GPU gives
// without being asked.
template <class T>
constexpr int64_t chunk_classes = sizeof(T) == 4 ? 8192 : 4096;

namespace kernels {
// All pointers are to memory of the device.
template <class T>
struct RowLoss {
  T* x;  // logits, or probabilities
  T* g;  // where gradients go; x itself for in place (logits only); null: none
  const RowTask* tasks;
  RowResult* results;
  int64_t rows;
  RowRule rule;
  int32_t* stop = nullptr;  // set to 1 by a row that is refused; null: by none
  const T* bias = nullptr;  // [V] to add to x first, in place (logits only); null: none
};
// Rows of which only the classes [begin,end) are in memory, x being [rows,end-begin]. All chunks of a row are scanned,
// then finished in any order, their logits made anew; `memory` is what scans leave for that.
template <class T>
struct RowClasses {
  RowLoss<T> rows;
  int64_t begin, end;  // begin is a multiple of chunk_classes<T>
  void* memory;        // chunk_bytes for each chunk of each row
};
constexpr size_t chunk_bytes = 112;
template <class T>
inline constinit Kernel<RowLoss<T>> row_loss{"row_loss"};
template <class T>
inline constinit Kernel<RowLoss<T>> probs_loss{"probs_loss"};
template <class T>
inline constinit Kernel<RowClasses<T>> scan_classes{"scan_classes"};  // a GPU's
template <class T>
inline constinit Kernel<RowClasses<T>> finish_classes{"finish_classes"};
}  // namespace kernels

}  // namespace seqgrad
