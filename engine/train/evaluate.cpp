// Evaluation visits sentences sorted by length and puts results back in order.
#include "engine/train/evaluate.h"

#include <algorithm>
#include <numeric>

#include "engine/comm/deal.h"
#include "engine/core/tape.h"
#include "engine/device/prepared_weights.h"

namespace seqgrad {
namespace {

constexpr int64_t batch_size = 64;
constexpr int64_t most_positions = 16384;  // of a batch's longer side, padding included
// Sentences whose hypotheses move together, so that a step reads all weights once for them: as many as leave processes
// some batches to share.
constexpr size_t fewest_decoded = 64, most_decoded = 256, batches_to_share = 4;
constexpr size_t most_decoded_positions = 16384;  // of its sources, once for each hypothesis: they bound its memory

}  // namespace

std::vector<std::vector<int64_t>> evaluation_batches(const Corpus& corpus) {
  const auto longer_side = [&](int64_t row) {
    return std::max(corpus.source.length(row), corpus.target.length(row) + 1);
  };
  std::vector<int64_t> rows;
  for (int64_t r = 0; r < corpus.size(); ++r)
    if (corpus.source.length(r) > 0 && corpus.target.length(r) > 0) rows.push_back(r);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int64_t a, int64_t b) { return corpus.source.length(a) > corpus.source.length(b); });
  std::vector<std::vector<int64_t>> out;
  int64_t longest = 0;
  for (const int64_t row : rows) {
    longest = std::max(longest, longer_side(row));
    const int64_t count = out.empty() ? 0 : static_cast<int64_t>(out.back().size());
    if (count == 0 || count == batch_size || (count + 1) * longest > most_positions) {
      out.emplace_back();
      longest = longer_side(row);
    }
    out.back().push_back(row);
  }
  return out;
}

namespace {

// The loss of a corpus: the files of weights and masks are of the training text.
LossSetup loss_of_corpus(LossSetup s) {
  s.mask = s.token_weight = s.example_weight = false;
  s.lengths = true;
  if (s.options.on_zero == OnZero::error) s.options.on_zero = OnZero::zero;  // told as "nothing counted"
  return s;
}

// The same prediction, of which every token counts, and counts alike.
LossSetup every_token(LossSetup s) {
  LossOptions o;
  o.input = s.options.input;
  o.probs_mode = s.options.probs_mode;
  o.probs_eps = s.options.probs_eps;
  o.softcap = s.options.softcap;
  o.nonfinite = s.options.nonfinite;
  s.options = o;
  s.class_weight = s.prior = std::nullopt;
  s.compare.clear();
  return s;
}

// What a process that computed a batch tells the others beside the results of its rows: of every token.
struct TokenCounts {
  int64_t live = 0, correct = 0;
  double nll_sum = 0;
};

// What batches add to: the loss and the presets beside it, and the tokens.
struct CorpusLosses {
  const LossSetup setup, all;
  CorpusLoss loss;
  std::vector<CorpusLoss> compared;
  TokenCounts tokens;

  explicit CorpusLosses(const LossSetup& s) : setup(loss_of_corpus(s)), all(every_token(setup)), loss(setup.options) {
    for (const ComparedPreset& p : setup.compare) compared.emplace_back(p.options);
  }

  Bytes compute(SequenceModel& model, const Batch& batch) const {
    const auto run = [&](const LossSetup& of) {
      const LossInputs inputs = loss_inputs(batch, of);
      return loss_without_gradients(model, of, inputs, build_live_rows(inputs, of.options), batch, {});
    };
    const LossResult result = run(setup);
    const bool every = result.sum.stats.live == batch.target_tokens();
    const LossStats s = every ? result.sum.stats : run(all).sum.stats;
    ByteWriter out;
    out.add(TokenCounts{s.live, s.correct, s.nll_sum});
    out.add_all(result.results);
    return out.take();
  }

  void add(const Batch& batch, const Bytes& computed) {
    ByteReader in(computed);
    const auto counts = in.next<TokenCounts>();
    tokens.live += counts.live;
    tokens.correct += counts.correct;
    tokens.nll_sum += counts.nll_sum;
    const LossInputs inputs = loss_inputs(batch, setup);
    const LiveRows rows = build_live_rows(inputs, setup.options);
    const LossResult result = collect_loss(inputs, rows, setup.options, rows.divisor, in.next_all<RowResult>());
    loss.add(rows, result.sum, result.numerators);
    const std::vector<double> losses = whole_row_losses(result);
    for (size_t i = 0; i < compared.size(); ++i) add_compared(setup.compare[i], inputs, losses, compared[i]);
  }
};

void add(ByteWriter& to, const Hypothesis& h) {
  to.add_all(h.ids);
  to.add(h.log_p);
  to.add(h.score);
  to.add_all(h.attention);
}
Hypothesis next_hypothesis(ByteReader& in) {
  Hypothesis h;
  h.ids = in.next_all<int32_t>();
  h.log_p = in.next<double>();
  h.score = in.next<double>();
  h.attention = in.next_all<float>();
  return h;
}

// Sources with tokens, by length, in batches of similar memory.
std::vector<std::vector<size_t>> decoded_batches(std::span<const std::vector<int32_t>> sources, int64_t beam) {
  std::vector<size_t> order;
  for (size_t i = 0; i < sources.size(); ++i)
    if (!sources[i].empty()) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sources[a].size() > sources[b].size(); });
  const size_t most = std::clamp(order.size() / batches_to_share, fewest_decoded, most_decoded);
  std::vector<std::vector<size_t>> out;
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const size_t longest = sources[order[begin]].size() * static_cast<size_t>(beam),
                 fit = std::clamp(most_decoded_positions / std::max<size_t>(1, longest), size_t{1}, most);
    end = std::min(order.size(), begin + fit);
    out.emplace_back(order.data() + begin, order.data() + end);
  }
  return out;
}

}  // namespace

std::vector<std::vector<Hypothesis>> decode_all(SequenceModel& model, std::span<const std::vector<int32_t>> sources,
                                                const DecodeOptions& decode, Processes& processes) {
  const PreparedWeights prepared;
  std::vector<std::vector<Hypothesis>> out(sources.size());
  for (size_t i = 0; i < sources.size(); ++i)
    if (sources[i].empty()) out[i].resize(1);
  const auto batches = decoded_batches(sources, decode.beam);
  const auto compute = [&](size_t batch) {
    std::vector<std::vector<int32_t>> part;
    for (const size_t i : batches[batch]) part.push_back(sources[i]);
    Tape::current().reset();
    ByteWriter to;
    for (const std::vector<Hypothesis>& found : model.decode(make_source_batch(part, 1), decode)) {
      to.add(found.size());
      for (const Hypothesis& h : found) add(to, h);
    }
    return to.take();
  };
  deal(processes, batches.size(), compute, [&](size_t batch, const Bytes& computed) {
    ByteReader in(computed);
    for (const size_t i : batches[batch])
      for (auto count = in.next<size_t>(); count > 0; --count) out[i].push_back(next_hypothesis(in));
  });
  return out;
}

std::vector<std::string> translate_rows(SequenceModel& model, const Corpus& corpus, const std::vector<int64_t>& rows,
                                        const Tokenizer& target, const DecodeOptions& decode, Processes& processes) {
  std::vector<std::vector<int32_t>> sources;
  for (const int64_t r : rows) sources.push_back(corpus.source[r]);
  std::vector<std::string> out;
  for (const auto& found : decode_all(model, sources, decode, processes)) out.push_back(target.decode(found[0].ids));
  return out;
}

// A reference as the model could write it: its words with single spaces between, where it knows all of them.
static std::string as_written(const std::string& reference, const Tokenizer& target) {
  const std::vector<int32_t> ids = target.encode(reference);
  return std::find(ids.begin(), ids.end(), unk_id) == ids.end() ? target.decode(ids) : reference;
}

Evaluation evaluate(SequenceModel& model, const LossSetup& setup, const Corpus& corpus, const Tokenizer& target,
                    const DecodeOptions& decode, const ScoreOptions& scores, References more, Processes& processes) {
  CorpusLosses losses(setup);
  Evaluation e;
  const auto parts = evaluation_batches(corpus);
  const auto batch_of = [&](size_t i) { return make_batch(corpus, parts[i], 1); };
  deal(
      processes, parts.size(), [&](size_t i) { return losses.compute(model, batch_of(i)); },
      [&](size_t i, const Bytes& computed) {
        const Batch batch = batch_of(i);
        losses.add(batch, computed);
        e.tokens += batch.target_tokens();
        e.blank -= batch.batch;
      });
  std::vector<int64_t> rows(static_cast<size_t>(corpus.size()));
  std::iota(rows.begin(), rows.end(), 0);
  e.hypotheses = translate_rows(model, corpus, rows, target, decode, processes);
  e.sentences = corpus.size();
  e.blank += e.sentences;
  e.loss_value = losses.loss.value();
  for (const CorpusLoss& c : losses.compared) e.compared.push_back(c.value());
  e.perplexity = perplexity(losses.tokens.nll_sum, losses.tokens.live);
  e.token_accuracy =
      static_cast<double>(losses.tokens.correct) / static_cast<double>(std::max<int64_t>(1, losses.tokens.live));
  std::vector<std::vector<std::string>> references(1, std::vector<std::string>());
  for (const Pair& pair : corpus.pairs) references[0].push_back(pair.reference());
  references.insert(references.end(), more.begin(), more.end());
  auto written = references;
  for (std::vector<std::string>& document : written)
    for (std::string& line : document) line = as_written(scores.form(line), target);
  static_cast<Scores&>(e) = score(e.hypotheses, references, written, scores);
  size_t i = 0;
  for (const Pair& pair : corpus.pairs) {
    for (const std::string& tag : pair.tags) e.phenomena[tag] += {e.hypotheses[i] == written[0][i], 1};
    ++i;
  }
  return e;
}

}  // namespace seqgrad
