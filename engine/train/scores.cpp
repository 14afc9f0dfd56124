// The metrics with the options of a run.
#include "engine/train/scores.h"

#include <algorithm>

#include "engine/metrics/accuracy.h"

namespace seqgrad {

ScoreOptions score_options(const Config& c) {
  return {bleu_tokens(c.report.bleu.tokenize()), c.report.bleu.lowercase() || c.data.lowercase(), text_form(c.data)};
}

Scores score(std::span<const std::string> hypotheses, References references, References written,
             const ScoreOptions& o) {
  const BleuOptions bleu_options{o.tokens, o.lowercase};
  const ChrfOptions chrf_options{o.lowercase};
  const Bleu bleu = corpus_bleu(hypotheses, references, bleu_options);
  Scores s;
  Share exact;
  for (size_t i = 0; i < hypotheses.size(); ++i)
    exact += {
        std::any_of(written.begin(), written.end(), [&](const auto& document) { return document[i] == hypotheses[i]; }),
        1};
  s.sequence_accuracy = exact.value();
  if (bleu.defined()) s.bleu = bleu.score;
  s.chrf = corpus_chrf(hypotheses, references, chrf_options);
  s.bleu_signature = bleu_signature(bleu_options, references.size());
  s.chrf_signature = chrf_signature(chrf_options, references.size());
  return s;
}

void check_checkpoint_metric(const Config& config, const Corpus& dev) {
  if (config.checkpoint.metric() != "bleu") return;
  std::vector<std::vector<std::string>> references(1);
  for (const Pair& pair : dev.pairs) references[0].push_back(pair.reference());
  const ScoreOptions o = score_options(config);
  if (!corpus_bleu(references[0], references, {o.tokens, o.lowercase}).defined())
    refuse(
        "checkpoint.metric: bleu has no value here: no reference of {} has four tokens; write sequence_accuracy or "
        "loss, or report.bleu.tokenize: char",
        dev.name);
}

std::string shown_bleu(const std::optional<double>& bleu, int decimals) {
  return bleu ? fmt::format("{:.{}f}", *bleu, decimals) : "n/a";
}

}  // namespace seqgrad
