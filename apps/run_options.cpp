// Which run, which of its weights, which search.
#include "apps/run_options.h"

#include "apps/options.h"

namespace seqgrad {

void RunOptions::declare(OptionSet app) {
  app.add_option("run", run, "Run directory").required().type_name("RUN");
  app.add_option("--checkpoint", checkpoint, "best (the default), last or step-000500").type_name("best|last|NAME");
  app.add_option("--average", average, "Average the weights of the K best checkpoints (default: checkpoint.average)")
      .type_name("K")
      .check(whole(1));
  app.add_option("--beam", beam, "Live hypotheses of a sentence (default: decode.beam); 1: greedy")
      .type_name("K")
      .check(whole(1));
  app.add_option("--length-penalty", length_penalty, "Exponent of the length penalty (default: decode.length_penalty)")
      .type_name("A")
      .check(number(0, 10));
  common.declare(app);
}

std::unique_ptr<LoadedRun> RunOptions::open(Processes& processes) const {
  std::vector<std::string> set = common.overrides();
  if (beam) set.push_back(fmt::format("decode.beam={}", *beam));
  if (length_penalty) set.push_back(fmt::format("decode.length_penalty={}", *length_penalty));
  if (average && !checkpoint.empty()) refuse("give --checkpoint or --average, not both");
  auto out = open_run(run, set, checkpoint, average, processes);
  if (!common.quiet && out->averaged.size() > 1)
    note(fmt::format("weights: the average of {} checkpoints: {}", out->averaged.size(),
                     fmt::join(out->averaged, ", ")));
  common.tell(out->describe());
  return out;
}

}  // namespace seqgrad
