// Decoding: the beams of all sentences of a batch move together, a row of the batch for each live hypothesis.
#include <algorithm>
#include <cmath>

#include "engine/core/simd.h"
#include "engine/core/thread_pool.h"
#include "engine/data/vocabulary.h"
#include "engine/ops/embedding.h"
#include "engine/ops/vector_math.h"
#include "engine/ops/view.h"
#include "models/beam.h"
#include "models/seq2seq_gru.h"

namespace seqgrad {
namespace {

template <class T>
SEQGRAD_SIMD T sum_exp(const T* z, T top, int64_t n) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += fast_exp(z[i] - top);
  return sum;
}

// The likeliest words of a row of logits, as many as `out` has room for, best first, equals by id. Padding and bos are
// never written; a sentence that must end has room for eos alone.
template <class T>
void rank_words(T* z, int64_t classes, double softcap, bool must_end, std::vector<Extension>& out) {
  const auto count = static_cast<int64_t>(out.size());
  if (softcap > 0)
    for (int64_t i = 0; i < classes; ++i) z[i] = static_cast<T>(softcap * std::tanh(z[i] / softcap));
  int64_t found = 0;
  for (int64_t i = eos_id; i < (must_end ? eos_id + 1 : classes); ++i) {
    if (found == count && !(z[i] > z[out.back().word])) continue;
    size_t at = static_cast<size_t>(found < count ? found++ : count - 1);
    for (; at > 0 && z[i] > z[out[at - 1].word]; --at) out[at].word = out[at - 1].word;
    out[at].word = static_cast<int32_t>(i);
  }
  const T top = *std::max_element(z, z + classes);
  const double log_total = static_cast<double>(top) + std::log(static_cast<double>(sum_exp(z, top, classes)));
  for (Extension& e : out) e.log_p = static_cast<double>(z[e.word]) - log_total;
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

// Which rows are whose: sentence order[i] has rows i·slots to (i+1)·slots.
struct Layout {
  std::vector<size_t> order;
  size_t slots = 1;
  size_t rows() const { return order.size() * slots; }
};

// Rows without a hypothesis are dropped when they are half of all: seldom, since the source is copied then.
Layout next_layout(const Layout& now, const std::vector<Beam>& beams, int64_t beam) {
  Layout next = now;
  std::erase_if(next.order, [&](size_t i) { return beams[i].done(); });
  const bool begun = !next.order.empty() && beams[next.order[0]].live()[0].node >= 0;
  next.slots = begun ? static_cast<size_t>(beam) : 1;
  return next.slots == now.slots && 2 * next.order.size() > now.order.size() ? now : next;
}

// What stands in each row of a layout, in terms of the rows of the layout before.
struct Rows {
  std::vector<int32_t> words, active;
  std::vector<int32_t> parents;  // the row that each goes on from
  std::vector<int32_t> source;   // any row of the same sentence
  std::vector<int32_t> lengths;  // of the source
};

Rows assign_rows(const Layout& next, const Layout& now, const std::vector<Beam>& beams,
                 const std::vector<int32_t>& lengths) {
  Rows rows;
  size_t old = 0;  // both are in the order of sentences
  for (const size_t i : next.order) {
    while (now.order[old] != i) ++old;
    const auto& live = beams[i].live();
    for (size_t k = 0; k < next.slots; ++k) {
      const bool lives = k < live.size();
      rows.active.push_back(lives);
      rows.words.push_back(lives ? live[k].word : pad_id);
      rows.source.push_back(static_cast<int32_t>(old * now.slots));
      rows.parents.push_back(rows.source.back() + (lives ? live[k].parent : 0));
      rows.lengths.push_back(lengths[i]);
    }
  }
  return rows;
}

// The best `count` extensions of each row, of rows without a hypothesis none.
std::vector<std::vector<Extension>> rank(const Tensor& logits, const Layout& layout, const std::vector<Beam>& beams,
                                         int64_t count, double softcap) {
  std::vector<std::vector<Extension>> ranked(layout.rows());
  dispatch(logits.dtype, [&]<class T> {
    std::vector<T> z = to_host<T>(logits);
    const int64_t classes = logits.shape[1];
    parallel_ranges(logits.shape[0], 4, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const auto at = static_cast<size_t>(r);
        const Beam& beam = beams[layout.order[at / layout.slots]];
        if (at % layout.slots >= beam.live().size()) continue;
        ranked[at].resize(static_cast<size_t>(beam.must_end() ? 1 : count));
        rank_words<T>(z.data() + r * classes, classes, softcap, beam.must_end(), ranked[at]);
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
  State state = model.first_state(source);
  std::vector<Beam> beams = {};
  Layout layout = {};
  bool first = true;

  void begin() {
    for (const int32_t length : batch.source_lengths) {
      layout.order.push_back(beams.size());
      beams.emplace_back(options, length);
    }
  }

  // Takes a step; false when all beams are done.
  bool step() {
    const Layout next = next_layout(layout, beams, options.beam);
    if (next.order.empty()) return false;
    const Rows rows = assign_rows(next, layout, beams, batch.source_lengths);
    const bool moves = first || next.rows() != layout.rows() || next.slots != layout.slots;
    if (moves) move_to(next, rows);
    const ArenaMark one_step(device());
    State after = state;
    if (!moves) select_rows(after, rows.parents);
    Tensor weights;
    const Tensor hidden = model.step(source, model.target_embedding_(index(rows.words)), after, index(rows.active),
                                     pass, 0, saves_attention() ? &weights : nullptr);
    const int64_t count = std::min(options.beam + 1, model.out_weight_->shape[0] - eos_id);
    const auto ranked = rank(model.logits(hidden), layout, beams, count, options.softcap);
    const std::vector<Tensor*> from = recurrent(after), to = recurrent(state);
    for (size_t i = 0; i < to.size(); ++i) backend(device()).copy(to[i]->data, from[i]->data, to[i]->bytes());
    advance_beams(ranked, saves_attention() ? as_floats(weights) : std::vector<float>());
    first = false;
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
  void select_rows(State& s, const std::vector<int32_t>& at) const {
    const Tensor rows = index(at);
    for (Tensor* x : recurrent(s)) *x = rows_of(*x, rows);
  }

  // Source and state get rows for another layout, the state in memory that each step then writes anew.
  void move_to(const Layout& next, const Rows& rows) {
    if (!first || next.slots != layout.slots) {
      const Tensor at = index(rows.source);
      source.states = rows_of(source.states, at);
      if (source.keys.defined()) source.keys = model.attention_ == "dot" ? source.states : rows_of(source.keys, at);
      source.lengths = index(rows.lengths);
    }
    layout = next;
    select_rows(state, rows.parents);
  }

  void advance_beams(const std::vector<std::vector<Extension>>& ranked, const std::vector<float>& weights) {
    for (size_t i = 0; i < layout.order.size(); ++i) {
      Beam& beam = beams[layout.order[i]];
      if (beam.done()) continue;
      std::vector<Extension> extensions;
      for (size_t k = 0; k < beam.live().size(); ++k)
        for (Extension e : ranked[i * layout.slots + k]) {
          e.parent = static_cast<int32_t>(k);
          extensions.push_back(e);
        }
      const auto row = static_cast<int64_t>(i * layout.slots) * batch.source_steps;
      beam.advance(extensions, weights.empty() ? nullptr : weights.data() + row, batch.source_steps);
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
