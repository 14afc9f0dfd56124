// What a model can do on a corpus: loss, accuracies, BLEU, each phenomenon.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/data/config.h"
#include "engine/metrics/accuracy.h"
#include "engine/metrics/bleu.h"
#include "engine/metrics/chrf.h"
#include "engine/train/step.h"

namespace seqgrad {

struct Evaluation {
  LossSum loss;
  std::vector<LossSum> compared;  // of setup.compare
  double loss_value = 0, perplexity = 0, token_accuracy = 0;
  double sequence_accuracy = 0, bleu = 0, chrf = 0;
  std::map<std::string, Share> phenomena;  // exact matches of the sentences with each tag
  std::vector<std::string> hypotheses;     // in the order of the corpus
  int64_t sentences = 0, tokens = 0;
};

// Loss over the whole corpus (weights, masks and noise belong to training: here every token of every sentence counts),
// and translations against the references.
Evaluation evaluate(SequenceModel& model, const LossSetup& setup, const Corpus& corpus, const Tokenizer& target,
                    const DecodeOptions& decode);

// The rows of the corpus as evaluation takes them together: of similar length, and few where they are long, so that one
// long sentence does not multiply the memory of others. No result but a loss that is divided by padded positions
// depends on it.
std::vector<std::vector<int64_t>> evaluation_batches(const Corpus& corpus);

// The hypotheses of each source, in their order; they are decoded in batches of similar length.
std::vector<std::vector<Hypothesis>> decode_all(SequenceModel& model, std::span<const std::vector<int32_t>> sources,
                                                const DecodeOptions& decode);

// The best translations of the given rows of the corpus.
std::vector<std::string> translate_rows(SequenceModel& model, const Corpus& corpus, const std::vector<int64_t>& rows,
                                        const Tokenizer& target, const DecodeOptions& decode);

}  // namespace seqgrad
