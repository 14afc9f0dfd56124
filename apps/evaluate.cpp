// `seqgrad evaluate`: what a run can do on its test split, or on text of yours.
#include <nlohmann/json.hpp>

#include "apps/run_options.h"
#include "apps/shared_processes.h"
#include "engine/comm/together.h"
#include "engine/data/data_notes.h"
#include "engine/data/surface.h"
#include "engine/io/json_text.h"
#include "engine/run/record.h"
#include "engine/run/start_together.h"
#include "engine/text/escape.h"
#include "engine/text/numbers.h"
#include "engine/train/evaluate.h"

namespace seqgrad {
namespace {

struct Options {
  RunOptions run;
  std::string split = "test", src, tokenize;
  std::vector<std::string> refs;
  bool lowercase = false, json = false;
};

using Documents = std::vector<std::vector<std::string>>;  // of references, beside those of the corpus

Corpus given_text(const Options& o, const LoadedRun& run, Documents& more) {
  if (o.src.empty() || o.refs.empty()) refuse("evaluate: --src and --ref go together");
  ParallelText text = read_parallel_text(
      "given text", {o.src, o.refs[0], ""}, {}, [](std::string_view) { return int64_t{0}; },
      text_form(run.config.data));
  require_words(text);
  for (size_t i = 1; i < o.refs.size(); ++i) {
    more.push_back(read_text(o.refs[i], text.odd));
    if (more.back().size() != text.pairs.size())
      refuse_line_counts(o.refs[i], more.back().size(), o.src, text.pairs.size());
  }
  const Surface surface(run.config.data, *run.source);
  text.pairs.change_sources([&](std::string_view typed) { return surface.read(typed); });
  const std::vector<std::string> odd = text.odd.notes();
  Corpus corpus = encode(std::move(text), *run.source, *run.target);
  if (o.run.common.quiet) return corpus;
  for (const std::string& line : odd) note("warning: " + line);
  for (const std::string& line : notes_on_unknown(run.config.data, corpus, *run.source, *run.target))
    note("warning: " + line);
  return corpus;
}

Corpus corpus_of(const Options& o, const LoadedRun& run, const LossSetup& loss, Documents& more) {
  if (!o.src.empty() || !o.refs.empty()) return given_text(o, run, more);
  Data data = load_data(run.config.data, static_cast<uint64_t>(run.config.seed()), run.source, run.target);
  if (!o.run.common.quiet)
    for (const std::string& change :
         compare_with_record(run.directory, contents_of(data, loss), run.model->store().device()).data)
      note("warning: the data have changed since the run: " + change);
  if (o.split == "train") return std::move(data.train);
  if (o.split == "dev") return std::move(data.dev);
  if (o.split == "test" && data.test.size() > 0) return std::move(data.test);
  const auto found = data.reported.find(o.split);
  if (found == data.reported.end()) {
    std::string names = data.test.size() > 0 ? "train, dev, test" : "train, dev";
    for (const auto& [name, corpus] : data.reported) names += ", " + name;
    refuse("evaluate: no split '{}'; this run has {}", shown(o.split), names);
  }
  return std::move(found->second);
}

// From training, or from what a reader of the scores may take for granted.
void say_what_differs(const Config& config, const Corpus& corpus) {
  for (const std::string& line : notes_on_references(config.data, corpus)) note("warning: " + line);
  const bool weighted = !corpus.example_weight.empty() || !corpus.token_weight.empty() || !corpus.mask.empty();
  if (weighted)
    note(corpus.name + ": its weights and masks are left out: they count in training, not in what is measured");
}

ScoreOptions scores_of(const Options& o, const Config& config) {
  ScoreOptions scores = score_options(config);
  if (!o.tokenize.empty()) scores.tokens = bleu_tokens(o.tokenize);
  scores.lowercase |= o.lowercase;
  return scores;
}

void print_json(const Evaluation& e, const std::string& split, const std::string& unit) {
  const nlohmann::ordered_json j = {{"split", split},
                                    {"loss", e.loss_value},
                                    {"divisor", unit.empty() ? "1" : unit},
                                    {"perplexity", e.perplexity},
                                    {"token_accuracy", e.token_accuracy},
                                    {"sequence_accuracy", e.sequence_accuracy},
                                    {"bleu", e.bleu ? nlohmann::ordered_json(*e.bleu) : nlohmann::ordered_json()},
                                    {"bleu_signature", e.bleu_signature},
                                    {"chrf", e.chrf},
                                    {"chrf_signature", e.chrf_signature},
                                    {"sentences", e.sentences},
                                    {"blank", e.blank},
                                    {"tokens", e.tokens}};
  fmt::print("{}\n", printed_json(j));
}

void print_baselines(const LoadedRun& run, const Corpus& corpus) {
  const Task* task = task_of(run.config.data);
  if (!task || !task->baselines) return;
  const auto seed = static_cast<uint64_t>(run.config.seed());
  const Data data = load_data(run.config.data, seed, run.source, run.target);
  std::string line;
  for (const auto& [name, share] :
       task->baselines(task_options(run.config.data, seed), data.train.pairs.all(), corpus.pairs.all()))
    line += fmt::format("{}{} {:.1f} %", line.empty() ? "" : ", ", name, 100 * share);
  fmt::print("baselines: {}\n", line);
}

int evaluate_run(const Options& o) {
  Processes& processes = shared_processes();
  std::unique_ptr<LoadedRun> run;
  Corpus corpus;
  Documents more;
  LossSetup setup;
  together(processes, [&] {
    run = o.run.open(processes);
    setup = make_loss_setup(run->config.loss, run->target->size());
    corpus = corpus_of(o, *run, setup, more);
    if (!o.run.common.quiet) say_what_differs(run->config, corpus);
    require_same(processes, {{"text", fingerprint(corpus)}});
  });
  const Evaluation e = evaluate(*run->model, setup, corpus, *run->target, run->config.decode_options(),
                                scores_of(o, run->config), more, processes);
  const std::string unit = unit_of(setup.options), split = o.src.empty() ? o.split : o.src;
  if (o.json) {
    print_json(e, split, unit);
    return 0;
  }
  fmt::print("{}: {}, {}; checkpoint {}\n", for_terminal(split), counted(e.sentences, "sentence"),
             counted(e.tokens, "token"), run->checkpoint());
  if (e.blank > 0)
    fmt::print("{} of them without words on a side: in the scores, not in loss, perplexity and token accuracy\n",
               e.blank);
  fmt::print("loss {}  perplexity {:.3f} per token\n", printed_loss(e.loss_value, setup.options, 4), e.perplexity);
  if (!setup.compare.empty()) fmt::print("beside it: {}\n", beside(setup.compare, e.compared));
  fmt::print("token accuracy {:.2f} %  exact {:.2f} %\n", 100 * e.token_accuracy, 100 * e.sequence_accuracy);
  fmt::print("BLEU {} ({})\n", shown_bleu(e.bleu, 2),
             e.bleu ? e.bleu_signature : "no reference has four tokens; see chrF2");
  fmt::print("chrF2 {:.2f} ({})\n", e.chrf, e.chrf_signature);
  for (const auto& [tag, share] : e.phenomena)
    fmt::print("  {:<28} exact {:6.2f} %  of {}\n", tag, 100 * share.value(), share.total);
  if (o.src.empty()) print_baselines(*run, corpus);
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  Option split = app.add_option("--split", o->split, "A split, or a further test set of the task")
                     .type_name("train|dev|test|NAME");
  app.add_option("--src", o->src, "Source sentences of yours").type_name("FILE").excludes(split);
  app.add_option("--ref", o->refs, "Their reference translations (repeatable; the loss is that of the first)")
      .type_name("FILE")
      .repeatable();
  app.add_option("--tokenize", o->tokenize,
                 "What BLEU takes for a word, as in sacreBLEU (default: report.bleu.tokenize)")
      .type_name("13a|none|char|zh")
      .check(one_of(bleu_token_names()));
  app.add_flag("--lowercase", o->lowercase, "BLEU and chrF without regard to case");
  app.add_flag("--json", o->json, "One JSON object");
  o->run.declare(app);
  return [o] { return evaluate_run(*o); };
}

const bool registered = register_command({"evaluate",
                                          "Loss, perplexity, accuracy, BLEU and chrF of a run",
                                          "seqgrad evaluate runs/phrases-0001",
                                          declare,
                                          {"eval", "test", "score", "validate"},
                                          {{"--source", "--src"},
                                           {"--reference", "--ref"},
                                           {"--references", "--ref"},
                                           {"--tgt", "--ref"},
                                           {"--trg", "--ref"},
                                           {"--target", "--ref"},
                                           {"--set-name", "--split"},
                                           {"--subset", "--split"},
                                           {"--ckpt", "--checkpoint"},
                                           {"--beam-size", "--beam"},
                                           {"--num-beams", "--beam"}},
                                          true});

}  // namespace
}  // namespace seqgrad
