// How translations compare with their references.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "engine/metrics/bleu.h"
#include "engine/metrics/chrf.h"
#include "engine/train/config.h"

namespace seqgrad {

struct ScoreOptions {
  BleuTokens tokens = BleuTokens::mteval_13a;
  bool lowercase = false;  // BLEU and chrF
  TextForm form;           // of the text that the model learned from
};
// report.bleu; without regard to case also under data.lowercase, as such a model writes no capitals.
ScoreOptions score_options(const Config& config);

struct Scores {
  double sequence_accuracy = 0;  // share of the hypotheses that equal a reference, 0 to 1
  std::optional<double> bleu;    // none where no reference has four tokens
  double chrf = 0;
  std::string bleu_signature, chrf_signature;
};
// Every sentence counts, empty ones too. BLEU and chrF take the references as they stand, as sacreBLEU does;
// `written` are the same as the model could write them, which a hypothesis may equal. Refused: no sentences, or not as
// many references.
Scores score(std::span<const std::string> hypotheses, References references, References written,
             const ScoreOptions& options);

// Refuses a run whose checkpoints BLEU is to choose where it has no value on `dev`.
void check_checkpoint_metric(const Config& config, const Corpus& dev);

std::string shown_bleu(const std::optional<double>& bleu, int decimals);  // "29.18", or "n/a"

}  // namespace seqgrad
