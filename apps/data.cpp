// `seqgrad data`: the pairs of a split, as TSV.
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "apps/command.h"
#include "engine/data/data_notes.h"
#include "engine/io/terminal.h"
#include "engine/text/numbers.h"
#include "engine/train/config.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config, split = "train";
  int64_t head = 10;
  bool all = false, tags = false;
};

const Corpus& split_of(const Data& data, const std::string& name) {
  std::map<std::string, const Corpus*> splits = {{"train", &data.train}, {"dev", &data.dev}};
  if (data.test.size() > 0) splits["test"] = &data.test;
  for (const auto& [reported, corpus] : data.reported) splits[reported] = &corpus;
  const auto found = splits.find(name);
  if (found != splits.end()) return *found->second;
  std::string names;
  for (const auto& [known, corpus] : splits) names += (names.empty() ? "" : ", ") + known;
  refuse("data: no split '{}'; there are {}", shown(name), names);
}

// A text as a column holds it: a tab in it separates words, and a space does so too. Characters have no such twin.
std::string column(const std::string& text, const Corpus& corpus, size_t pair, bool characters) {
  if (text.find('\t') == std::string::npos) return text;
  if (characters)
    refuse(
        "data: {}, line {}: the text has a tab, which separates columns here, and for a vocabulary of kind char no "
        "other character can stand for it: '{}'",
        corpus.name, corpus.lines[pair], shown(text));
  std::string out = text;
  std::replace(out.begin(), out.end(), '\t', ' ');
  return out;
}

// What the columns do not say of the pairs.
void tell_left_out(const Options& o, const Corpus& corpus, int64_t tabs) {
  if (tabs > 0) note(fmt::format("{} had tabs between words; they are spaces here", counted(tabs, "text")));
  if (!corpus.token_weight.empty()) note("not in these columns: the weights of single tokens (data.weights.token)");
  if (!corpus.mask.empty()) note("not in these columns: the mask (data.mask, data.loss_from)");
  if (corpus.skipped.total() > 0) note("skipped: " + corpus.skipped.text());
  if (o.tags && !corpus.example_weight.empty()) note("columns: source, target, weight, tags");
}

int show_data(const Options& o) {
  Config config;
  config.reads_files = true;
  load(config, o.config, o.common.overrides());
  const Data data = load_data(config.data, static_cast<uint64_t>(config.seed()));
  if (!o.common.quiet) {
    note(describe_data(data));
    for (const std::string& text : data.notes) note("warning: " + text);
  }
  const Corpus& corpus = split_of(data, o.split);
  const auto& pairs = corpus.pairs;
  const size_t count = o.all ? pairs.size() : std::min(pairs.size(), static_cast<size_t>(o.head));
  const bool characters = vocabulary_kind(config.data) == "char";
  int64_t tabs = 0;
  for (size_t i = 0; i < count; ++i) {
    const Pair pair = pairs[i];
    const std::string source = column(pair.source, corpus, i, characters),
                      target = column(pair.target, corpus, i, characters);
    tabs += (source != pair.source) + (target != pair.target);
    fmt::print("{}\t{}{}{}\n", data_for(source, STDOUT_FILENO), data_for(target, STDOUT_FILENO),
               corpus.example_weight.empty() ? "" : fmt::format("\t{}", corpus.example_weight[i]),
               o.tags ? fmt::format("\t{}", fmt::join(pair.tags, " ")) : "");
  }
  if (!o.common.quiet) {
    tell_left_out(o, corpus, tabs);
    note(fmt::format("{} of {}", with_commas(static_cast<int64_t>(count)),
                     counted(static_cast<int64_t>(pairs.size()), "pair")));
  }
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Config file").required().type_name("CONFIG.yaml");
  app.add_option("--split", o->split, "A split, or a further test set of the task").type_name("train|dev|test|NAME");
  Option head = app.add_option("--head", o->head, "How many pairs").type_name("N").check(whole(0));
  app.add_flag("--all", o->all, "All pairs").excludes(head);
  app.add_flag("--tags", o->tags, "With the phenomena of each pair in a last column");
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
