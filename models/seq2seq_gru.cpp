// The model, under the parameter names of the equivalent PyTorch modules.
#include "models/seq2seq_gru.h"

#include <algorithm>
#include <cmath>

#include "engine/core/phases.h"
#include "engine/core/random.h"
#include "engine/data/vocabulary.h"
#include "engine/ops/argmax.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/last_states.h"
#include "engine/ops/matmul.h"
#include "engine/ops/view.h"

namespace seqgrad {
namespace {

Tensor ids(const std::vector<int32_t>& values, Shape shape, Device device) { return from_host(values, shape, device); }

// Whether the word before step t is read as it stands. A function of the sentence's place in its step alone; the last
// word of the counter keeps these draws apart from all others.
bool forced(const ForwardContext& context, int64_t row, int64_t t) {
  const auto r = philox({static_cast<uint32_t>(context.step), context.first_row + static_cast<uint32_t>(row),
                         static_cast<uint32_t>(t), 0x74656163},
                        {static_cast<uint32_t>(context.seed), static_cast<uint32_t>(context.seed >> 32)});
  return r[0] * 0x1p-32 < context.teacher_forcing;
}

}  // namespace

Seq2SeqGru::Seq2SeqGru(const ModelConfig& c, int64_t source_words, int64_t target_words, DType dtype, Device device,
                       uint64_t seed)
    : store_(dtype, device),
      attention_(c.attention()),
      drop_embedding_(c.dropout.embedding()),
      drop_hidden_(c.dropout.hidden()),
      variational_(c.dropout.variational()),
      input_feeding_(c.input_feeding()),
      context_width_(c.encoder.hidden() * (c.encoder.bidirectional() ? 2 : 1)),
      state_width_(c.decoder.hidden()),
      output_width_(c.output_width()) {
  const int64_t e = c.embedding(), h = c.encoder.hidden(), d = state_width_, o = output_width_,
                context = context_width_;
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
    if (has_cell() && i == 0)  // PyTorch's GRUCell has no layer suffix
      decoder_.emplace_back(store_, "dec.cell", "", e + (input_feeding_ ? o : context), d, false);
    else
      decoder_.emplace_back(store_, "dec.gru", fmt::format("_l{}", has_cell() ? i - 1 : i), i == 0 ? e : d, d, false);
  }
  if (attention_ == "general") keys_ = Linear(store_, "dec.general", context, d, false);
  if (attention_ == "additive") {
    keys_ = Linear(store_, "dec.key", context, d, false);
    query_ = Linear(store_, "dec.query", d, d);
    v_ = &store_.add("dec.v.weight", {1, d}, Init::uniform(1 / std::sqrt(static_cast<double>(d))));
  }
  if (attention_ != "none") readout_ = Linear(store_, "dec.readout", d + context, o);
  const Init init = Init::uniform(1 / std::sqrt(static_cast<double>(o)));
  out_weight_ = c.tied_embeddings() ? &target_embedding_.table() : &store_.add("out.weight", {target_words, o}, init);
  out_bias_ = &store_.add("out.bias", {target_words}, init);
  store_.allocate(seed);
}

Tensor Seq2SeqGru::Pass::drop(const Tensor& x, double rate, int64_t first_step) {
  ++place;
  if (!context.training || rate == 0) return x;
  return dropout(x, rate, {context.seed, place, context.step, context.first_row, static_cast<uint32_t>(first_step)},
                 model.variational_);
}

Tensor Seq2SeqGru::Pass::seen(const char* name, const Tensor& x, int64_t layer, int64_t step) const {
  if (context.trace)
    context.trace->emplace_back(fmt::format("{}{}{}", name, layer < 0 ? "" : fmt::format(" layer {}", layer),
                                            step < 0 ? "" : fmt::format(" step {}", step)),
                                x);
  return x;
}

Seq2SeqGru::Source Seq2SeqGru::encode(const Batch& batch, Pass& pass) const {
  const Phase phase("encoder");
  const Device device = store_.device();
  Source s;
  s.lengths = ids(batch.source_lengths, {batch.batch}, device);
  Tensor x = pass.seen("enc.emb", source_embedding_(ids(batch.source, {batch.batch, batch.source_steps}, device)));
  x = pass.drop(x, drop_embedding_);
  for (size_t i = 0; i < forward_.size(); ++i) {
    if (i > 0) x = pass.drop(x, drop_hidden_);
    x = backward_.empty() ? forward_[i](x, {}, s.lengths) : both_directions(forward_[i], backward_[i], x, s.lengths);
    pass.seen("enc.gru", x, static_cast<int64_t>(i));
  }
  s.states = x;
  s.first = pass.seen("enc.bridge", tanh(bridge_(last_states(x, s.lengths, backward_.empty() ? 1 : 2))));
  if (attention_ == "dot") s.keys = s.states;
  if (attention_ == "general" || attention_ == "additive") s.keys = pass.seen("keys", keys_(s.states));
  return s;
}

Seq2SeqGru::State Seq2SeqGru::first_state(const Source& source) const {
  State s{std::vector<Tensor>(decoder_.size(), source.first), {}};
  if (input_feeding_)
    s.readout = zeros({source.first.shape[0], output_width_}, source.first.dtype, source.first.device);
  return s;
}

Tensor Seq2SeqGru::embed(const std::vector<int32_t>& words, Shape shape) const {
  return target_embedding_(ids(words, shape, store_.device()));
}

Tensor Seq2SeqGru::logits(const Tensor& hidden) const {
  return add(matmul(hidden, out_weight_->tensor, false, true), out_bias_->tensor);
}

Tensor Seq2SeqGru::run_layers(const Source& source, const Batch& batch, Pass& pass) const {
  const Phase phase("decoder");
  Tensor h = pass.seen("dec.emb", embed(batch.target_in, {batch.batch, batch.target_steps}));
  h = pass.drop(h, drop_embedding_);
  const Tensor lengths = ids(batch.target_lengths, {batch.batch}, store_.device());
  Tensor both;  // of additive attention: states of the first layer, and contexts
  for (size_t i = 0; i < decoder_.size(); ++i) {
    if (i > 0) h = pass.drop(h, drop_hidden_);
    if (i == 0 && attention_ == "additive") {
      both = decoder_[i].attending(h, source.first, query_, reshape(v_->tensor, {state_width_}),
                                   {source.keys, source.states, source.lengths}, lengths);
      h = decoder_.size() == 1 ? both : slice(both, 0, state_width_);
    } else {
      h = decoder_[i](h, source.first, lengths);
    }
    pass.seen("dec.gru", h, static_cast<int64_t>(i));
  }
  if (attention_ != "none") {
    const Phase inner("attention");
    if (!both.defined())
      h = concat(h, pass.seen("context", attention(h, source.keys, source.states, source.lengths)));
    else if (decoder_.size() > 1)
      h = concat(h, slice(both, state_width_, state_width_ + context_width_));
    const Phase after("readout");
    h = pass.seen("dec.readout", tanh(readout_(h)));
  }
  return pass.drop(h, drop_hidden_);
}

void Seq2SeqGru::fill_in(Tensor& words, const Tensor& hidden) const {
  const NoGrad no_grad;  // a choice of words has no gradient
  const ArenaMark logits_only(words.device);
  const Tensor chosen = argmax(logits(hidden), eos_id, words);
  backend(words.device).copy(words.data, chosen.data, words.bytes());
  words.bounds = chosen.bounds;
}

Tensor Seq2SeqGru::run_steps(const Source& source, const Batch& batch, Pass& pass) const {
  const Phase phase("decoder");
  const Device device = store_.device();
  const ForwardContext& context = pass.context;
  const bool mixed = context.training && context.teacher_forcing < 1;
  const uint32_t place = pass.place;
  Tensor embedded;  // of the whole target, where it is read as it stands
  if (!mixed) embedded = pass.drop(embed(batch.target_in, {batch.batch, batch.target_steps}), drop_embedding_);
  State state = first_state(source);
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < batch.target_steps; ++t) {
    std::vector<int32_t> active, words;  // -1: the model's own
    for (int64_t b = 0; b < batch.batch; ++b) {
      active.push_back(t < batch.target_lengths[static_cast<size_t>(b)]);
      const bool as_it_stands = t == 0 || forced(context, b, t);
      words.push_back(as_it_stands ? batch.target_in[static_cast<size_t>(b * batch.target_steps + t)] : -1);
    }
    pass.place = place + (mixed ? 0 : 1);  // the same places at each step; masks differ by step
    Tensor x;
    if (mixed) {
      Tensor given = ids(words, {batch.batch}, device);
      if (t > 0) fill_in(given, steps.back());
      x = pass.drop(target_embedding_(given), drop_embedding_, t);
    } else {
      x = time_step(embedded, t);
    }
    pass.seen("dec.emb", x, -1, t);
    const Tensor readout = step(source, x, state, ids(active, {batch.batch}, device), pass, t);
    pass.seen("dec.readout", readout, -1, t);
    steps.push_back(pass.drop(readout, drop_hidden_, t));
  }
  return stack_steps(steps);
}

Tensor Seq2SeqGru::step(const Source& source, const Tensor& embedded, State& state, const Tensor& active, Pass& pass,
                        int64_t t, Tensor* weights) const {
  const int64_t batch = embedded.shape[0];
  Tensor x = embedded, context;
  if (attention_ == "additive") {
    const Phase phase("attention");
    context = additive_attention(query_(state.layers[0]), source.keys, reshape(v_->tensor, {state_width_}),
                                 source.states, source.lengths, weights);
    x = concat(embedded, context);
  }
  if (input_feeding_) x = concat(embedded, state.readout);
  for (size_t i = 0; i < decoder_.size(); ++i) {
    if (i > 0) x = pass.drop(x, drop_hidden_, t);
    const Tensor y = decoder_[i](reshape(x, {batch, 1, x.shape[-1]}), state.layers[i], active);
    x = state.layers[i] = reshape(y, {batch, state_width_});
    pass.seen("dec.gru", x, static_cast<int64_t>(i), t);
  }
  if (attention_ == "none") return x;
  if (attention_ != "additive") {
    const Phase phase("attention");
    context =
        reshape(attention(reshape(x, {batch, 1, state_width_}), source.keys, source.states, source.lengths, weights),
                {batch, context_width_});
    if (weights) *weights = reshape(*weights, {batch, weights->shape[2]});
  }
  const Phase phase("readout");
  const Tensor readout = tanh(readout_(concat(x, context)));
  if (input_feeding_) state.readout = readout;
  return readout;
}

Readout Seq2SeqGru::forward(const Batch& batch, const ForwardContext& context) {
  Pass pass{*this, context};
  const Source source = encode(batch, pass);
  const bool steps = input_feeding_ || (context.training && context.teacher_forcing < 1);
  return {steps ? run_steps(source, batch, pass) : run_layers(source, batch, pass), out_weight_->tensor,
          out_bias_->tensor};
}

}  // namespace seqgrad
