// `seqgrad data`: the pairs of a split, as TSV.
#include "apps/command.h"
#include "models/run.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config, split = "train";
  int64_t head = 10;
  bool all = false, tags = false;
};

int show_data(const Options& o) {
  Config config;
  config.reads_files = true;
  load(config, o.config, o.common.overrides());
  const Data data = load_data(config.data, static_cast<uint64_t>(config.seed()));
  o.common.tell(describe_data(data));
  std::map<std::string, const Corpus*> splits = {{"train", &data.train}, {"dev", &data.dev}};
  if (data.test.size() > 0) splits["test"] = &data.test;
  for (const auto& [name, corpus] : data.reported) splits[name] = &corpus;
  const auto found = splits.find(o.split);
  if (found == splits.end()) {
    std::string names;
    for (const auto& [name, corpus] : splits) names += (names.empty() ? "" : ", ") + name;
    refuse("data: no split '{}'; there are {}", shown(o.split), names);
  }
  const auto& pairs = found->second->pairs;
  const size_t count = o.all ? pairs.size() : std::min(pairs.size(), static_cast<size_t>(o.head));
  for (size_t i = 0; i < count; ++i)
    fmt::print("{}\t{}{}\n", pairs[i].source, pairs[i].target,
               o.tags ? fmt::format("\t{}", fmt::join(pairs[i].tags, " ")) : "");
  if (!o.common.quiet)
    note(fmt::format("{} of {} pairs; vocabularies: {} source, {} target", count, pairs.size(), data.source->size(),
                     data.target->size()));
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Config file")->required()->type_name("CONFIG.yaml");
  app.add_option("--split", o->split, "train, dev, test, or a further test set of the task")->type_name("NAME");
  CLI::Option* head = app.add_option("--head", o->head, "How many pairs")->type_name("N")->check(whole(0));
  app.add_flag("--all", o->all, "All pairs")->excludes(head);
  app.add_flag("--tags", o->tags, "With the phenomena of each pair in a third column");
  o->common.declare(app);
  return [o] { return show_data(*o); };
}

const bool registered =
    register_command({"data",
                      "Show or export the pairs of a split",
                      "seqgrad data configs/phrases.yaml --split test --head 5",
                      declare,
                      {"dataset", "export", "preprocess"},
                      {{"--n", "--head"}, {"--limit", "--head"}, {"--count", "--head"}, {"--subset", "--split"}}});

}  // namespace
}  // namespace seqgrad
