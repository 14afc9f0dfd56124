// Lower bounds: what is refused here could not have worked.
#include "models/memory.h"

namespace seqgrad {

static double n(int64_t x) { return static_cast<double>(x); }
static double width(const Config& config) { return config.precision() == "fp64" ? 8 : 4; }

static double parameters(const Config& config, int64_t source_words, int64_t target_words) {
  const ModelConfig& m = config.model;
  const double e = n(m.embedding()), h = n(m.encoder.hidden()), d = n(m.decoder.hidden()),
               directions = m.encoder.bidirectional() ? 2 : 1, c = h * directions;
  double count =
      e * n(source_words + target_words) + d * n(target_words) + 3 * h * (e + h) * directions + 3 * d * (e + d) + d * c;
  count += n(m.encoder.layers() - 1) * 3 * h * (c + h) * directions + n(m.decoder.layers() - 1) * 3 * d * 2 * d;
  return count;
}

double model_bytes(const Config& config, int64_t source_words, int64_t target_words) {
  return 4 * width(config) * parameters(config, source_words, target_words);
}

void check_model_memory(const Config& config, int64_t source_words, int64_t target_words, Device device) {
  check_memory(model_bytes(config, source_words, target_words),
               fmt::format("the model needs, for {:.0f} parameters,", parameters(config, source_words, target_words)),
               "make model.* or data.vocabulary.size smaller", device);
}

BatchBytes batch_bytes(const Config& config, int64_t target_words) {
  const ModelConfig& m = config.model;
  const bool attends = m.attention() != "none";
  const double e = n(m.embedding()), d = n(m.decoder.hidden()),
               c = n(m.encoder.hidden()) * (m.encoder.bidirectional() ? 2 : 1),
               logits = config.loss.prediction() == "hidden" ? 0 : n(target_words);  // else made in parts
  // A position's embedding, and the state, gates and what the layers after them make of it.
  const double source = e + n(m.encoder.layers()) * 4 * c,
               target = e + n(m.decoder.layers()) * 4 * d + (attends ? c + d + n(m.output_width()) : 0) + logits;
  return [=, bytes = width(config)](int64_t batch, int64_t source_steps, int64_t target_steps) {
    const double weights = attends ? n(source_steps) * n(target_steps) : 0;
    return bytes * n(batch) * (n(source_steps) * source + n(target_steps) * target + weights);
  };
}

}  // namespace seqgrad
