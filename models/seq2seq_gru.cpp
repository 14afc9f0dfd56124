// The model, under the parameter names of the equivalent PyTorch modules.
#include "models/seq2seq_gru.h"

#include <algorithm>
#include <cmath>

#include "engine/data/vocabulary.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

Tensor last_steps(const Tensor& y, const std::vector<int32_t>& lengths) {
  std::vector<int32_t> at;
  for (const int32_t l : lengths) at.push_back(std::max(0, l - 1));
  return select_steps(y, from_host(at, {static_cast<int64_t>(at.size())}, y.device));
}

Tensor ids(const std::vector<int32_t>& values, Shape shape, Device device) { return from_host(values, shape, device); }

// The likeliest next word of each row, and its log-probability.
template <class T>
void best_words(const Tensor& logits, std::vector<int32_t>& words, std::vector<double>& log_p) {
  const std::vector<T> z = to_host<T>(logits);
  const auto v = static_cast<size_t>(logits.shape[1]);
  for (size_t b = 0; b < words.size(); ++b) {
    const T* row = z.data() + b * v;
    size_t best = eos_id;  // padding and bos are never written
    for (size_t i = eos_id; i < v; ++i)
      if (row[i] > row[best]) best = i;
    double total = 0;
    for (size_t i = 0; i < v; ++i) total += std::exp(static_cast<double>(row[i] - row[best]));
    words[b] = static_cast<int32_t>(best);
    log_p[b] = -std::log(total);
  }
}

}  // namespace

void ModelConfig::check(Problems& problems) const {
  const int64_t context = encoder.hidden() * (encoder.bidirectional() ? 2 : 1);
  if (attention() == "dot" && context != decoder.hidden())
    problems.add(attention, fmt::format("dot needs decoder.hidden = {} ({} encoder.hidden), got {}; or use general",
                                        context, encoder.bidirectional() ? "2 x" : "the", decoder.hidden()));
  if (tied_embeddings() && embedding() != decoder.hidden())
    problems.add(tied_embeddings,
                 fmt::format("needs model.embedding = decoder.hidden, got {} and {}", embedding(), decoder.hidden()));
}

Seq2SeqGru::Seq2SeqGru(const ModelConfig& c, int64_t source_words, int64_t target_words, DType dtype, Device device,
                       uint64_t seed)
    : store_(dtype, device),
      attention_(c.attention()),
      drop_embedding_(c.dropout.embedding()),
      drop_hidden_(c.dropout.hidden()),
      variational_(c.dropout.variational()),
      context_width_(c.encoder.hidden() * (c.encoder.bidirectional() ? 2 : 1)),
      state_width_(c.decoder.hidden()) {
  const int64_t e = c.embedding(), h = c.encoder.hidden(), d = state_width_, context = context_width_;
  source_embedding_ = Embedding(store_, "enc.emb", source_words, e);
  for (int64_t i = 0; i < c.encoder.layers(); ++i) {
    const std::string suffix = fmt::format("_l{}", i);
    forward_.emplace_back(store_, "enc.gru", suffix, i == 0 ? e : context, h, false);
    if (c.encoder.bidirectional())
      backward_.emplace_back(store_, "enc.gru", suffix + "_reverse", i == 0 ? e : context, h, true);
  }
  bridge_ = Linear(store_, "enc.bridge", context, d);
  target_embedding_ = Embedding(store_, "dec.emb", target_words, e);
  for (int64_t i = 0; i < c.decoder.layers(); ++i) {
    if (stepwise() && i == 0)
      decoder_.emplace_back(store_, "dec.cell", "", e + context, d, false);  // PyTorch's GRUCell has no layer suffix
    else
      decoder_.emplace_back(store_, "dec.gru", fmt::format("_l{}", stepwise() ? i - 1 : i), i == 0 ? e : d, d, false);
  }
  if (attention_ == "general") keys_ = Linear(store_, "dec.general", context, d, false);
  if (attention_ == "additive") {
    keys_ = Linear(store_, "dec.key", context, d, false);
    query_ = Linear(store_, "dec.query", d, d);
    v_ = &store_.add("dec.v.weight", {1, d}, Init::uniform(1 / std::sqrt(static_cast<double>(d))));
  }
  if (attention_ != "none") readout_ = Linear(store_, "dec.readout", d + context, d);
  const Init init = Init::uniform(1 / std::sqrt(static_cast<double>(d)));
  out_weight_ = c.tied_embeddings() ? &target_embedding_.table() : &store_.add("out.weight", {target_words, d}, init);
  out_bias_ = &store_.add("out.bias", {target_words}, init);
  store_.allocate(seed);
}

Tensor Seq2SeqGru::Drop::operator()(const Tensor& x, double rate) {
  ++layer;
  if (!context.training || rate == 0) return x;
  return dropout(x, rate, {context.seed, layer, context.step, context.first_row}, model.variational_);
}

Seq2SeqGru::Source Seq2SeqGru::encode(const Batch& batch, Drop& drop) const {
  const Device device = store_.device();
  Source s;
  s.lengths = ids(batch.source_lengths, {batch.batch}, device);
  Tensor x = drop(source_embedding_(ids(batch.source, {batch.batch, batch.source_steps}, device)), drop_embedding_);
  Tensor last;
  for (size_t i = 0; i < forward_.size(); ++i) {
    if (i > 0) x = drop(x, drop_hidden_);
    const Tensor zero = zeros({batch.batch, forward_[i].hidden()}, x.dtype, device);
    const Tensor ahead = forward_[i](x, zero, s.lengths);
    last = last_steps(ahead, batch.source_lengths);
    if (backward_.empty()) {
      x = ahead;
    } else {
      const Tensor back = backward_[i](x, zero, s.lengths);
      last = concat(last, time_step(back, 0));
      x = concat(ahead, back);
    }
  }
  s.states = x;
  s.first = tanh(bridge_(last));
  if (attention_ == "dot") s.keys = s.states;
  if (attention_ == "general" || attention_ == "additive") s.keys = keys_(s.states);
  return s;
}

Tensor Seq2SeqGru::run_decoder(const Source& source, const Tensor& embedded, const Tensor& lengths, Drop& drop) const {
  Tensor h = embedded;
  for (size_t i = 0; i < decoder_.size(); ++i) {
    if (i > 0) h = drop(h, drop_hidden_);
    h = decoder_[i](h, source.first, lengths);
  }
  if (attention_ == "none") return h;
  return tanh(readout_(concat(h, attention(h, source.keys, source.states, source.lengths))));
}

Tensor Seq2SeqGru::step(const Source& source, const Tensor& embedded, std::vector<Tensor>& states, const Tensor& active,
                        Drop& drop) const {
  const int64_t batch = embedded.shape[0];
  Tensor x = embedded, context;
  if (stepwise()) {
    context = additive_attention(query_(states[0]), source.keys, reshape(v_->tensor, {state_width_}), source.states,
                                 source.lengths);
    x = concat(embedded, context);
  }
  for (size_t i = 0; i < decoder_.size(); ++i) {
    if (i > 0) x = drop(x, drop_hidden_);
    const Tensor y = decoder_[i](reshape(x, {batch, 1, x.shape[-1]}), states[i], active);
    x = states[i] = reshape(y, {batch, state_width_});
  }
  if (attention_ == "none") return x;
  if (!stepwise())
    context = reshape(attention(reshape(x, {batch, 1, state_width_}), source.keys, source.states, source.lengths),
                      {batch, context_width_});
  return tanh(readout_(concat(x, context)));
}

Readout Seq2SeqGru::forward(const Batch& batch, const ForwardContext& context) {
  const Device device = store_.device();
  Drop drop{*this, context};
  const Source source = encode(batch, drop);
  const Tensor embedded =
      drop(target_embedding_(ids(batch.target_in, {batch.batch, batch.target_steps}, device)), drop_embedding_);
  Tensor hidden;
  if (!stepwise()) {
    hidden = run_decoder(source, embedded, ids(batch.target_lengths, {batch.batch}, device), drop);
  } else {
    std::vector<Tensor> states(decoder_.size(), source.first), steps;
    const uint32_t places = drop.layer;
    for (int64_t t = 0; t < batch.target_steps; ++t) {
      std::vector<int32_t> active;
      for (const int32_t l : batch.target_lengths) active.push_back(t < l);
      drop.layer = places + static_cast<uint32_t>(t) *
                                static_cast<uint32_t>(decoder_.size());  // a mask of its own for each step
      steps.push_back(step(source, time_step(embedded, t), states, ids(active, {batch.batch}, device), drop));
    }
    hidden = stack_steps(steps);
  }
  return {drop(hidden, drop_hidden_), out_weight_->tensor, out_bias_->tensor};
}

std::vector<Hypothesis> Seq2SeqGru::greedy(const Batch& batch, const DecodeOptions& options) {
  const NoGrad no_grad;
  const Device device = store_.device();
  const ArenaMark all(device);
  const ForwardContext context;
  Drop drop{*this, context};
  const Source source = encode(batch, drop);
  std::vector<Tensor> states(decoder_.size(), source.first);
  std::vector<Hypothesis> out(static_cast<size_t>(batch.batch));
  std::vector<int32_t> words(out.size(), bos_id), active(out.size(), 1);
  std::vector<double> log_p(out.size());
  const auto limit = [&](size_t b) {
    return static_cast<size_t>(std::ceil(options.max_ratio * batch.source_lengths[b])) +
           static_cast<size_t>(options.max_extra);
  };
  while (std::find(active.begin(), active.end(), 1) != active.end()) {
    const Tensor hidden = step(source, target_embedding_(ids(words, {batch.batch}, device)), states,
                               ids(active, {batch.batch}, device), drop);
    {
      const ArenaMark logits_only(device);
      Tensor logits = matmul(hidden, out_weight_->tensor, false, true);
      logits = add(logits, out_bias_->tensor);
      with_floating(logits.dtype, [&](auto zero) { best_words<decltype(zero)>(logits, words, log_p); });
    }
    for (size_t b = 0; b < out.size(); ++b) {
      if (!active[b]) {
        words[b] = pad_id;
        continue;
      }
      out[b].score += log_p[b];
      if (words[b] == eos_id)
        active[b] = 0;
      else
        out[b].ids.push_back(words[b]);
      if (out[b].ids.size() >= limit(b)) active[b] = 0;
    }
  }
  return out;
}

}  // namespace seqgrad
