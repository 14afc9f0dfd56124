// `seqgrad bench decode`: translations of the test sentences of a run, whose words are loaded already.
#include <algorithm>

#include "apps/bench/bench.h"
#include "apps/bench/cost.h"
#include "apps/bench/measure.h"
#include "engine/core/error.h"
#include "engine/core/thread_pool.h"
#include "engine/device/prepared_weights.h"
#include "engine/io/output.h"
#include "engine/run/loaded_run.h"
#include "engine/train/evaluate.h"
#include "models/config.h"

namespace seqgrad {
namespace {

using Json = nlohmann::ordered_json;
using Sources = std::vector<std::vector<int32_t>>;
using Found = std::vector<std::vector<Hypothesis>>;

Sources test_sources(const LoadedRun& run, int64_t most) {
  const Data data = load_data(run.config.data, static_cast<uint64_t>(run.config.seed()), run.source, run.target);
  if (data.test.size() == 0) refuse("bench decode: {} has no test sentences (data.test)", shown(run.directory));
  Sources out;
  for (int64_t i = 0; i < std::min(data.test.size(), most); ++i) out.push_back(data.test.source[i]);
  return out;
}

struct DecodeTiming {
  std::vector<double> total_ms, sentence_ms;  // the latter of sentences that are translated one at a time
  Found found;
};

DecodeTiming time_decoding(const BenchOptions& o, SequenceModel& model, const Sources& sources,
                           const DecodeOptions& decode) {
  DecodeTiming out;
  const PreparedWeights prepared;
  for (int i = 0; i < o.warmup + o.steps; ++i) {
    Found found;
    const double start = now_ms();
    if (o.one_at_a_time) {
      for (const std::vector<int32_t>& source : sources) {
        const double begin = now_ms();
        found.push_back(decode_all(model, {&source, 1}, decode)[0]);
        if (i >= o.warmup) out.sentence_ms.push_back(now_ms() - begin);
      }
    } else {
      found = decode_all(model, sources, decode);
    }
    if (i >= o.warmup) out.total_ms.push_back(now_ms() - start);
    out.found = std::move(found);
  }
  return out;
}

// What peers compare with: the words of each translation as ids, and its log p.
void write_translations(const std::string& path, const Found& found) {
  std::string text;
  for (const auto& hypotheses : found) {
    for (const int32_t id : hypotheses[0].ids) text += fmt::format("{} ", id);
    text += fmt::format("{:.4f}\n", hypotheses[0].log_p);
  }
  write_output(path, text);
}

DecodeSizes sizes_of(const LoadedRun& run) {
  const auto& m = dynamic_cast<const ModelConfig&>(*run.config.model);
  return {.embedding = m.embedding(),
          .encoder_hidden = m.encoder.hidden(),
          .directions = m.encoder.bidirectional() ? 2 : 1,
          .encoder_layers = m.encoder.layers(),
          .decoder_hidden = m.decoder.hidden(),
          .decoder_layers = m.decoder.layers(),
          .readout = m.output_width(),
          .vocabulary = run.target->size(),
          .attention = m.attention(),
          .input_feeding = m.input_feeding()};
}

Json bench_decode(const BenchOptions& o) {
  if (o.run.empty()) refuse("bench decode: name a trained run: --run DIR");
  const auto run = open_run(o.run, {fmt::format("threads={}", o.threads), "decode.beam=" + std::to_string(o.beam),
                                    "device=" + o.device, "precision=" + o.precision});
  const Sources sources = test_sources(*run, o.rows);
  DecodeOptions decode = run->config.decode_options();
  decode.nbest = 1;
  GemmRate gemm = gemm_rate();  // before and after, for a machine whose load changes
  const DecodeTiming timing = time_decoding(o, *run->model, sources, decode);
  gemm = gemm.best(gemm_rate());
  if (!o.out.empty()) write_translations(o.out, timing.found);
  const DecodeSizes sizes = sizes_of(*run);
  double words = 0, gflop = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const auto target = static_cast<double>(timing.found[i][0].ids.size() + 1);
    words += target;
    gflop += decode_gflop(sizes, static_cast<double>(sources[i].size()), target, static_cast<double>(o.beam));
  }
  Json out = {{"what", "seqgrad_decode"},
              {"run", o.run},
              {"precision", o.precision},
              {"beam", o.beam},
              {"one_at_a_time", o.one_at_a_time},
              {"threads", threads()},
              {"sentences", sources.size()},
              {"words", words},
              {"total_ms", quartiles(timing.total_ms)},
              {"gemm_gflops", gemm.gflops},
              {"peak_bytes", peak_bytes()}};
  if (o.one_at_a_time) {  // where reading the weights takes longer than the products
    out["sentence_ms"] = quartiles(timing.sentence_ms);
  } else {
    out["gflop"] = gflop;
    out["share_of_products"] = gflop / gemm.gflops / out["total_ms"]["median"].get<double>() * 1e3;
  }
  return out;
}

const bool decode_registered = register_benchmark({"decode", bench_decode});

}  // namespace
}  // namespace seqgrad
