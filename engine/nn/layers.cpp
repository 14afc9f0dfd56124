// Names, shapes and first values as PyTorch has them; memory holds weights as [in,out].
#include "engine/nn/layers.h"

#include <cmath>

#include "engine/ops/embedding.h"
#include "engine/ops/matmul.h"

namespace seqgrad {

Linear::Linear(ParameterStore& store, const std::string& name, int64_t in, int64_t out, bool bias) {
  const Init init = Init::uniform(1 / std::sqrt(static_cast<double>(in)));
  weight_ = &store.add(name + ".weight", {in, out}, init, true);
  if (bias) bias_ = &store.add(name + ".bias", {out}, init);
}

Tensor Linear::operator()(const Tensor& x, Span span) const {
  return linear(x, weight_->tensor, bias_ ? bias_->tensor : Tensor{}, span);
}

Embedding::Embedding(ParameterStore& store, const std::string& name, int64_t rows, int64_t width) {
  table_ = &store.add(name + ".weight", {rows, width}, Init::normal(1, 0));
}

Tensor Embedding::operator()(const Tensor& ids) const { return embedding(ids, table_->tensor, 0); }

GruLayer::GruLayer(ParameterStore& store, const std::string& prefix, const std::string& suffix, int64_t in,
                   int64_t hidden, bool reverse)
    : reverse_(reverse) {
  const Init init = Init::uniform(1 / std::sqrt(static_cast<double>(hidden)));
  w_ih_ = &store.add(prefix + ".weight_ih" + suffix, {in, 3 * hidden}, init, true);
  w_hh_ = &store.add(prefix + ".weight_hh" + suffix, {hidden, 3 * hidden}, init, true);
  b_ih_ = &store.add(prefix + ".bias_ih" + suffix, {3 * hidden}, init);
  b_hh_ = &store.add(prefix + ".bias_hh" + suffix, {3 * hidden}, init);
}

Tensor GruLayer::operator()(const Tensor& x, const Tensor& h0, const Tensor& lengths, Span span) const {
  const GruDirection d = direction(x, h0, span);
  return gru(d.gx, d.w_hh, d.b_hh, d.h0, lengths, reverse_, span);
}

Tensor GruLayer::attending(const Tensor& x, const Tensor& h0, const Linear& query, const Tensor& v,
                           const AttendedSource& source, const Tensor& lengths) const {
  return attention_gru(x, {w_ih_->tensor, b_ih_->tensor, w_hh_->tensor, b_hh_->tensor, query.weight(), query.bias(), v},
                       h0, source, lengths);
}

GruDirection GruLayer::direction(const Tensor& x, const Tensor& h0, Span span) const {
  return {linear(x, w_ih_->tensor, b_ih_->tensor, span), w_hh_->tensor, b_hh_->tensor, h0};
}

Tensor both_directions(const GruLayer& forward, const GruLayer& reverse, const Tensor& x, const Tensor& lengths) {
  const GruDirection first = forward.direction(x, {});
  return bidirectional_gru(first, reverse.direction(x, {}), lengths);
}

}  // namespace seqgrad
