// How the fused loss cuts the logits [N,V], of which one tile exists at a time.
#pragma once
#include <cstdint>

#include "engine/core/backend.h"

namespace seqgrad {

struct LossTile {
  int64_t rows, classes;
  int64_t size() const { return rows * classes; }
};

constexpr int64_t tile_block_rows = 32;  // the last tile is filled with zero rows up to a multiple of this

// A function of the device, V, the precision of products and what it may take alone, so that neither kernels nor sums
// depend on the batch. `bytes`: of a logit. On a CPU 384 rows, which are as fast as more. On a GPU as many rows as fit;
// each tile of rows reads and writes the gradient of W, and with few rows (1,120 in bf16, 560 in tf32, 96 in fp32) that
// takes longer than to multiply a second time: then it is so few classes that at least so many rows fit, if they can.
LossTile loss_tile(Device device, int64_t classes, int64_t bytes);

// MiB that a tile may take on a GPU, for losses of the current tape; 256 from the start. A tile is never less than 32
// rows of 8,192 classes.
void set_loss_tile_mib(int64_t mib);

}  // namespace seqgrad
