// Decoding: the beams of all sentences of a batch move together, a row of a step for each live hypothesis.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/data/vocabulary.h"
#include "engine/ops/embedding.h"
#include "engine/ops/row_passes.h"
#include "engine/ops/view.h"
#include "models/beam.h"
#include "models/seq2seq_gru.h"

namespace seqgrad {
namespace {

constexpr int64_t block = 64;  // of words, of which the best one tells whether any is worth a look

// The largest of a block of logits, which a compiler vectorises; NaN is none.
template <class T>
SEQGRAD_SIMD T block_maximum(const T* z) {
  constexpr int64_t lanes = 16;
  T top[lanes];
  std::fill_n(top, lanes, -std::numeric_limits<T>::infinity());
  for (int64_t i = 0; i < block; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) top[j] = z[i + j] > top[j] ? z[i + j] : top[j];
  return *std::max_element(top, top + lanes);
}

// The likeliest of some words, as many as there is room for, best first, equals by id, when they come in that order.
template <class T>
class Likeliest {
 public:
  Likeliest(const T* z, std::vector<Extension>& out) : z_(z), out_(out) {}
  bool wants(T best) const { return found_ < out_.size() || best > z_[out_.back().word]; }
  void see(int64_t word) {
    if (!wants(z_[word])) return;
    size_t at = found_ < out_.size() ? found_++ : out_.size() - 1;
    for (; at > 0 && z_[word] > z_[out_[at - 1].word]; --at) out_[at].word = out_[at - 1].word;
    out_[at].word = static_cast<int32_t>(word);
  }

 private:
  const T* z_;
  std::vector<Extension>& out_;
  size_t found_ = 0;
};

// The likeliest words of a row of logits, which it overwrites, as many as `out` has room for. Padding and bos are never
// written; a sentence that must end has room for eos alone.
template <class T>
void rank_words(T* z, int64_t classes, double softcap, bool must_end, std::vector<Extension>& out) {
  if (softcap > 0)
    for (int64_t i = 0; i < classes; ++i) z[i] = static_cast<T>(softcap * std::tanh(z[i] / softcap));
  Likeliest<T> likeliest(z, out);
  T top = -std::numeric_limits<T>::infinity();
  for (int64_t begin = 0; begin < classes; begin += block) {
    const int64_t end = std::min(begin + block, classes), last = must_end ? std::min<int64_t>(end, eos_id + 1) : end;
    T best = top;
    if (end - begin == block)
      best = block_maximum(z + begin);
    else
      for (int64_t i = begin; i < end; ++i) best = std::max(best, z[i]);
    top = std::max(top, best);
    if (!likeliest.wants(best)) continue;
    for (int64_t i = std::max<int64_t>(begin, eos_id); i < last; ++i) likeliest.see(i);
  }
  for (Extension& e : out) e.log_p = static_cast<double>(z[e.word]);
  const ExpSums sums = row_passes<T>().exponentials(z, top, z, classes, Distance::none, nullptr, nullptr);
  const double log_total = static_cast<double>(top) + std::log(static_cast<double>(sums.maxima) + sums.tail);
  for (Extension& e : out) e.log_p -= log_total;
}

// Rows of a tensor by index: [N,...].
Tensor rows_of(const Tensor& x, const Tensor& at /*[N] i32*/) {
  const int64_t width = x.numel() / x.shape[0];
  const Tensor y = embedding(at, reshape(x, {x.shape[0], width}));
  Shape shape{at.shape[0]};
  for (int i = 1; i < x.shape.rank(); ++i) shape.push_back(x.shape[i]);
  return reshape(y, shape);
}

std::vector<float> as_floats(const Tensor& t) {
  return dispatch(t.dtype, [&]<class T> {
    const auto v = to_host<T>(t);
    return std::vector<float>(v.begin(), v.end());
  });
}

// What stands in each row of a step: a live hypothesis, those of a sentence side by side, best first.
struct Rows {
  std::vector<int32_t> words;    // that it ends with
  std::vector<int32_t> parents;  // the row, of those of the step before, that it goes on from
  std::vector<int32_t> sentences;
  std::vector<bool> must_end;
  size_t count() const { return words.size(); }
};

Rows live_rows(const std::vector<Beam>& beams, const std::vector<size_t>& first_rows) {
  Rows rows;
  for (size_t i = 0; i < beams.size(); ++i)
    for (const Beam::Live& live : beams[i].live()) {
      rows.words.push_back(live.word);
      rows.parents.push_back(static_cast<int32_t>(first_rows[i]) + live.parent);
      rows.sentences.push_back(static_cast<int32_t>(i));
      rows.must_end.push_back(beams[i].must_end());
    }
  return rows;
}

// The best `count` extensions of each row.
std::vector<std::vector<Extension>> rank(const Tensor& logits, const Rows& rows, int64_t count, double softcap) {
  std::vector<std::vector<Extension>> ranked(rows.count());
  dispatch(logits.dtype, [&]<class T> {
    const int64_t classes = logits.shape[1];
    std::vector<T> copy;
    if (logits.device != Device::cpu) copy = to_host<T>(logits);
    T* const z = logits.device == Device::cpu ? logits.as<T>() : copy.data();
    parallel_ranges(logits.shape[0], 4, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const auto at = static_cast<size_t>(r);
        ranked[at].resize(static_cast<size_t>(rows.must_end[at] ? 1 : count));
        rank_words<T>(z + r * classes, classes, softcap, rows.must_end[at], ranked[at]);
      }
    });
  });
  return ranked;
}

}  // namespace

// The beams of a batch, and what the model carries from step to step for them.
struct Seq2SeqGru::Search {
  const Seq2SeqGru& model;
  const Batch& batch;
  const DecodeOptions& options;
  Pass& pass;
  Source source;
  std::vector<Beam> beams = {};
  std::vector<size_t> first_rows = {};  // of each sentence, in the step before
  State state = {};                     // after the step before; a row for each hypothesis that was live in it
  State memory = {};                    // of all states: steps write it anew, with as many rows as they have

  void begin() {
    for (const int32_t length : batch.source_lengths) {
      first_rows.push_back(beams.size());
      beams.emplace_back(options, length);
    }
    state = model.first_state(source);
    memory = state;
    for (Tensor* x : recurrent(memory)) *x = empty({options.beam * x->shape[0], x->shape[1]}, x->dtype, x->device);
  }

  // Takes a step; false when all beams are done.
  bool step() {
    const Rows rows = live_rows(beams, first_rows);
    if (rows.count() == 0) return false;
    const ArenaMark one_step(device());
    for (Tensor* x : recurrent(state)) *x = rows_of(*x, index(rows.parents));
    source.rows = index(rows.sentences);
    Tensor weights;
    const Tensor active = index(std::vector<int32_t>(rows.count(), 1)),
                 hidden = model.step(source, model.target_embedding_(index(rows.words)), state, active, pass, 0,
                                     saves_attention() ? &weights : nullptr);
    const int64_t count = std::min(options.beam + 1, model.out_weight_->shape[0] - eos_id);
    const auto ranked = rank(model.logits(hidden), rows, count, options.softcap);
    keep_state();
    advance_beams(ranked, saves_attention() ? as_floats(weights) : std::vector<float>());
    return true;
  }

 private:
  Device device() const { return model.store_.device(); }
  bool saves_attention() const { return options.attention && model.attention_ != "none"; }
  Tensor index(const std::vector<int32_t>& at) const {
    return from_host(at, {static_cast<int64_t>(at.size())}, device());
  }

  std::vector<Tensor*> recurrent(State& s) const {  // what a step hands to the next
    std::vector<Tensor*> tensors;
    for (Tensor& h : s.layers) tensors.push_back(&h);
    if (model.input_feeding_) tensors.push_back(&s.readout);
    return tensors;
  }

  // What the step has made is copied to where it outlives the step.
  void keep_state() {
    const std::vector<Tensor*> made = recurrent(state), kept = recurrent(memory);
    for (size_t i = 0; i < made.size(); ++i) {
      backend(device()).copy(kept[i]->data, made[i]->data, made[i]->bytes());
      const Shape shape = made[i]->shape;
      *made[i] = *kept[i];
      made[i]->shape = shape;
    }
  }

  void advance_beams(const std::vector<std::vector<Extension>>& ranked, const std::vector<float>& weights) {
    size_t row = 0;
    for (size_t i = 0; i < beams.size(); ++i) {
      first_rows[i] = row;
      const size_t live = beams[i].live().size();
      if (live == 0) continue;
      std::vector<Extension> extensions;
      for (size_t k = 0; k < live; ++k)
        for (Extension e : ranked[row + k]) {
          e.parent = static_cast<int32_t>(k);
          extensions.push_back(e);
        }
      const float* attention =
          weights.empty() ? nullptr : weights.data() + static_cast<int64_t>(row) * batch.source_steps;
      beams[i].advance(extensions, attention, batch.source_steps);
      row += live;
    }
  }
};

std::vector<std::vector<Hypothesis>> Seq2SeqGru::decode(const Batch& batch, const DecodeOptions& options) {
  if (options.nbest < 1 || options.beam < options.nbest)
    refuse("decode: {} hypotheses are wanted of a beam of {}", options.nbest, options.beam);
  const NoGrad no_grad;
  const ArenaMark all(store_.device());
  StepInputs in(store_.device());
  const ModelInputs inputs = source_inputs(in, batch);
  in.upload();
  Pass pass{*this, inputs};
  Search search{*this, batch, options, pass, encode(pass)};
  search.begin();
  while (search.step()) {
  }
  std::vector<std::vector<Hypothesis>> out;
  for (const Beam& b : search.beams) out.push_back(b.best());
  return out;
}

}  // namespace seqgrad
