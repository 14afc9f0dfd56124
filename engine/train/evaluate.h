// What a model can do on a corpus: loss, accuracies, BLEU, each phenomenon.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/comm/processes.h"
#include "engine/data/config.h"
#include "engine/metrics/accuracy.h"
#include "engine/train/scores.h"
#include "engine/train/step.h"

namespace seqgrad {

struct Evaluation : Scores {
  double loss_value = 0;         // of the corpus as one batch; NaN where nothing counts
  std::vector<double> compared;  // of setup.compare, likewise
  double perplexity = 0, token_accuracy = 0;
  std::map<std::string, Share> phenomena;  // exact matches of the sentences with each tag
  std::vector<std::string> hypotheses;     // in the order of the corpus
  int64_t sentences = 0;                   // scored
  int64_t blank = 0;   // of them: without words on a side, so that loss and token accuracy leave them out
  int64_t tokens = 0;  // target tokens of the others, </s> included
};

// Loss over the whole corpus, and translations against the references. Example and token weights, masks and noise
// belong to training; ignore_index, class weights and smoothing are the loss's own and stay. Perplexity and token
// accuracy are those of every target token, </s> included, whatever the loss leaves out, so that they compare runs of
// any loss. The references are those of the corpus, and `more` documents of as many lines. Several processes, with
// equal parameters, share the batches; each has the result that one alone gets.
Evaluation evaluate(SequenceModel& model, const LossSetup& setup, const Corpus& corpus, const Tokenizer& target,
                    const DecodeOptions& decode, const ScoreOptions& scores, References more = {},
                    Processes& processes = alone());

// The rows of the corpus with words on both sides, as evaluation takes them together: of similar length, and few where
// they are long, so that one long sentence does not multiply the memory of others. No result but a loss that is divided
// by padded positions depends on it.
std::vector<std::vector<int64_t>> evaluation_batches(const Corpus& corpus);

// The hypotheses of each source, in their order; they are decoded in batches of similar length, which processes share.
// A source without tokens has one, which is empty.
std::vector<std::vector<Hypothesis>> decode_all(SequenceModel& model, std::span<const std::vector<int32_t>> sources,
                                                const DecodeOptions& decode, Processes& processes = alone());

// The best translations of the given rows of the corpus.
std::vector<std::string> translate_rows(SequenceModel& model, const Corpus& corpus, const std::vector<int64_t>& rows,
                                        const Tokenizer& target, const DecodeOptions& decode,
                                        Processes& processes = alone());

}  // namespace seqgrad
