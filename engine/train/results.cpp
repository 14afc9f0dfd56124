#include "engine/train/results.h"

#include <cmath>

namespace seqgrad {

Metrics metrics_of(const Evaluation& e, const std::vector<ComparedPreset>& compare) {
  Metrics metrics = {{"loss", e.loss_value},
                     {"perplexity", e.perplexity},
                     {"token_accuracy", e.token_accuracy},
                     {"sequence_accuracy", e.sequence_accuracy},
                     {"bleu", e.bleu.value_or(NAN)},
                     {"chrf", e.chrf}};
  for (size_t i = 0; i < compare.size(); ++i) metrics.emplace_back("loss." + compare[i].name, e.compared[i]);
  return metrics;
}

std::string scores_text(const Evaluation& e) {
  const std::string exact = fmt::format("exact {:.1f} %", 100 * e.sequence_accuracy);
  const std::string bleu = fmt::format("{}  BLEU {}", exact, shown_bleu(e.bleu, 1));
  return e.bleu ? bleu : fmt::format("{}  chrF {:.1f}", bleu, e.chrf);
}

}  // namespace seqgrad
