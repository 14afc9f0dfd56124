// What the trainer asks of a model; models/ implements it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/parameters.h"
#include "engine/train/model_inputs.h"

namespace seqgrad {

// What each layer gives, in order, by name.
using Trace = std::vector<std::pair<std::string, Tensor>>;

// Which draw of dropout masks and of teacher forcing a forward pass is; sentence i of the batch is sentence first_row+i
// of its step.
struct ForwardContext {
  bool training = false;
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t first_row = 0;
  double teacher_forcing = 1;  // share of target words that are read as they stand; elsewhere the model reads its own
  Trace* trace = nullptr;
  // Whether some target words are the model's own, which it then makes step by step.
  bool reads_own_words() const { return training && teacher_forcing < 1; }
};

// What the loss layer multiplies: logits = hidden·weightᵀ + bias.
struct Readout {
  Tensor hidden;  // [B,T,D]
  Tensor weight;  // [V,D]
  Tensor bias;    // [V]
};

struct Hypothesis {
  std::vector<int32_t> ids;      // without bos and eos
  double log_p = 0;              // Σ log p of the ids and of eos
  double score = 0;              // log_p / length penalty: what hypotheses are ranked by
  std::vector<float> attention;  // [ids.size() + 1, source length] at each step, that of eos last; empty: not asked for
};

// How translations are searched; models/beam.h tells the search.
struct DecodeOptions {
  double max_ratio = 2;       // longest translation, as a multiple of the source's length
  int64_t max_extra = 10;     // and this many tokens more
  int64_t beam = 1;           // live hypotheses of a sentence; 1: greedy
  double length_penalty = 0;  // α; 0: hypotheses are ranked by log p
  int64_t nbest = 1;          // how many are wanted, at most `beam`
  bool attention = false;     // fill Hypothesis::attention, where the model has any
  double softcap = 0;         // log p is that of softcap·tanh(logits/softcap), as in the loss; 0: of the logits
};

class SequenceModel {
 public:
  virtual ~SequenceModel() = default;
  virtual ParameterStore& store() = 0;
  // What forward() reads, added to `in`: what the device is asked for depends on nothing else but the sizes.
  virtual ModelInputs inputs(StepInputs& in, const Batch& batch, const ForwardContext& context) = 0;
  virtual Readout forward(const ModelInputs& inputs, Trace* trace = nullptr) = 0;
  Readout forward(const Batch& batch, const ForwardContext& context) {
    StepInputs in(store().device());
    const ModelInputs x = inputs(in, batch, context);
    in.upload();
    return forward(x, context.trace);
  }
  // For each sentence of the batch, in its order, 1 to options.nbest translations, the best first; only the source side
  // is read. Records nothing.
  virtual std::vector<std::vector<Hypothesis>> decode(const Batch& batch, const DecodeOptions& options) = 0;
};

}  // namespace seqgrad
