// How long a run is: its steps, and the micro-batches of each.
#pragma once
#include <vector>

#include "engine/data/batcher.h"
#include "engine/train/checkpoint.h"
#include "engine/train/config.h"

namespace seqgrad {

BatchOptions batch_options(const Config& config);

// A run counted in steps has those. One counted in epochs reads each of its batches once an epoch, in steps of
// train.accumulation micro-batches, and its last step takes those that are left: of P passes over N batches,
// ceil(P·N / accumulation) steps. Where a resumed run got more or fewer epochs than it began with, or other data, the
// steps follow from the place where it stands.
class RunLength {
 public:
  RunLength(const Config& config, const Corpus& train);
  int64_t steps(const TrainState& state = {}) const;     // of the whole run, those before `state` included
  int64_t micro_batches(const TrainState& state) const;  // of the next step; after the end, of a usual one
  std::optional<int64_t> epochs() const;                 // that it is counted in

 private:
  int64_t left(const TrainState& state) const;  // micro-batches until the end

  int64_t accumulation_, steps_ = 0;
  std::vector<int64_t> ends_;  // micro-batches before each epoch, and those of all; empty: counted in steps
  std::optional<int64_t> epochs_;
};

}  // namespace seqgrad
