// GRU encoder-decoder with attention. Wiring: bidirectional encoder with true lengths; bridge tanh(W·[last states]);
// none, dot, general: the decoder runs over all steps, then attends (Luong et al. 2015); additive: the attention of the
// previous state joins the cell's input (Bahdanau et al. 2015); readout tanh(W·[h;c]); output projection.
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
  Readout forward(const Batch& batch, const ForwardContext& context) override;
  std::vector<Hypothesis> greedy(const Batch& batch, const DecodeOptions& options) override;

 private:
  // The source as the decoder sees it.
  struct Source {
    Tensor states;   // [B,S,C]
    Tensor keys;     // [B,S,D], what queries are compared with; no data where attention is none
    Tensor lengths;  // [B] i32
    Tensor first;    // [B,D], the decoder's first state
  };
  struct Drop {  // places of dropout, numbered in the order of use
    const Seq2SeqGru& model;
    const ForwardContext& context;
    uint32_t layer = 0;
    Tensor operator()(const Tensor& x, double rate);
  };

  Source encode(const Batch& batch, Drop& drop) const;
  Tensor run_decoder(const Source& source, const Tensor& embedded /*[B,T,E]*/, const Tensor& lengths,
                     Drop& drop) const;  // [B,T,D]
  // One step: moves the states on and returns the readout. A sentence with active 0 keeps no state.
  Tensor step(const Source& source, const Tensor& embedded /*[B,E]*/, std::vector<Tensor>& states /*layers of [B,D]*/,
              const Tensor& active /*[B] i32 0/1*/,
              Drop& drop) const;  // [B,D]
  bool stepwise() const { return attention_ == "additive"; }

  ParameterStore store_;
  std::string attention_;
  double drop_embedding_, drop_hidden_;
  bool variational_;
  int64_t context_width_, state_width_;
  Embedding source_embedding_, target_embedding_;
  std::vector<GruLayer> forward_, backward_, decoder_;  // backward_ empty: the encoder reads one way
  Linear bridge_, keys_, query_, readout_;
  Parameter *v_ = nullptr, *out_weight_ = nullptr, *out_bias_ = nullptr;
};

}  // namespace seqgrad
