// Lower bounds: what is refused by them could not have worked.
#include "models/config.h"

namespace seqgrad {

static double n(int64_t x) { return static_cast<double>(x); }

double ModelConfig::parameter_count(ModelSizes sizes) const {
  const double e = n(embedding()), h = n(encoder.hidden()), d = n(decoder.hidden()),
               directions = encoder.bidirectional() ? 2 : 1, c = h * directions;
  double count = e * n(sizes.source_words + sizes.target_words) + d * n(sizes.target_words) +
                 3 * h * (e + h) * directions + 3 * d * (e + d) + d * c;
  count += n(encoder.layers() - 1) * 3 * h * (c + h) * directions + n(decoder.layers() - 1) * 3 * d * 2 * d;
  return count;
}

BatchNumbers ModelConfig::batch_numbers() const {
  const double e = n(embedding()), d = n(decoder.hidden()), c = n(encoder.hidden()) * (encoder.bidirectional() ? 2 : 1);
  // A position's embedding, and the state, gates and what the layers after them make of it.
  const double source = e + n(encoder.layers()) * 4 * c,
               target = e + n(decoder.layers()) * 4 * d + (has_attention() ? c + d + n(output_width()) : 0);
  return [=, attends = has_attention()](int64_t batch, int64_t source_steps, int64_t target_steps) {
    const double weights = attends ? n(source_steps) * n(target_steps) : 0;
    return n(batch) * (n(source_steps) * source + n(target_steps) * target + weights);
  };
}

}  // namespace seqgrad
