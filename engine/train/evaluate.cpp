// Evaluation visits sentences sorted by length and puts results back in order.
#include "engine/train/evaluate.h"

#include <algorithm>
#include <numeric>

#include "engine/core/tape.h"

namespace seqgrad {
namespace {

constexpr int64_t batch_size = 64;
constexpr int64_t most_positions = 16384;  // of a batch's longer side, padding included
constexpr size_t most_decoded = 16384;     // source positions in a batch of hypotheses, which bounds its memory

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

std::vector<std::vector<Hypothesis>> decode_all(SequenceModel& model, std::span<const std::vector<int32_t>> sources,
                                                const DecodeOptions& decode) {
  std::vector<std::vector<Hypothesis>> out(sources.size());
  std::vector<size_t> order;
  for (size_t i = 0; i < sources.size(); ++i) sources[i].empty() ? out[i].resize(1) : order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sources[a].size() > sources[b].size(); });
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const size_t longest = sources[order[begin]].size() * static_cast<size_t>(decode.beam),
                 fit = std::clamp(most_decoded / std::max<size_t>(1, longest), size_t{1}, size_t{batch_size});
    end = std::min(order.size(), begin + fit);
    std::vector<std::vector<int32_t>> part;
    for (size_t i = begin; i < end; ++i) part.push_back(sources[order[i]]);
    Tape::current().reset();
    auto found = model.decode(make_source_batch(part, 1), decode);
    for (size_t i = begin; i < end; ++i) out[order[i]] = std::move(found[i - begin]);
  }
  return out;
}

std::vector<std::string> translate_rows(SequenceModel& model, const Corpus& corpus, const std::vector<int64_t>& rows,
                                        const Tokenizer& target, const DecodeOptions& decode) {
  std::vector<std::vector<int32_t>> sources;
  for (const int64_t r : rows) sources.emplace_back(corpus.source[r].begin(), corpus.source[r].end());
  std::vector<std::string> out;
  for (const auto& found : decode_all(model, sources, decode)) out.push_back(target.decode(found[0].ids));
  return out;
}

// A reference as the model could write it: its words with single spaces between, where it knows all of them.
static std::string as_written(const std::string& reference, const Tokenizer& target) {
  const std::vector<int32_t> ids = target.encode(reference);
  return std::find(ids.begin(), ids.end(), unk_id) == ids.end() ? target.decode(ids) : reference;
}

Evaluation evaluate(SequenceModel& model, const LossSetup& setup, const Corpus& corpus, const Tokenizer& target,
                    const DecodeOptions& decode, const ScoreOptions& scores, References more) {
  LossSetup plain = setup;
  plain.mask = plain.token_weight = plain.example_weight = false;
  plain.lengths = true;
  Evaluation e;
  for (const auto& part : evaluation_batches(corpus)) {
    const Batch batch = make_batch(corpus, part, 1);
    e.loss += evaluate_loss(model, plain, batch, &e.compared);
    e.tokens += batch.target_tokens();
    e.blank -= std::ssize(part);
  }
  std::vector<int64_t> rows(static_cast<size_t>(corpus.size()));
  std::iota(rows.begin(), rows.end(), 0);
  e.hypotheses = translate_rows(model, corpus, rows, target, decode);
  e.sentences = corpus.size();
  e.blank += e.sentences;
  e.loss_value = e.loss.reported(setup.options);
  e.perplexity = perplexity(e.loss.stats.nll_sum, e.loss.stats.live);
  e.token_accuracy =
      static_cast<double>(e.loss.stats.correct) / static_cast<double>(std::max<int64_t>(1, e.loss.stats.live));
  std::vector<std::vector<std::string>> references(1, std::vector<std::string>());
  for (const Pair& pair : corpus.pairs) references[0].push_back(pair.reference());
  references.insert(references.end(), more.begin(), more.end());
  auto written = references;
  for (std::vector<std::string>& document : written)
    for (std::string& line : document) line = as_written(scores.form(line), target);
  static_cast<Scores&>(e) = score(e.hypotheses, references, written, scores);
  for (size_t i = 0; i < corpus.pairs.size(); ++i)
    for (const std::string& tag : corpus.pairs[i].tags) e.phenomena[tag] += {e.hypotheses[i] == written[0][i], 1};
  return e;
}

}  // namespace seqgrad
