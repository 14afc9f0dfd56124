// Layers: parameters under PyTorch's names, and the call that uses them.
#pragma once
#include <string>
#include <vector>

#include "engine/nn/parameters.h"
#include "engine/ops/attention_gru.h"
#include "engine/ops/dropout.h"
#include "engine/ops/gru.h"

namespace seqgrad {

// y = x·W + b; begins uniform in ±1/sqrt(in), as torch.nn.Linear.
class Linear {
 public:
  Linear() = default;
  Linear(ParameterStore& store, const std::string& name, int64_t in, int64_t out, bool bias = true);
  Tensor operator()(const Tensor& x /*[...,in]*/, Span span = Span::sequence) const;  // [...,out]

  const Tensor& weight() const { return weight_->tensor; }
  const Tensor& bias() const { return bias_->tensor; }

 private:
  Parameter *weight_ = nullptr, *bias_ = nullptr;
};

// Rows of a [V,E] table; begins normal(0,1) with row 0, the padding, at zero, where it stays.
class Embedding {
 public:
  Embedding() = default;
  Embedding(ParameterStore& store, const std::string& name, int64_t rows, int64_t width);
  Tensor operator()(const Tensor& ids /*[...] i32*/) const;  // [...,E]
  Parameter& table() const { return *table_; }

 private:
  Parameter* table_ = nullptr;
};

// One direction of one GRU layer.
class GruLayer {
 public:
  GruLayer() = default;
  GruLayer(ParameterStore& store, const std::string& prefix, const std::string& suffix, int64_t in, int64_t hidden,
           bool reverse);
  Tensor operator()(const Tensor& x /*[B,T,in]*/, const Tensor& h0 /*[B,H]; no data: 0*/,
                    const Tensor& lengths /*[B] i32*/, Span span = Span::sequence) const;  // [B,T,H]

  // Two directions of a layer, from states of 0.
  friend Tensor both_directions(const GruLayer& forward, const GruLayer& reverse, const Tensor& x /*[B,T,in]*/,
                                const Tensor& lengths /*[B] i32*/);  // [B,T,2H]

  // A layer whose input is x and, at each step, what the state before it attends to (attention_gru.h).
  Tensor attending(const Tensor& x /*[B,T,E]*/, const Tensor& h0 /*[B,H]*/, const Linear& query,
                   const Tensor& v /*[D]*/, const AttendedSource& source,
                   const Tensor& lengths /*[B] i32*/) const;  // [B,T,H+C]

 private:
  GruDirection direction(const Tensor& x, const Tensor& h0, Span span = Span::sequence) const;

  Parameter *w_ih_ = nullptr, *w_hh_ = nullptr, *b_ih_ = nullptr, *b_hh_ = nullptr;
  bool reverse_ = false;
};
Tensor both_directions(const GruLayer& forward, const GruLayer& reverse, const Tensor& x, const Tensor& lengths);

}  // namespace seqgrad
