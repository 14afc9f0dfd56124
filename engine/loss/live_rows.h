// From targets, lengths, masks and weights to the ordered list of live rows: all arithmetic of the loss runs on it.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/loss/distribution.h"
#include "engine/loss/divisors.h"
#include "engine/loss/options.h"

namespace seqgrad {

// The host side of a batch, b-major whatever the layout of the logits. What is absent does not restrict or weight.
struct LossInputs {
  int64_t batch = 0, steps = 0, classes = 0;          // B, T, V
  std::vector<int64_t> targets;                       // [B,T] ids; empty with target: dense
  std::vector<double> dense;                          // [B,T,V] distributions, with target: dense
  std::vector<float> dense_f32;                       // the same in float32, in the place of `dense`
  std::optional<std::vector<int64_t>> lengths;        // [B], 0..T
  std::optional<std::vector<uint8_t>> mask;           // [B,T]
  std::optional<std::vector<double>> token_weight;    // [B,T]
  std::optional<std::vector<double>> example_weight;  // [B]
  std::optional<std::vector<double>> class_weight;    // [V]
  std::optional<std::vector<double>> prior;           // [V], for smoothing kind prior
  bool whole_sentences = true;  // false: sentences go on in another micro-batch, which nested divisors refuse
};

// Something that a person should hear once in a run; `kind` tells repetitions.
struct LossWarning {
  const char* kind;
  std::string text;
};

// A row n = (b,t) that is active and has a weight that is not 0.
struct LiveRow {
  int64_t row = 0;     // b·T + t
  int64_t target = 0;  // a valid id; of a dense row its first maximum
  int64_t dense = -1;  // where the row's distribution starts in LiveRows::dense; -1: one-hot at `target`
  double weight = 0;   // ω: mask, token, example and (scope target) class weight
  double q_sum = 1, class_weight = 1;  // Σ_v q_v and Σ_v c_v q_v
  bool in_place = false;  // kernels read the distribution where it lies: no subnormal, and not one number holds all
};

struct LiveRows {
  int64_t batch = 0, steps = 0, classes = 0;
  std::vector<LiveRow> rows;   // in canonical order: b ascending, then t
  DenseRows dense;             // V numbers for each live row whose distribution is not one-hot
  Counts all;                  // of the whole batch
  std::vector<Counts> groups;  // one per entry of a vector loss ([B], [T] or [B,T]); one per example when nested
  double divisor = 0;          // D of a scalar (nested: the outer one; folded by then: mean: the number of entries)
  bool divisor_adds = true;    // over micro-batches: their sum; else it is the same for all, and the largest counts
  bool all_lengths_zero = false;
  bool whole_sentences = true;  // as LossInputs have it
  std::vector<LossWarning> warnings;

  Distribution distribution(const LiveRow& row) const {
    return row.dense < 0 ? Distribution{} : dense.view().from(row.dense);
  }
};

// Checks the options, sizes, lengths, weights and ids (E01-E09, E11, E17) and counts every divisor. Needs no logits, so
// the divisor of many micro-batches is known before the first forward pass. Dead cells are never looked at, except that
// ignore_index reads the ids of rows still active.
LiveRows build_live_rows(const LossInputs& inputs, const LossOptions& options);

// Gives the groups of micro-batches the counts that they have in the one big batch: B and T are its, and an entry of a
// loss `over: batch` sums over the examples of all. What is counted within one example stays.
void share_counts(std::span<LiveRows> micro_batches, const LossOptions& options);

// Where the live rows of some examples, ascending, are among those of all.
std::vector<size_t> live_rows_of(const LiveRows& whole, std::span<const int64_t> examples);

// The live rows of some examples, ascending, as a batch of their own in which divisors and counts are still those of
// the whole: losses and gradients of such parts add up to its.
LiveRows index_select(const LiveRows& whole, std::span<const int64_t> examples, const LossOptions& options);

}  // namespace seqgrad
