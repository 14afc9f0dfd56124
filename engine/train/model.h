// What the trainer asks of a model; models/ implements it.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/data/batch.h"
#include "engine/nn/parameters.h"

namespace seqgrad {

// Which draw of the dropout masks a forward pass is; sentence i of the batch is sentence first_row+i of its step.
struct ForwardContext {
  bool training = false;
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t first_row = 0;
};

// What the loss layer multiplies: logits = hidden·weightᵀ + bias.
struct Readout {
  Tensor hidden;  // [B,T,D]
  Tensor weight;  // [V,D]
  Tensor bias;    // [V]
};

struct Hypothesis {
  std::vector<int32_t> ids;  // without bos and eos
  double score = 0;          // Σ log p, eos included
};

struct DecodeOptions {
  double max_ratio = 2;
  int64_t max_extra = 10;
};

class SequenceModel {
 public:
  virtual ~SequenceModel() = default;
  virtual ParameterStore& store() = 0;
  virtual Readout forward(const Batch& batch, const ForwardContext& context) = 0;
  // One translation per sentence of the batch, in its order; only the source side is read. Records nothing.
  virtual std::vector<Hypothesis> greedy(const Batch& batch, const DecodeOptions& options) = 0;
};

}  // namespace seqgrad
