// The three passes that a softmax or its cross entropy makes over a row while it is in cache, compiled once per
// instruction set: maximum; exponentials and their sums; scale and subtract.
#pragma once
#include <cstdint>
#include <span>

namespace seqgrad {

// What the second pass sums. Terms are added in the row's own precision at most 16 at a time, then in float64.
struct ExpSums {
  double tail;      // Σ exp(a − top) over a < top
  double distance;  // Σ (top − a), or with weights Σ w·(top − a) over w ≠ 0, if it was asked for; else 0
  int64_t maxima;   // how often a = top
};

enum class Distance { none, plain, weighted };

// Weights (off + on·q)·scale of tables [n], in float64; q is in one of two types. `off_row`, if given, stands for
// `off`, and without `scale` it is 1.
struct WeightTables {
  const double* q_f64 = nullptr;
  const float* q_f32 = nullptr;
  double off = 0, on = 1;
  const double *off_row = nullptr, *scale = nullptr;
};

// `next` [n], if not null, is what will be read after this row: while it computes, the first pass fetches a quarter of
// it into cache, the second the next half, the third the rest, so that memory never waits.
template <class T>
struct RowPasses {
  const char* isa;

  // The maximum of the row, which is NaN if one of its numbers is. With a bias [n], it is added to x first.
  T (*maximum)(T* x, const T* bias, int64_t n, const T* next);
  T (*maximum_of)(const T* x, int64_t n);

  // e = exp(a − top), which is 0 below the smallest normal number; e may be a. top is finite and no a is greater.
  // `weights` [n] are read for a weighted distance only.
  ExpSums (*exponentials)(const T* a, T top, T* e, int64_t n, Distance distance, const T* weights, const T* next);

  // e = e·factor − shift, and e = e·factor − shift·weights, of which either product may be fused with the subtraction.
  void (*scale_and_shift)(T* e, T factor, T shift, int64_t n, const T* next);
  void (*scale_and_subtract)(T* e, T factor, T shift, const T* weights, int64_t n, const T* next);

  // The weights in the row's precision, as_weight() has them (vector_math.h). Returns how many are not 0.
  int64_t (*make_weights)(const WeightTables& tables, T* weights, int64_t n);
};

// Those of the best instruction set that this CPU has: one choice for the whole process.
template <class T>
const RowPasses<T>& row_passes();

// All that this CPU can run, the plain loops that say what the others must compute first.
template <class T>
std::span<const RowPasses<T>* const> all_row_passes();

}  // namespace seqgrad
