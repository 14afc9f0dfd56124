// Lower bounds: what is refused here could not have worked.
#include "models/memory.h"

#include <sys/sysinfo.h>

#include <algorithm>

namespace seqgrad {

static double n(int64_t x) { return static_cast<double>(x); }
static double width(const Config& config) { return config.precision() == "fp64" ? 8 : 4; }

void check_memory(double bytes, const std::string& what, const std::string& hint) {
  struct sysinfo info {};
  sysinfo(&info);
  const double have = n(static_cast<int64_t>(info.totalram)) * info.mem_unit;
  if (bytes > have) refuse("{} about {:.0f} MB; this machine has {:.0f} MB ({})", what, bytes / 1e6, have / 1e6, hint);
}

void check_model_memory(const Config& config, int64_t source_words, int64_t target_words) {
  const ModelConfig& m = config.model;
  const double e = n(m.embedding()), h = n(m.encoder.hidden()), d = n(m.decoder.hidden()),
               directions = m.encoder.bidirectional() ? 2 : 1, c = h * directions;
  double parameters =
      e * n(source_words + target_words) + d * n(target_words) + 3 * h * (e + h) * directions + 3 * d * (e + d) + d * c;
  parameters += n(m.encoder.layers() - 1) * 3 * h * (c + h) * directions + n(m.decoder.layers() - 1) * 3 * d * 2 * d;
  check_memory(4 * width(config) * parameters, fmt::format("the model needs, for {:.0f} parameters,", parameters),
               "make model.* or data.vocabulary.size smaller");
}

void check_batch_memory(const Config& config, const Corpus& train) {
  const BatchConfig& b = config.train.batch;
  const ModelConfig& m = config.model;
  const double tokens = n(train.target_tokens()),  // a batch holds at most all of them, and at least one sentence
      in_batch =
          b.by() == "sentences" ? tokens * std::min(1.0, n(b.size()) / n(train.size())) : std::min(tokens, n(b.size())),
               numbers = n(m.embedding()) + 4 * n(m.decoder.hidden());  // input, gates and state of each position
  check_memory(width(config) * in_batch * numbers, "a batch needs", "make train.batch.size or model.* smaller");
}

}  // namespace seqgrad
