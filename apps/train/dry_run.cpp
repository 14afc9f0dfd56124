// `seqgrad train --dry-run`: one step's gradients, and no update.
#include <set>

#include "apps/train/train.h"
#include "engine/core/tape.h"
#include "engine/run/memory_need.h"
#include "engine/text/numbers.h"
#include "engine/train/notices.h"

namespace seqgrad {

static void print_model(SequenceModel& model) {
  for (const Parameter& p : model.store().parameters())
    fmt::print("{:<32} {:>16} {:>12}\n", p.name, p.file_shape().str(), p.shape.numel());
  fmt::print("{:<32} {:>16} {:>12}\n", "parameters", "", model.store().count());
}

// What training says before and after its first step.
static void say_notices(const Config& config, const Data& data, const RunLength& length, const TrainState& state,
                        const std::vector<LossWarning>& warnings) {
  if (state.step == 0)
    for (const std::string& text : notices(config, data, length.steps())) note("note: " + text);
  std::set<std::string> said;
  for (const LossWarning& w : warnings)
    if (said.insert(w.kind).second) note("warning: loss: " + w.text);
}

// How even the work of shards is, over the first epoch.
static void print_shards(const Config& config, const Corpus& train) {
  const int64_t shards = config.train.batch.shards();
  if (shards == 1) return;
  Batcher batcher(train, batch_options(config));
  std::vector<Batch> batches;
  for (int64_t i = batcher.batches(0); i > 0; --i) batches.push_back(batcher.next());
  fmt::print("shards: {} of a batch; processes that wait for the largest lose {:.1f} % of an epoch\n", shards,
             100 * imbalance(batches, shards));
}

int dry_run(const TrainCommand& o, const Config& config, const Setup& s, const TrainState& state) {
  print_model(*s.model);
  print_shards(config, s.data.train);
  const RunLength length(config, s.data.train);
  Batcher batcher(s.data.train, batch_options(config));
  batcher.seek({state.epoch, state.index});
  std::vector<Batch> batches;
  for (int64_t i = length.micro_batches(state); i > 0; --i) batches.push_back(batcher.next());
  ProcessSum sum(*o.processes);
  const StepResult r = accumulate_gradients(*s.model, s.loss, batches,
                                            {true, static_cast<uint64_t>(config.seed()),
                                             static_cast<uint64_t>(state.step + 1), 0, config.train.teacher_forcing()},
                                            {config.train.batch.shards(), o.processes->count() > 1 ? &sum : nullptr});
  if (!o.common.quiet) say_notices(config, s.data, length, state, r.warnings);
  const auto mb = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  fmt::print("memory: {:.1f} MB parameters, gradients and moments; {:.1f} MB for one {}\n",
             static_cast<double>(numbers_per_parameter(config)) * mb(s.model->store().values().bytes()),
             mb(Tape::current().high_water()), config.train.batch.shards() > 1 ? "shard" : "batch");
  int64_t sentences = 0;
  for (const Batch& b : batches) sentences += b.batch;
  const std::string which = batches.size() == 1 ? "batch" : fmt::format("step of {} batches", batches.size());
  fmt::print("{} {}: {}, {}, padding {:.0f} %, loss {}\n", state.step == 0 ? "first" : "next", which,
             counted(sentences, "sentence"), counted(r.target_tokens, "target token"),
             100 * (1 - static_cast<double>(r.target_tokens) / static_cast<double>(r.positions)),
             printed_loss(r.loss.value(s.loss.options), s.loss.options, 4));
  for (size_t i = 0; i < r.compared.size(); ++i)
    fmt::print("  beside it: {} {}\n", s.loss.compare[i].name,
               printed_loss(r.compared[i].value(s.loss.compare[i].options), s.loss.compare[i].options, 4));
  return 0;
}

}  // namespace seqgrad
