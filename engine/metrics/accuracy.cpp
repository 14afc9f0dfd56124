// Counting what was predicted right.
#include "engine/metrics/accuracy.h"

#include "engine/core/error.h"

namespace seqgrad {

Share token_accuracy(std::span<const int32_t> predictions, std::span<const int32_t> targets,
                     std::span<const int32_t> lengths) {
  if (predictions.size() != targets.size() ||
      (lengths.empty() ? !targets.empty() : targets.size() % lengths.size() != 0))
    refuse("token accuracy: {} predictions and {} targets for {} lengths", predictions.size(), targets.size(),
           lengths.size());
  Share share;
  for (size_t b = 0; b < lengths.size(); ++b)
    for (int32_t t = 0; t < lengths[b]; ++t) {
      const size_t cell = b * (targets.size() / lengths.size()) + t;
      share += {predictions[cell] == targets[cell], 1};
    }
  return share;
}

Share sequence_accuracy(std::span<const std::string> hypotheses, std::span<const std::string> references) {
  if (hypotheses.size() != references.size())
    refuse("sequence accuracy: {} hypotheses for {} references", hypotheses.size(), references.size());
  Share share;
  for (size_t i = 0; i < hypotheses.size(); ++i) share += {hypotheses[i] == references[i], 1};
  return share;
}

}  // namespace seqgrad
