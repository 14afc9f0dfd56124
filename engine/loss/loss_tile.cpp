// How many rows are enough follows from H100's rates: in bf16 (798 TFLOP/s, 3.0 TB/s) reading and writing dW for each
// tile of R rows takes 355/R of the time of the three products, and as much less as products are slower. A second
// multiplication takes a third.
#include "engine/loss/loss_tile.h"

#include <algorithm>

#include "engine/core/tape.h"
#include "engine/loss/row_loss.h"

namespace seqgrad {
namespace {

constexpr int64_t cpu_rows = 384;
constexpr int64_t part = chunk_classes<float>;  // a multiple of that of double

int64_t enough_rows() {
  switch (Tape::current().matmul_precision()) {
    case MatmulPrecision::bf16: return 1120;
    case MatmulPrecision::tf32: return 560;
    case MatmulPrecision::fp32: break;
  }
  return 96;
}
int64_t ceil_of(int64_t n, int64_t by) { return (n + by - 1) / by; }
int64_t blocks(int64_t rows) { return std::max(tile_block_rows, rows / tile_block_rows * tile_block_rows); }

}  // namespace

LossTile loss_tile(Device device, int64_t classes, int64_t bytes) {
  if (device == Device::cpu) return {cpu_rows, classes};
  const int64_t logits = Tape::current().logits_bytes() / bytes, rows = logits / classes, enough = enough_rows();
  const int64_t chunks = ceil_of(classes, std::max<int64_t>(1, logits / enough / part) * part);
  if (rows >= enough || chunks == 1) return {blocks(rows), classes};
  const int64_t width = ceil_of(ceil_of(classes, chunks), part) * part;
  return {blocks(logits / width), width};
}

void set_loss_tile_mib(int64_t mib) { Tape::current().set_logits_bytes(mib << 20); }

}  // namespace seqgrad
