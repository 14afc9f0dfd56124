// The model, under the parameter names of the equivalent PyTorch modules.
#include "models/seq2seq_gru.h"

#include <algorithm>
#include <cmath>

#include "engine/core/phases.h"
#include "engine/data/vocabulary.h"
#include "engine/device/gemm.h"
#include "engine/device/prepared_weights.h"
#include "engine/ops/argmax.h"
#include "engine/ops/attention.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/last_states.h"
#include "engine/ops/matmul.h"
#include "engine/ops/view.h"

namespace seqgrad {

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
  ++dropout_site;
  if (!inputs.dropout || rate == 0) return x;
  return dropout(x, rate, inputs.dropout, {dropout_site, static_cast<uint32_t>(first_step)}, model.variational_);
}

Tensor Seq2SeqGru::Pass::traced(const char* name, const Tensor& x, int64_t layer, int64_t step) const {
  if (trace)
    trace->emplace_back(fmt::format("{}{}{}", name, layer < 0 ? "" : fmt::format(" layer {}", layer),
                                    step < 0 ? "" : fmt::format(" step {}", step)),
                        x);
  return x;
}

Seq2SeqGru::Source Seq2SeqGru::encode(Pass& pass) const {
  const Phase phase("encoder");
  Source s;
  s.lengths = pass.inputs.source_lengths;
  Tensor x = pass.traced("enc.emb", source_embedding_(pass.inputs.source));
  x = pass.drop(x, drop_embedding_);
  for (size_t i = 0; i < forward_.size(); ++i) {
    if (i > 0) x = pass.drop(x, drop_hidden_);
    x = backward_.empty() ? forward_[i](x, {}, s.lengths) : both_directions(forward_[i], backward_[i], x, s.lengths);
    pass.traced("enc.gru", x, static_cast<int64_t>(i));
  }
  s.states = x;
  s.first = pass.traced("enc.bridge", tanh(bridge_(last_states(x, s.lengths, backward_.empty() ? 1 : 2))));
  if (attention_ == "dot") s.keys = s.states;
  if (attention_ == "general" || attention_ == "additive") s.keys = pass.traced("keys", keys_(s.states));
  return s;
}

Seq2SeqGru::State Seq2SeqGru::first_state(const Source& source) const {
  State s{std::vector<Tensor>(decoder_.size(), source.first), {}};
  if (input_feeding_)
    s.readout = zeros({source.first.shape[0], output_width_}, source.first.dtype, source.first.device);
  return s;
}

Tensor Seq2SeqGru::logits(const Tensor& hidden) const {
  const Tensor y = empty({hidden.shape[0], out_weight_->shape[0]}, hidden.dtype, hidden.device);
  dispatch(hidden.dtype, [&]<class T> {
    kernels::gemm<T>(hidden.device, {.a = as_matrix<T>(hidden),
                                     .b = prepared<T>(out_weight_->tensor, true),
                                     .c = as_matrix<T>(y),
                                     .accumulate = false,
                                     .bias = out_bias_->tensor.as<T>()});
  });
  return y;
}

Tensor Seq2SeqGru::run_layers(const Source& source, Pass& pass) const {
  const Phase phase("decoder");
  Tensor h = pass.traced("dec.emb", target_embedding_(pass.inputs.target_in));
  h = pass.drop(h, drop_embedding_);
  const Tensor& lengths = pass.inputs.target_lengths;
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
    pass.traced("dec.gru", h, static_cast<int64_t>(i));
  }
  if (attention_ != "none") {
    const Phase inner("attention");
    if (!both.defined())
      h = concat(h, pass.traced("context", attention(h, source.keys, source.states, source.lengths)));
    else if (decoder_.size() > 1)
      h = concat(h, slice(both, state_width_, state_width_ + context_width_));
    const Phase after("readout");
    h = pass.traced("dec.readout", tanh(readout_(h)));
  }
  return pass.drop(h, drop_hidden_);
}

void Seq2SeqGru::fill_words(Tensor& words, const Tensor& hidden) const {
  const NoGrad no_grad;  // a choice of words has no gradient
  const ArenaMark logits_only(words.device);
  const Tensor chosen = argmax(logits(hidden), eos_id, words);
  backend(words.device).copy(words.data, chosen.data, words.bytes());
  words.bounds = chosen.bounds;
}

Tensor Seq2SeqGru::run_steps(const Source& source, Pass& pass) const {
  const Phase phase("decoder");
  const ModelInputs& in = pass.inputs;
  const bool mixed = !in.words.empty();
  const uint32_t site = pass.dropout_site;
  Tensor embedded;  // of the whole target, where it is read as it stands
  if (!mixed) embedded = pass.drop(target_embedding_(in.target_in), drop_embedding_);
  State state = first_state(source);
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < in.target_steps; ++t) {
    pass.dropout_site = site + (mixed ? 0 : 1);  // the same sites at each step; masks differ by step
    Tensor x;
    if (mixed) {
      Tensor words = in.words[static_cast<size_t>(t)];
      if (t > 0) fill_words(words, steps.back());
      x = pass.drop(target_embedding_(words), drop_embedding_, t);
    } else {
      x = time_step(embedded, t);
    }
    pass.traced("dec.emb", x, -1, t);
    const Tensor readout = step(source, x, state, in.active[static_cast<size_t>(t)], pass, t);
    pass.traced("dec.readout", readout, -1, t);
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
    context =
        additive_attention(query_(state.layers[0], Span::time_step), source.keys, reshape(v_->tensor, {state_width_}),
                           source.states, source.lengths, weights, source.rows);
    x = concat(embedded, context);
  }
  if (input_feeding_) x = concat(embedded, state.readout);
  for (size_t i = 0; i < decoder_.size(); ++i) {
    if (i > 0) x = pass.drop(x, drop_hidden_, t);
    const Tensor y = decoder_[i](reshape(x, {batch, 1, x.shape[-1]}), state.layers[i], active, Span::time_step);
    x = state.layers[i] = reshape(y, {batch, state_width_});
    pass.traced("dec.gru", x, static_cast<int64_t>(i), t);
  }
  if (attention_ == "none") return x;
  if (attention_ != "additive") {
    const Phase phase("attention");
    context = reshape(attention(reshape(x, {batch, 1, state_width_}), source.keys, source.states, source.lengths,
                                weights, source.rows),
                      {batch, context_width_});
    if (weights) *weights = reshape(*weights, {batch, weights->shape[2]});
  }
  const Phase phase("readout");
  const Tensor readout = tanh(readout_(concat(x, context), Span::time_step));
  if (input_feeding_) state.readout = readout;
  return readout;
}

ModelInputs Seq2SeqGru::inputs(StepInputs& in, const Batch& batch, const ForwardContext& context) {
  return model_inputs(in, batch, context, input_feeding_ || context.reads_own_words());
}

Readout Seq2SeqGru::forward(const ModelInputs& inputs, Trace* trace) {
  Pass pass{*this, inputs, trace};
  const Source source = encode(pass);
  return {inputs.target_lengths.defined() ? run_layers(source, pass) : run_steps(source, pass), out_weight_->tensor,
          out_bias_->tensor};
}

}  // namespace seqgrad
