// Which run, which of its weights, which search.
#include "apps/run_options.h"

#include <algorithm>

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
      .check(whole(1, 1000));
  app.add_option("--length-penalty", length_penalty, "Exponent of the length penalty (default: decode.length_penalty)")
      .type_name("A")
      .check(number(0, 10));
  common.declare(app);
  for (Option& option : app.all())
    if (option.name() == "--set")
      option.description("Set a config key, e.g. --set decode.max_ratio=3 (repeatable; VALUE is YAML)");
}

// What only training reads, and what the weights and vocabularies of a run were made with.
static void refuse_without_effect(const std::string& set) {
  static const std::string of_training[] = {"name.",  "optim.",      "schedule.",        "train.",
                                            "model.", "checkpoint.", "data.vocabulary.", "report."};
  static const std::string others[] = {"checkpoint.average", "report.bleu."};
  const std::string key = set.substr(0, set.find('=')) + ".";
  const auto begins = [&](const std::string& part) { return key.starts_with(part); };
  const bool mixed = key == "checkpoint." || key == "report.";  // the section as a map
  if (std::ranges::any_of(of_training, begins) && std::ranges::none_of(others, begins) && !mixed)
    refuse("--set {}: has no effect on a run that is trained; leave it out", shown(set));
}

std::unique_ptr<LoadedRun> RunOptions::open(Processes& processes) const {
  std::vector<std::string> set = common.overrides();
  for (const std::string& s : common.set) refuse_without_effect(s);
  if (beam) set.push_back(common.override_by("--beam", "decode.beam", std::to_string(*beam)));
  if (length_penalty)
    set.push_back(common.override_by("--length-penalty", "decode.length_penalty", fmt::format("{}", *length_penalty)));
  if (average && !checkpoint.empty()) refuse("give --checkpoint or --average, not both");
  auto out = open_run(run, set, checkpoint, average, processes);
  if (!common.quiet && out->averaged.size() > 1)
    note(fmt::format("weights: the average of {} checkpoints: {}", out->averaged.size(),
                     fmt::join(out->averaged, ", ")));
  common.tell(out->describe());
  return out;
}

}  // namespace seqgrad
