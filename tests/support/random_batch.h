// A batch of random words and lengths.
#pragma once
#include "engine/core/random.h"
#include "engine/data/batch.h"

namespace seqgrad {

// The first sentence of each side is as long as the batch.
inline Batch random_batch(uint64_t seed, int64_t batch, int64_t source, int64_t target, int64_t words = 17) {
  Random r(seed, 3);
  Batch b;
  b.batch = batch, b.source_steps = source, b.target_steps = target;
  const auto side = [&](int64_t steps, std::vector<int32_t>& ids, std::vector<int32_t>& lengths) {
    for (int64_t i = 0; i < batch; ++i) {
      const auto n =
          static_cast<int32_t>(i == 0 ? steps : 1 + static_cast<int64_t>(r.below(static_cast<uint64_t>(steps))));
      lengths.push_back(n);
      for (int64_t t = 0; t < steps; ++t)
        ids.push_back(t < n ? static_cast<int32_t>(4 + r.below(static_cast<uint64_t>(words - 4))) : 0);
    }
  };
  side(source, b.source, b.source_lengths);
  side(target, b.target_out, b.target_lengths);
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t t = 0; t < target; ++t)
      b.target_in.push_back(t == 0 ? 1 : b.target_out[static_cast<size_t>(i * target + t - 1)]);
  b.lines.assign(static_cast<size_t>(batch), 1);
  return b;
}

}  // namespace seqgrad
