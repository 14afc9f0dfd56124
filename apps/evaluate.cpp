// `seqgrad evaluate`: what a run can do on its test split, or on text of yours.
#include <nlohmann/json.hpp>

#include "apps/run_options.h"
#include "engine/io/json_text.h"
#include "engine/run/record.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

struct Options {
  RunOptions run;
  std::string split = "test", src, ref;
  bool json = false;
};

Corpus corpus_of(const Options& o, const LoadedRun& run) {
  if (!o.src.empty() || !o.ref.empty()) {
    if (o.src.empty() || o.ref.empty()) refuse("evaluate: --src and --ref go together");
    ParallelText text =
        read_parallel_text("given text", {o.src, o.ref, ""}, {}, [](std::string_view) { return int64_t{0}; });
    drop_unusable(
        text, 0, [](std::string_view) { return int64_t{1}; }, [](std::string_view) { return int64_t{1}; });
    return encode(std::move(text), *run.source, *run.target);
  }
  Data data = load_data(run.config.data, static_cast<uint64_t>(run.config.seed()), run.source, run.target);
  if (!o.run.common.quiet)
    for (const std::string& change : compare_with_record(run.directory, data, run.model->store().device()).data)
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

int evaluate_run(const Options& o) {
  const auto run = o.run.open();
  const Corpus corpus = corpus_of(o, *run);
  const LossSetup setup = make_loss_setup(run->config.loss, run->target->size());
  const Evaluation e = evaluate(*run->model, setup, corpus, *run->target, run->config.decode_options());
  const std::string unit = unit_of(setup.options), split = o.src.empty() ? o.split : o.src;
  if (o.json) {
    const nlohmann::ordered_json j = {{"split", split},
                                      {"loss", e.loss_value},
                                      {"divisor", unit.empty() ? "1" : unit},
                                      {"perplexity", e.perplexity},
                                      {"token_accuracy", e.token_accuracy},
                                      {"sequence_accuracy", e.sequence_accuracy},
                                      {"bleu", e.bleu},
                                      {"bleu_signature", bleu_signature()},
                                      {"chrf", e.chrf},
                                      {"sentences", e.sentences},
                                      {"tokens", e.tokens}};
    fmt::print("{}\n", printed_json(j));
    return 0;
  }
  fmt::print("{}: {} sentences, {} tokens\n", for_terminal(split), e.sentences, e.tokens);
  fmt::print("loss {:.4f}{}  perplexity {:.3f} per token\n", e.loss_value, unit, e.perplexity);
  if (!setup.compare.empty()) fmt::print("beside it: {}\n", beside(setup.compare, e.compared));
  fmt::print("token accuracy {:.2f} %  exact {:.2f} %\n", 100 * e.token_accuracy, 100 * e.sequence_accuracy);
  fmt::print("BLEU {:.2f} ({})  chrF2 {:.2f}\n", e.bleu, bleu_signature(), e.chrf);
  for (const auto& [tag, share] : e.phenomena)
    fmt::print("  {:<28} exact {:6.2f} %  of {}\n", tag, 100 * share.value(), share.total);
  if (const Task* task = task_of(run->config.data); task && task->baselines && o.src.empty()) {
    const auto seed = static_cast<uint64_t>(run->config.seed());
    const Data data = load_data(run->config.data, seed, run->source, run->target);
    std::string line;
    for (const auto& [name, share] :
         task->baselines(task_options(run->config.data, seed), data.train.pairs, corpus.pairs))
      line += fmt::format("{}{} {:.1f} %", line.empty() ? "" : ", ", name, 100 * share);
    fmt::print("baselines: {}\n", line);
  }
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::Option* split =
      app.add_option("--split", o->split, "train, dev, test, or a further test set of the task")->type_name("NAME");
  app.add_option("--src", o->src, "Source sentences of yours")->type_name("FILE")->excludes(split);
  app.add_option("--ref", o->ref, "Their reference translations")->type_name("FILE");
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
                                           {"--num-beams", "--beam"}}});

}  // namespace
}  // namespace seqgrad
