// GRU encoder-decoder with attention. Wiring: bidirectional encoder with true lengths; bridge tanh(W·[last states]);
// none, dot, general: the decoder runs over all steps, then attends (Luong et al. 2015); additive: the attention of the
// previous state joins the cell's input (Bahdanau et al. 2015); readout tanh(W·[h;c]) of its own width O; output
// projection. With input feeding (dot, general) the previous readout, 0 at first, joins the cell's input. All decoder
// layers begin with the bridge's state, as in JoeyNMT.
#pragma once
#include <vector>

#include "engine/nn/layers.h"
#include "engine/train/model.h"
#include "models/config.h"

namespace seqgrad {

class Seq2SeqGru : public SequenceModel {
 public:
  Seq2SeqGru(const ModelConfig& config, int64_t source_words, int64_t target_words, DType dtype, Device device,
             uint64_t seed);

  ParameterStore& store() override { return store_; }
  using SequenceModel::forward;
  ModelInputs inputs(StepInputs& in, const Batch& batch, const ForwardContext& context) override;
  Readout forward(const ModelInputs& inputs, Trace* trace) override;
  std::vector<std::vector<Hypothesis>> decode(const Batch& batch, const DecodeOptions& options) override;

 private:
  // The source as the decoder sees it.
  struct Source {
    Tensor states;   // [B,S,C]
    Tensor keys;     // [B,S,D], what queries are compared with; no data where attention is none
    Tensor lengths;  // [B] i32
    Tensor first;    // [B,D], the decoder's first state
    Tensor rows;     // [rows of the decoder] i32, whose sentence each is; none where row b is of sentence b
  };
  struct State {
    std::vector<Tensor> layers;  // of [B,D]
    Tensor readout;              // [B,O], the previous one; no data without input feeding
  };
  struct Pass {  // one forward pass
    const Seq2SeqGru& model;
    const ModelInputs& inputs;
    Trace* trace = nullptr;
    uint32_t dropout_site = 0;                                          // in the order of use
    Tensor drop(const Tensor& x, double rate, int64_t first_step = 0);  // dropout at the next site
    // x, which the trace gets.
    Tensor traced(const char* name, const Tensor& x, int64_t layer = -1, int64_t step = -1) const;
  };

  struct Search;  // of decode()

  Source encode(Pass& pass) const;
  State first_state(const Source& source) const;
  Tensor run_layers(const Source& source, Pass& pass) const;  // [B,T,O]
  Tensor run_steps(const Source& source, Pass& pass) const;   // the same, step by step
  // Words of -1 become the model's own after `hidden`: the likeliest, but padding and bos, which are never written.
  void fill_words(Tensor& words /*[B] i32*/, const Tensor& hidden /*[B,O]*/) const;
  // Moves the state on and returns the readout. A sentence with active 0 keeps no state.
  Tensor step(const Source& source, const Tensor& embedded /*[B,E]*/, State& state,
              const Tensor& active /*[B] i32 0/1*/, Pass& pass, int64_t t,
              Tensor* weights /*[B,S]*/ = nullptr) const;                       // [B,O]
  Tensor logits(const Tensor& hidden /*[B,O]*/) const;                          // [B,V], without a gradient
  bool has_cell() const { return attention_ == "additive" || input_feeding_; }  // the context or readout joins input

  ParameterStore store_;
  std::string attention_;
  double drop_embedding_, drop_hidden_;
  bool variational_, input_feeding_;
  int64_t context_width_, state_width_, output_width_;
  Embedding source_embedding_, target_embedding_;
  std::vector<GruLayer> forward_, backward_, decoder_;  // backward_ empty: the encoder reads one way
  Linear bridge_, keys_, query_, readout_;
  Parameter *v_ = nullptr, *out_weight_ = nullptr, *out_bias_ = nullptr;
};

}  // namespace seqgrad
