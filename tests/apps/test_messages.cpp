// Mistakes that people make in configs and on command lines: each is told its cure first, and the cure is taken.
#include <test_paths.h>
#include <regex>

#include "apps/command.h"
#include "engine/io/near_path.h"
#include "engine/text/numbers.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

// A line in a section of a file ("" is the top level), what else the file has, and the cure.
struct Mistake {
  std::string section, line, cure, rest = "";
};

const std::string task = "data: {task: copy}\n";

// "a: {b: {line}}" for section a.b.
std::string nested(const std::string& section, const std::string& line) {
  std::string out = line;
  for (std::string path = section; !path.empty();) {
    const size_t dot = path.rfind('.');
    out = path.substr(dot == std::string::npos ? 0 : dot + 1) + ": {" + out + "}";
    path = dot == std::string::npos ? "" : path.substr(0, dot);
  }
  return out;
}

// The same, a line each.
std::string indented(const std::string& section, const std::string& line) {
  std::string out, indent;
  for (size_t at = 0; at < section.size();) {
    const size_t dot = std::min(section.find('.', at), section.size());
    out += indent + section.substr(at, dot - at) + ":\n";
    indent += "  ";
    at = dot + 1;
  }
  return out + indent + line;
}

std::string document(const std::string& text, const std::string& rest = "") {
  const bool data = text.starts_with("data:") || rest.starts_with("data:");
  return (data ? "" : task) + rest + text + "\n";
}

// What is said of a file and options; "" when they are taken.
std::string refusal(const std::string& yaml, const std::vector<std::string>& set = {}) {
  return error_of([&] {
    Config config;
    load(config, parse_yaml(yaml, "a.yaml"), set);
  });
}

// The first thing that a report says to do.
std::string first_cure(const std::string& report) {
  static const std::regex cure(
      "      = ([^\n]*)|\\((write [^\n]*)\\)\n|\\((did you mean [^\n]*)\\)\n|error: ('[^\n]* belongs [^\n]*)");
  std::smatch found;
  if (!std::regex_search(report, found, cure)) return "";
  for (size_t i = 1; i < found.size(); ++i)
    if (found[i].matched) return found[i];
  return "";
}

// The file after a person did what the cure says.
std::string cured(const Mistake& m) {
  static const std::regex belongs("'.*' belongs (at the top level|in '(.*)'), not .*"), meant("did you mean '(.*)'\\?"),
      in("write (.*) in '([a-z_.]*)'"), top("write (.*) at the top level"), here("write (.*)");
  const std::string key = m.line.substr(0, m.line.find(':')), value = m.line.substr(m.line.find(':') + 1);
  std::smatch s;
  if (std::regex_match(m.cure, s, belongs)) return document(nested(s[2], m.line), m.rest);
  if (std::regex_match(m.cure, s, top)) return document(s[1], m.rest);
  if (std::regex_match(m.cure, s, in)) {
    std::string rest = m.rest;  // "optim: {name: sgd}" becomes "optim: {lr: 0.1, name: sgd}"
    const size_t open = rest.find(s[2].str() + ": {");
    REQUIRE(open != std::string::npos);
    rest.insert(open + s[2].length() + 3, s[1].str() + ", ");
    return rest.starts_with("data:") ? rest : task + rest;
  }
  const bool name = refusal(document(indented(m.section, m.line), m.rest)).find("unknown key '") != std::string::npos;
  const std::string path = (m.section.empty() ? "" : m.section + ".") + key;
  if (std::regex_match(m.cure, s, meant))
    return document(nested(m.section, name ? s[1].str() + ":" + value : key + ": " + s[1].str()), m.rest);
  REQUIRE(std::regex_match(m.cure, s, here));
  const bool whole = name || s[1].str().starts_with(key + ": {");  // else the value alone
  return document(nested(m.section, whole ? s[1].str() : key + ": " + s[1].str()), m.rest);
}

const Mistake in_files[] = {
    // Other programs' names of keys and sections.
    {"", "learning_rate: 0.002", "write optim: {lr: 0.002}"},
    {"", "learningRate: 2e-3", "write optim: {lr: 2e-3}"},
    {"", "learning-rate: 1e-3", "write optim: {lr: 1e-3}"},
    {"", "LR: 0.002", "write optim: {lr: 0.002}"},
    {"", "lr: 0.002", "'lr' belongs in 'optim', not at the top level"},
    {"", "learning_rate: 0.002", "write lr: 0.002 in 'optim'", "optim: {name: sgd}\n"},
    {"train", "learning_rate: 0.002", "write optim: {lr: 0.002} at the top level"},
    {"train", "lr: 0.002", "'lr' belongs in 'optim', not in 'train'"},
    {"optim", "learning_rate: 0.002", "write lr: 0.002"},
    {"", "optimizer: adam", "write optim: {name: adam}"},
    {"", "optimizer: AdamW", "write optim: {name: adamw}"},
    {"", "optimizer: {name: sgd}", "did you mean 'optim'?"},
    {"train", "optimizer: adam", "write optim: {name: adam} at the top level"},
    {"", "training: {epochs: 5}", "did you mean 'train'?"},
    {"", "scheduler: cosine", "write schedule: {name: cosine}"},
    {"", "lr_scheduler: noam", "write schedule: {name: inverse_sqrt}"},
    {"", "warmup_steps: 100", "write schedule: {warmup: 100}"},
    {"", "beam_size: 5", "write decode: {beam: 5}"},
    {"", "num_beams: 5", "write decode: {beam: 5}"},
    {"decode", "beam_size: 5", "write beam: 5"},
    {"decode", "alpha: 0.6", "write length_penalty: 0.6"},
    {"optim", "clip: 1.0", "write clip_norm: 1.0"},
    {"", "max_grad_norm: 5", "write optim: {clip_norm: 5}"},
    {"", "gradient_clip_val: 5", "write optim: {clip_norm: 5}"},
    {"optim", "betas: [0.9, 0.98]", "write beta1: 0.9, beta2: 0.98"},
    {"", "adam_beta2: 0.98", "write optim: {beta2: 0.98}"},
    {"", "adam_epsilon: 1e-6", "write optim: {eps: 1e-6}"},
    {"", "num_train_epochs: 3", "write train: {epochs: 3}"},
    {"", "epochs: 3", "'epochs' belongs in 'train', not at the top level"},
    {"", "epoch: 3", "write train: {epochs: 3}"},
    {"", "max_steps: 100", "write train: {steps: 100}"},
    {"", "per_device_train_batch_size: 32", "write train: {batch: {size: 32}}"},
    {"train", "batch_size: 32", "write batch: {size: 32}"},
    {"train", "batchSize: 32", "write batch: {size: 32}"},
    {"", "max_tokens: 4096", "write train: {batch: {by: tokens, size: 4096}}"},
    {"train", "batch_type: token", "write batch: {by: tokens}"},
    {"", "gradient_accumulation_steps: 4", "write train: {accumulation: 4}"},
    {"", "accumulate_grad_batches: 4", "write train: {accumulation: 4}"},
    {"train", "update_freq: 4", "write accumulation: 4"},
    {"train", "patience: 5", "write early_stopping: {patience: 5}"},
    {"train", "validation_freq: 100", "write validate_every: 100"},
    {"train", "logging_steps: 10", "write log_every: 10"},
    {"", "save_total_limit: 3", "write checkpoint: {keep_last: 3}"},
    {"", "metric_for_best_model: eval_bleu", "write checkpoint: {metric: bleu}"},
    {"train", "early_stopping_metric: ppl", "write checkpoint: {metric: loss} at the top level"},
    {"", "random_seed: 42", "write seed: 42"},
    {"", "use_cuda: false", "write device: auto"},
    {"", "fp16: true", "write precision: bf16"},
    {"", "fp16: false", "write precision: fp32"},
    {"", "dtype: float64", "write precision: fp64"},
    {"", "hidden_size: 64", "write model: {encoder: {hidden: 64}, decoder: {hidden: 64}}"},
    {"model", "num_layers: 2", "write encoder: {layers: 2}, decoder: {layers: 2}"},
    {"model.encoder", "num_layers: 2", "write layers: 2"},
    {"model", "embedding_dim: 64", "write embedding: 64"},
    {"model", "tie_word_embeddings: false", "write tied_embeddings: false"},
    {"model", "attn: Bahdanau", "write attention: additive"},
    {"", "label_smoothing: 0.1", "write loss: {smoothing: {epsilon: 0.1}}"},
    {"loss", "label_smoothing_factor: 0.1", "write smoothing: {epsilon: 0.1}"},
    {"loss", "reduction: mean", "write preset: torch.mean"},
    {"loss", "reduction: sum", "write preset: sum"},
    {"loss", "from_logits: true", "write input: logits"},
    {"loss", "pad_index: 0", "write mask: {ignore_index: 0}"},
    {"loss", "ignore_index: -100", "'ignore_index' belongs in 'loss.mask', not in 'loss'"},
    {"", "criterion: cross_entropy", "write loss: {preset: token_mean}"},
    {"data", "valid: {src: a.txt, trg: b.txt}", "did you mean 'dev'?", "data: {train: {src: a.txt, trg: b.txt}}\n"},
    {"", "vocab_size: 500", "write vocabulary: {size: 500} in 'data'", "data: {task: copy}\n"},
    {"", "min_freq: 2", "write vocabulary: {min_frequency: 2} in 'data'", "data: {task: copy}\n"},
    // Slips, and whole paths.
    {"train", "stesp: 10", "did you mean 'steps'?"},
    {"train", "Steps: 10", "did you mean 'steps'?"},
    {"", "optm: {lr: 0.1}", "did you mean 'optim'?"},
    {"", "models: {embedding: 64}", "did you mean 'model'?"},
    {"", "optim.lr: 0.002", "write optim: {lr: 0.002}"},
    {"", "optim.lr: 0.002", "write lr: 0.002 in 'optim'", "optim: {name: sgd}\n"},
    {"", "optim.learning_rate: 0.002", "write optim: {lr: 0.002}"},
    {"", "model.encoder.hidden: 64", "write model: {encoder: {hidden: 64}}"},
    {"train", "batch.size: 32", "write batch: {size: 32}"},
    // Values.
    {"loss", "preset: torch", "write torch.mean"},
    {"loss", "preset: CrossEntropyLoss", "write token_mean"},
    {"loss", "preset: cross-entropy", "write token_mean"},
    {"loss", "preset: torch.men", "did you mean 'torch.mean'?"},
    {"loss", "preset: 'tfa.sequence_loss[no flag]'", "did you mean 'tfa.sequence_loss'?"},
    {"loss", "preset: Token_Mean", "write token_mean"},
    {"checkpoint", "metric: BLEU", "write bleu"},
    {"checkpoint", "metric: accuracy", "write sequence_accuracy"},
    {"", "graphs: \"true\"", "write true"},
    {"", "graphs: True", "write true"},
    {"", "graphs: yes", "write true"},
    {"", "graphs: 1", "write true"},
    {"", "graphs: None", "write false"},
    {"", "device: gpu", "write cuda"},
    {"", "device: GPU", "write cuda"},
    {"", "device: cuda:0", "write cuda"},
    {"", "precision: float32", "write fp32"},
    {"", "precision: 32", "write fp32"},
    {"", "seed: \"42\"", "write it without quotes"},
    {"", "seed: None", "write 1, the default"},
    {"", "name:", "an empty text is written \"\""},
    {"", "threads: None", "write null"},
    {"", "threads: 0", "write null"},
    {"", "threads: -1", "write null"},
    {"model", "attention: yes", "write general"},
    {"model", "attention: true", "write general"},
    {"model", "attention: null", "write none"},
    {"model", "attention: None", "write none"},
    {"model", "attention: false", "write none"},
    {"model", "attention: Bahdanau", "write additive"},
    {"model", "attention: Luong", "write general"},
    {"model", "attention: addditive", "did you mean 'additive'?"},
    {"model", "attention: [general]", "write general"},
    {"model", "dropout: 0.3", "write dropout: {embedding: 0.3, hidden: 0.3}"},
    {"", "dropout: 0.3", "write model: {dropout: {embedding: 0.3, hidden: 0.3}}"},
    {"model.dropout", "hidden: 30 %", "write 0.3"},
    {"model.dropout", "hidden: 0,3", "write 0.3"},
    {"model", "encoder: 64", "write encoder: {hidden: 64}"},
    {"model", "embedding: [64]", "write 64"},
    {"optim", "clip_norm: None", "write null"},
    {"optim", "clip_norm: none", "write null"},
    {"optim", "clip_norm: 0", "write null"},
    {"optim", "clip_norm: inf", "write null"},
    {"optim", "clip_norm: off", "write null"},
    {"optim", "lr: \"1e-3\"", "write it without quotes"},
    {"optim", "lr: [0.001]", "write 0.001"},
    {"optim", "lr:", "write 0.001, the default"},
    {"optim", "name: Adam", "write adam"},
    {"train", "steps: 1_000", "write 1000"},
    {"train", "steps: 1e3", "write 1000"},
    {"train", "steps: 1,000", "write 1000"},
    {"train", "steps: 10k", "write 10000"},
    {"train", "epochs: 5.0", "write 5"},
    {"train", "batch: 32", "write batch: {size: 32}"},
    {"train", "early_stopping: 5", "write early_stopping: {patience: 5}"},
    {"loss", "smoothing: 0.1", "write smoothing: {epsilon: 0.1}"},
    {"loss", "compare: torch.mean", "write [torch.mean]"},
    {"schedule", "name: ReduceLROnPlateau", "write plateau"},
    {"", "decode: 5", "write decode: {beam: 5}"},
    {"data", "train: pairs.tsv", "write train: {tsv: pairs.tsv}", "data: {dev: {tsv: dev.tsv}}\n"},
    {"data", "vocabulary: 500", "write vocabulary: {size: 500}", "data: {task: copy}\n"},
};

struct OnCommandLine {
  std::vector<std::string> set;
  std::string cure, file = "";  // "write --set …"
};

const OnCommandLine on_the_command_line[] = {
    {{"train.batch=32"}, "write --set train.batch.size=32"},
    {{"train.batch_size=32"}, "write --set train.batch.size=32"},
    {{"batch_size=32"}, "write --set train.batch.size=32"},
    {{"optimizer.lr=0.1"}, "write --set optim.lr=0.1"},
    {{"optimizer.learning_rate=0.1"}, "write --set optim.lr=0.1"},
    {{"optimizer=sgd"}, "write --set optim.name=sgd"},
    {{"lr=0.1"}, "write --set optim.lr=0.1"},
    {{"train.lr=0.1"}, "write --set optim.lr=0.1"},
    {{"learning-rate=0.1"}, "write --set optim.lr=0.1"},
    {{"epochs=3"}, "write --set train.epochs=3"},
    {{"train.epoch=3"}, "write --set train.epochs=3"},
    {{"hidden=64"}, "write --set model.encoder.hidden=64 --set model.decoder.hidden=64"},
    {{"model.dropout=0.3"}, "write --set model.dropout.embedding=0.3 --set model.dropout.hidden=0.3"},
    {{"dropout=0.3"}, "write --set model.dropout.embedding=0.3 --set model.dropout.hidden=0.3"},
    {{"beam=5"}, "write --set decode.beam=5"},
    {{"label_smoothing=0.1"}, "write --set loss.smoothing.epsilon=0.1"},
    {{"train.steps=10"}, "write --set train.epochs=null --set train.steps=10", "train: {epochs: 5}\n"},
    {{"train.epochs=10"}, "write --set train.steps=null --set train.epochs=10", "train: {steps: 5}\n"},
};

}  // namespace

TEST_CASE("a mistake in a file is told its cure first, and the cure is taken") {
  for (const Mistake& m : in_files) {
    std::string text = document(indented(m.section, m.line), m.rest);
    if (m.rest.starts_with("data:") && m.section == "data")  // one section, not two
      text = m.rest.substr(0, m.rest.rfind('}')) + ", " + m.line + "}\n";
    const std::string said = refusal(text);
    CAPTURE(text, said);
    CHECK(said.starts_with("2 a.yaml:"));
    CHECK(said.ends_with("\n1 error; nothing was run"));
    CHECK(said.find('\n') <= 400);
    std::string cure = first_cure(said);
    if (cure.empty() && said.find('(') != std::string::npos)  // how to write what is known
      cure = said.substr(said.rfind('(') + 1, said.rfind(')') - said.rfind('(') - 1);
    CHECK(cure == m.cure);
    if (m.cure == "write it without quotes" || m.cure.starts_with("an empty text") || m.section == "data") continue;
    Mistake plain = m;
    if (const size_t note = plain.cure.find(", the default"); note != std::string::npos) plain.cure.erase(note);
    const std::string mended = cured(plain);
    CAPTURE(mended);
    CHECK(refusal(mended).empty());
  }
  CHECK(std::size(in_files) > 100);
}

TEST_CASE("a number that a comma cuts in two is told whole") {
  const std::string thousands = refusal(task + "train: {epochs: 1,000}\n");
  CHECK(has(thousands, "2 a.yaml:2:19: error: a number holds no ',', which begins a new key here\n"));
  CHECK(has(thousands, "\n      = write epochs: 1000\n1 error; nothing was run"));
  CHECK(has(refusal(task + "model: {dropout: {hidden: 0,3}}\n"), "= write hidden: 0.3\n1 error"));
  CHECK(has(refusal(task + "optim: {lr: 1,25}\n"), "= write lr: 1.25\n1 error"));
  CHECK(has(refusal(task + "train: {epochs: 1, 7: 2}\n"), "unknown key '7' in 'train'"));
}

TEST_CASE("a mistake in --set is told the options to write, and they are taken") {
  for (const OnCommandLine& o : on_the_command_line) {
    const std::string said = refusal(task + o.file, o.set);
    CAPTURE(o.set, said);
    CHECK(said.find(o.cure) != std::string::npos);
    std::vector<std::string> instead;
    static const std::regex option("--set ([^ ]+)");
    for (auto m = std::sregex_iterator(o.cure.begin(), o.cure.end(), option); m != std::sregex_iterator(); ++m)
      instead.push_back((*m)[1]);
    CHECK(!instead.empty());
    CHECK(refusal(task + o.file, instead).empty());
  }
}

TEST_CASE("of a name that nothing here stands for, nothing is guessed") {
  for (const std::string set :
       {"model.heads=8", "model.num_heads=8", "num_workers=4", "data.num_workers=3", "model.d_model=512",
        "model.init=xavier", "model.type=gru", "model.name=x", "model.dim=64", "model.rnn=gru", "checkpoint.path=foo",
        "checkpoint.dir=foo", "loss.name=x", "loss.pos_weight=1", "decode.temperature=0.7", "train.shuffle=true",
        "model.cell=lstm"}) {
    const std::string said = refusal(task, {set});
    CAPTURE(set, said);
    CHECK_FALSE(said.empty());
    CHECK(first_cure(said).empty());
    CHECK_FALSE(has(said, "write --set"));
  }
  CHECK(has(refusal(task, {"train.steps=-3"}), "expected at least 1 and at most 1000000000000, got '-3'\n"));
  CHECK(has(refusal(task, {"train.checkpoint_every=2"}), "write --set checkpoint.every=2"));
  CHECK(has(refusal(task, {"decode.max_len=5"}), "write --set decode.max_extra=5"));
  CHECK_FALSE(has(refusal(task, {"loss.reduction=none"}), "sum"));
}

TEST_CASE("a mistake on a command line is told what to type, and that is taken") {
  const auto said = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "seqgrad");
    return error_of([&] { parse_command_line(arguments); });
  };
  struct Row {
    std::vector<std::string> typed;
    std::string meant;
  };
  const Row rows[] = {
      {{"trian", "a.yaml"}, "train"},
      {{"tranlsate", "runs/a"}, "translate"},
      {{"Train", "a.yaml"}, "train"},
      {{"eval", "runs/a"}, "evaluate"},
      {{"test", "runs/a"}, "evaluate"},
      {{"predict", "runs/a"}, "translate"},
      {{"fit", "a.yaml"}, "train"},
      {{"grad-check", "a.yaml"}, "gradcheck"},
      {{"benchmark"}, "bench"},
      {{"version"}, "--version"},
      {{"a.yaml"}, "train a.yaml"},
      {{"train", "a.yaml", "--epochs", "5"}, "--set train.epochs=5"},
      {{"train", "a.yaml", "--epochs=5"}, "--set train.epochs=5"},
      {{"train", "a.yaml", "--epoch", "5"}, "--set train.epochs=5"},
      {{"train", "a.yaml", "--learning-rate", "0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "--learning_rate", "0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "--lr", "0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "--batch-size", "32"}, "--set train.batch.size=32"},
      {{"train", "a.yaml", "--label-smoothing", "0.1"}, "--set loss.smoothing.epsilon=0.1"},
      {{"train", "a.yaml", "--optim.lr", "0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "--optim.lr=0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "--steps", "10"}, "--set train.steps=10"},
      {{"train", "a.yaml", "--max-step", "10"}, "--max-steps"},
      {{"train", "a.yaml", "--max_steps", "10"}, "--max-steps"},
      {{"train", "a.yaml", "--output", "out"}, "--run-dir"},
      {{"train", "a.yaml", "-o", "out"}, "--run-dir"},
      {{"train", "a.yaml", "--output-dir", "out"}, "--run-dir"},
      {{"train", "a.yaml", "--run_dir", "out"}, "--run-dir"},
      {{"train", "a.yaml", "--gpu"}, "--device cuda"},
      {{"train", "a.yaml", "--cuda"}, "--device cuda"},
      {{"train", "a.yaml", "--cpu"}, "--device cpu"},
      {{"train", "a.yaml", "--dryrun"}, "--dry-run"},
      {{"train", "a.yaml", "optim.lr=0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "lr=0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "learning_rate=0.002"}, "--set optim.lr=0.002"},
      {{"train", "a.yaml", "train.batch_size=32"}, "--set train.batch.size=32"},
      {{"translate", "runs/a", "--beam-size", "5"}, "--beam"},
      {{"translate", "runs/a", "--n-best", "5"}, "--nbest"},
      {{"evaluate", "runs/a", "--reference", "x"}, "--ref"},
      {{"data", "a.yaml", "--limit", "5"}, "--head"},
  };
  for (const Row& row : rows) {
    const std::string message = said(row.typed);
    CAPTURE(row.typed, message);
    CHECK(message.starts_with("2 "));
    CHECK(has(message, "; did you mean '" + row.meant + "'? (see seqgrad "));
    if (!row.meant.starts_with("--set ")) continue;
    CHECK(refusal(task, {row.meant.substr(6)}).empty());
  }
  CHECK(has(said({"train", "a.yaml", "--device", "gpu"}),
            "--device: expected cpu or cuda or auto, got 'gpu' (write cuda)"));
  CHECK(
      has(said({"train", "a.yaml", "--nonsense"}), "2 train: unknown option '--nonsense' (see seqgrad train --help)"));
  CHECK(has(said({"train", "a.yaml", "b.yaml"}), "2 train: unexpected argument 'b.yaml' (see"));
}

TEST_CASE("flags of TF Addons whose order is open are told both orders, and what each takes is taken") {
  const auto of_flags = [](const std::string& flags, const std::string& more = "") {
    return refusal(task + "loss: {preset: tfa.sequence_loss, flags: {" + flags + "}" + more + "}\n");
  };
  const std::string sums_first = of_flags("sum_over_timesteps: true, average_across_timesteps: false");
  CHECK(has(sums_first,
            "sums, then their mean over the batch, are preset: batch_mean; means over the batch, then their "
            "sum, flags: {average_across_timesteps: false} with reduce: {then: sum}\n"));
  CHECK(refusal(task + "loss: {preset: batch_mean}\n").empty());
  CHECK(of_flags("average_across_timesteps: false", ", reduce: {then: sum}").empty());
  const std::string means_first = of_flags("sum_over_batch: true, average_across_batch: false");
  CHECK(has(means_first,
            "means over time, then their sum, are flags: {average_across_batch: false} with reduce: {then: "
            "sum}; sums over the batch, then their mean over time, reduce: {over: batch, divide: one, then: "
            "mean} without a preset\n"));
  CHECK(of_flags("average_across_batch: false", ", reduce: {then: sum}").empty());
  CHECK(refusal(task + "loss: {reduce: {over: batch, divide: one, then: mean}}\n").empty());
  const std::string both = of_flags("sum_over_timesteps: true, average_across_batch: false");
  CHECK(has(both,
            "average_across_timesteps and sum_over_timesteps contradict each other; write "
            "average_across_timesteps: false\n"));
  CHECK(of_flags("sum_over_timesteps: true, average_across_batch: false, average_across_timesteps: false",
                 ", reduce: {then: sum}")
            .empty());
  CHECK(has(of_flags("averageAcrossBatch: false"), " (write average_across_batch)\n"));
  for (const std::string& report : {sums_first, means_first, both}) CHECK(report.find('\n') <= 400);
}

TEST_CASE("help is found however it is asked for") {
  const Scratch dir;
  for (const char* typed : {"help train", "train --help", "train -h", "train help"}) {
    const Result r = run_seqgrad(dir, typed);
    CAPTURE(typed, r.err);
    CHECK(r.code == 0);
    CHECK(has(r.out, "Example:\n  seqgrad train "));
  }
  for (const char* typed : {"help", "--help", "-h"}) {
    const Result r = run_seqgrad(dir, typed);
    CAPTURE(typed, r.err);
    CHECK(r.code == 0);
    CHECK(has(r.out, "translate"));
  }
  CHECK(has(run_seqgrad(dir, "help trian").err, "did you mean 'train'?"));
}

TEST_CASE("a path that nearly exists is told the file that does") {
  const Scratch dir;
  std::filesystem::create_directories(dir / "configs/words");
  dir.write("configs/words/phrases.yaml", task);
  CHECK(nearest_path(dir / "config/words/phrases.yaml") == dir / "configs/words/phrases.yaml");
  CHECK(nearest_path(dir / "config/word/phrase.yml") == dir / "configs/words/phrases.yaml");
  CHECK(nearest_path(dir / "config/word/phrase.yaml") == dir / "configs/words/phrases.yaml");
  CHECK(nearest_path(dir / "configs/words/phrases.yaml") == "");
  CHECK(nearest_path(dir / "entirely/else.yaml") == "");
  CHECK(nearest_path("") == "");
  const Result r = run_seqgrad(dir, "config " + (dir / "configs/words/Phrases.yaml"));
  CHECK(r.code == 2);
  CHECK(has(r.err, "cannot be read (No such file or directory); did you mean '"));
  CHECK(has(r.err, "configs/words/phrases.yaml'?"));
}

TEST_CASE("config refuses what train refuses, in the same words and with the same exit code") {
  const Scratch dir;
  dir.write("two.txt", "a\nb\n");
  dir.write("one.txt", "a\n");
  const std::string small = "data: {task: copy, sizes: {train: 40, dev: 4, test: 4}}\n",
                    pairs = "data: {train: {src: two.txt, trg: two.txt}, dev: {src: two.txt, trg: two.txt}}\n";
  const std::pair<std::string, std::string> table[] = {
      {small + "loss: {preset: tf1.sequence_loss_by_example}\n", "reduce: {then: mean}"},
      {small + "loss: {weights: {token: true}}\n", "data.weights.token"},
      {small + "loss: {mask: {file: true}}\n", "data.mask"},
      {small + "loss: {weights: {class: {file: one.txt}}}\n", "one.txt"},
      {small + "model: {init: {file: none.safetensors}}\n", "none.safetensors"},
      {small + "model: {attention: dot}\ntrain: {epochs: 1, steps: 1}\n", "contradicts train.epochs"},
      {small + "model: {embedding: 65536, decoder: {hidden: 65536}}\n", "the model needs"},
      {"data: {train: {src: two.txt, trg: none.txt}, dev: {src: none.txt, trg: two.txt}}\n",
       "none.txt: cannot be read (No such file or directory); did you mean '"},
      {"data: {train: {src: two.txt, trg: one.txt}, dev: {src: two.txt, trg: two.txt}}\n", "lines"},
      {pairs + "precision: tf32\ndevice: cpu\n", "tf32"},
  };
  for (const auto& [text, told] : table) {
    const std::string config = dir.write("a.yaml", text);
    const Result trained = run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run"));
    const Result shown = run_seqgrad(dir, "config " + config), whole = run_seqgrad(dir, "config --resolved " + config);
    CAPTURE(text, trained.err, shown.err);
    CHECK(trained.code == 2);
    CHECK(has(trained.err, told));
    CHECK(shown.err == trained.err);
    CHECK(shown.code == 2);
    CHECK(shown.out.empty());
    CHECK(whole.err == trained.err);
    CHECK_FALSE(std::filesystem::exists(dir / "run"));
  }
  CHECK(run_seqgrad(dir, "config " + dir.write("a.yaml", small + "name: good\n")).out ==
        "name = good (default run)\ndata.task = copy (default null)\ndata.sizes.train = 40 (default 0)\n"
        "data.sizes.dev = 4 (default 0)\ndata.sizes.test = 4 (default 0)\n");
}

TEST_CASE("numbers agree with their nouns") {
  CHECK(counted(0, "pair") == "0 pairs");
  CHECK(counted(1, "pair") == "1 pair");
  CHECK(counted(2, "pair") == "2 pairs");
  CHECK(counted(20000, "entry", "entries") == "20,000 entries");
  CHECK(counted(1, "entry", "entries") == "1 entry");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(-1000) == "-1,000");
  CHECK(with_commas(-100) == "-100");
  CHECK(with_commas(1234567) == "1,234,567");
}
