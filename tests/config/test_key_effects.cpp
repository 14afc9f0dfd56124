// Every config key does something: set to a second legal value it changes weights, files or output within a few steps.
#include <sys/wait.h>
#include <test_paths.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/train/config.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace seqgrad;

namespace {

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

// What a key needs beside it to matter. The first run has `with`, the second also the key at `value` ("": the second
// legal value that the key itself names). Where the first is refused for the lack of the key, `alone_refused` says so.
struct Trial {
  std::vector<std::string> with;
  std::string value;
  bool alone_refused = false;
  bool both_fail = false;  // the effect is what the failure says
};

const std::map<std::string, std::string> no_effect = {
    {"threads", "results do not depend on it: a promise with tests of its own"},
    {"device", "a build without CUDA has one device"},
    {"graphs", "of a GPU; test_step_graph counts them"},
    {"logits_mib", "of a GPU; test_loss_chunks tries it"},
    {"name", "names the run directory, which --run-dir overrides here; test_cli tries it"},
};

const std::vector<std::string> files = {"data.task=null", "data.sizes={train: 0, dev: 0, test: 0}",
                                        "data.train={src: a.src, trg: a.trg}", "data.dev={src: a.src, trg: a.trg}",
                                        "data.test={src: a.src, trg: a.trg}"};
std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<std::string> smoothed = {"loss.smoothing.epsilon=0.1"};
const std::vector<std::string> plateau = {"schedule.name=plateau", "train.validate_every=1", "train.steps=8",
                                          "optim.lr=5.0"};
const std::vector<std::string> token_weights = {"data.weights.token=token.txt", "loss.weights.token=true"};
const std::vector<std::string> phrases = {"data.task=phrases", "data.lexicon=lexicon.tsv", "data.sizes.train=2000",
                                          "data.sizes.dev=50", "data.sizes.test=50"};

const std::map<std::string, Trial> trials = {
    {"data.task", {{}, "reverse"}},
    {"data.direction", {phrases, "en-de"}},
    {"data.lexicon", {phrases, "other.tsv"}},
    {"data.train.src", {files, "b.src"}},
    {"data.train.trg", {files, "b.trg"}},
    {"data.train.tsv", {files + std::vector<std::string>{"data.train={src: null, trg: null, tsv: a.tsv}"}, "b.tsv"}},
    {"data.dev.src", {files, "b.src"}},
    {"data.dev.trg", {files, "b.trg"}},
    {"data.dev.tsv", {files + std::vector<std::string>{"data.dev={src: null, trg: null, tsv: a.tsv}"}, "b.tsv"}},
    {"data.test.src", {files, "b.src"}},
    {"data.test.trg", {files, "b.trg"}},
    {"data.test.tsv", {files + std::vector<std::string>{"data.test={src: null, trg: null, tsv: a.tsv}"}, "b.tsv"}},
    {"data.max_length", {files, "5"}},
    {"data.normalize", {files + std::vector<std::string>{"data.train={src: null, trg: null, tsv: wide.tsv}"}, "nfkc"}},
    {"data.lowercase", {files, "true"}},
    {"data.vocabulary.kind", {files, "char"}},
    {"data.vocabulary.size", {files, "6"}},
    {"data.vocabulary.min_frequency", {files, "20"}},
    {"data.vocabulary.share", {files, "true"}},
    {"data.mask", {files + std::vector<std::string>{"data.mask=mask.txt", "loss.mask.file=true"}, "mask2.txt"}},
    {"data.loss_from", {files + std::vector<std::string>{"data.loss_from=S", "loss.mask.file=true"}, "x"}},
    {"data.weights.example",
     {files + std::vector<std::string>{"data.weights.example=example.txt", "loss.weights.example=true"},
      "example2.txt"}},
    {"data.weights.token", {files + token_weights, "token2.txt"}},
    {"data.corrupt.share", {{}, "0.5"}},
    {"data.corrupt.weight", {{"data.corrupt.share=0.5", "loss.weights.example=true"}, "0.25"}},
    {"loss.mask.file", {files + std::vector<std::string>{"data.mask=mask.txt"}, "true", true}},
    {"loss.mask.lengths", {{"loss.reduce.divide=positions"}, "false"}},
    {"loss.mask.ignore_index", {{}, "5"}},
    {"loss.weights.token", {files + std::vector<std::string>{"data.weights.token=token.txt"}, "true", true}},
    {"loss.weights.example", {files + std::vector<std::string>{"data.weights.example=example.txt"}, "true", true}},
    {"loss.weights.allow_negative",
     {files + std::vector<std::string>{"data.weights.token=negative.txt", "loss.weights.token=true"}, "true", true}},
    {"loss.weights.class.file", {{}, "class.txt"}},
    {"loss.weights.class.scope", {{"loss.weights.class.file=class.txt", "loss.smoothing.epsilon=0.1"}, "target"}},
    {"loss.preset", {{}, "sum"}},
    {"loss.target", {{}, "dense", false, true}},
    {"loss.layout", {{}, "time", false, true}},
    {"loss.dense_sum", {{}, "allow", false, true}},
    {"loss.input", {{}, "probs"}},
    {"loss.probs.mode", {{"loss.input=probs", "optim.lr=0.5"}, "clip_then_softmax"}},
    {"loss.probs.eps", {{"loss.input=probs"}, "0.1"}},
    {"loss.flags", {{"loss.preset=tf1.legacy_sequence_loss"}, "{average_across_timesteps: false}"}},
    {"loss.softcap", {{}, "0.01"}},
    {"loss.nonfinite", {{"optim.lr=1.0e+39"}, "propagate", true, true}},
    {"loss.smoothing.kind", {smoothed, "others"}},
    {"loss.smoothing.excluding",
     {smoothed + std::vector<std::string>{"loss.smoothing.kind=others_excluding"}, "[0]", true}},
    {"loss.smoothing.prior",
     {smoothed + std::vector<std::string>{"loss.smoothing.kind=prior", "loss.smoothing.prior=prior.txt"},
      "prior2.txt"}},
    {"loss.smoothing.report", {smoothed, "kl"}},
    {"loss.reduce.over", {{"loss.reduce.then=sum", "loss.reduce.divide=active", "loss.reduce.over=time"}, "batch"}},
    {"loss.reduce.divide", {{}, "batch"}},
    {"loss.reduce.divide_eps", {{}, "10.0"}},
    {"loss.reduce.on_zero",
     {files + std::vector<std::string>{"data.mask=zero.txt", "loss.mask.file=true"}, "error", false, true}},
    {"loss.reduce.then", {{"loss.reduce.over=time", "loss.reduce.then=sum"}, "mean"}},
    {"loss.normalizer.scope", {{"train.accumulation=2"}, "micro"}},
    {"optim.name", {{"optim.weight_decay=0.1"}, "adamw"}},
    {"optim.momentum", {{"optim.name=sgd"}, "0.5"}},
    {"optim.clip_norm", {{}, "0.001"}},
    {"optim.eps", {{}, "0.1"}},
    {"schedule.warmup", {{}, "3"}},
    {"schedule.floor", {{"schedule.name=linear"}, "0.5"}},
    {"schedule.name", {{}, "cosine"}},
    {"schedule.factor", {plateau + std::vector<std::string>{"schedule.patience=0"}, "0.25"}},
    {"schedule.patience", {plateau, "0"}},
    {"train.epochs", {{"train.steps=null", "data.sizes.train=32", "train.epochs=1"}, "2"}},
    {"train.steps", {{}, "3"}},
    {"train.log_every", {{}, "1"}},
    {"train.validate_every", {{}, "1"}},
    {"train.batch.by", {{}, "tokens"}},
    {"train.batch.size", {{}, "8"}},
    {"train.batch.bucket", {{"loss.reduce.divide=positions"}, "8"}},
    {"train.batch.pool", {{}, "1"}},
    {"train.batch.shards", {{}, "3"}},
    {"train.early_stopping.patience", {{"train.validate_every=1", "train.steps=8", "optim.lr=5.0"}, "1"}},
    {"checkpoint.every", {{"train.steps=6", "train.validate_every=6", "checkpoint.keep_last=9"}, "1"}},
    {"checkpoint.keep_last", {{"train.validate_every=1"}, "2"}},
    {"checkpoint.keep_best", {{"train.validate_every=1", "train.steps=6"}, "3"}},
    {"checkpoint.average", {{"train.validate_every=1", "train.steps=6", "checkpoint.keep_best=3"}, "3"}},
    {"checkpoint.metric", {{"train.validate_every=1", "train.steps=8", "optim.lr=0.03"}, "bleu"}},
    {"report.bleu.tokenize", {{}, "char"}},
    {"report.bleu.lowercase", {files + std::vector<std::string>{"data.dev.trg=small.trg"}, "true"}},
    {"model.encoder.layers", {{}, "2"}},
    {"model.decoder.layers", {{}, "2"}},
    {"model.tied_embeddings", {{"model.attention=none", "model.embedding=16"}, "true"}},
    {"model.readout", {{}, "5"}},
    {"model.dropout.variational", {{"model.dropout.hidden=0.5"}, "true"}},
    {"model.init.file", {{}, "init.safetensors"}},
    {"model.init.rename",
     {{"model.init.file=init.safetensors"}, "{enc.gru.bias_ih: enc.gru.bias_hh, enc.gru.bias_hh: enc.gru.bias_ih}"}},
    {"decode.max_ratio", {{}, "0.5"}},
    {"decode.beam", {{}, "5"}},
    {"decode.length_penalty", {{"decode.beam=5"}, "5.0"}},
};

class Lab {
 public:
  Lab() {
    fs::create_directories(dir_);
    std::string a, b, at, bt, ex, ex2, tok, tok2, neg, mask, mask2, zero;
    const char* words[] = {"x", "Y", "z", "w", "V", "u"};
    for (int i = 0; i < 40; ++i) {
      const int n = 2 + i % 4;
      std::string s, t, w1, w2, w3, m1, m2, m0;
      for (int k = 0; k < n; ++k) {
        s += std::string(k ? " " : "") + words[(i + k) % 6];
        t += std::string(k ? " " : "") + words[(i * k + 1) % 6];
      }
      s = "S x " + s, t = "S x " + t;
      for (int k = 0; k <= n + 2; ++k) {
        w1 += (k ? " 1.5" : "0.5"), w2 += (k ? " 1.0" : "2.0"), w3 += (k ? " 1.0" : "-0.5");
        m1 += (k ? " 1" : "0"), m2 += (k == 1 ? " 0" : k ? " 1" : "1"), m0 += (k ? " 0" : "0");
      }
      a += s + "\n", at += t + "\n", b += t + "\n", bt += s + "\n";
      ex += i % 2 ? "1.0\n" : "0.5\n", ex2 += i % 3 ? "1.0\n" : "0.0\n";
      tok += w1 + "\n", tok2 += w2 + "\n", neg += w3 + "\n", mask += m1 + "\n", mask2 += m2 + "\n", zero += m0 + "\n";
      tsv_[0] += s + "\t" + t + "\n", tsv_[1] += t + "\t" + s + "\n";
    }
    write("a.src", a), write("a.trg", at), write("b.src", b), write("b.trg", bt);
    for (char& c : at) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    write("small.trg", at);
    write("a.tsv", tsv_[0]), write("b.tsv", tsv_[1]);
    write("example.txt", ex), write("example2.txt", ex2), write("token.txt", tok), write("token2.txt", tok2);
    write("negative.txt", neg), write("mask.txt", mask), write("mask2.txt", mask2), write("zero.txt", zero);
    std::string wide = tsv_[0];
    wide.replace(wide.find(' '), 1, "\xC2\xA0");  // a no-break space
    write("wide.tsv", wide);
    const std::string lexicon = slurp(fs::path(SEQGRAD_SOURCE_DIR) / "configs/phrases_lexicon.tsv");
    write("lexicon.tsv", lexicon);
    std::string other = lexicon;
    for (size_t at_word; (at_word = other.find("Apfel")) != std::string::npos;) other.replace(at_word, 5, "Opfel");
    write("other.tsv", other);
    write("base.yaml",
          "data: {task: copy, sizes: {train: 200, dev: 8, test: 8}}\n"
          "model: {embedding: 8, encoder: {hidden: 8}, decoder: {hidden: 16}}\n"
          "train: {steps: 4, batch: {size: 16}, log_every: 2, validate_every: 2}\n"
          "decode: {max_ratio: 1.0, max_extra: 2}\n");
    run({});
    fs::copy(dir_ / "run/checkpoints/best/model.safetensors", dir_ / "init.safetensors");
    const auto info = nlohmann::json::parse(slurp(dir_ / "run/run.json"));
    const int64_t classes = info["target_vocabulary"]["size"];
    std::string ones, prior, prior2;
    for (int64_t v = 0; v < classes; ++v) {
      ones += v % 2 ? "2.0\n" : "0.5\n";
      prior += fmt::format("{}\n", 1.0 / static_cast<double>(classes));
      prior2 += v == 0 ? "1.0\n" : "0.0\n";
    }
    write("class.txt", ones), write("prior.txt", prior), write("prior2.txt", prior2);
  }
  ~Lab() { fs::remove_all(dir_); }

  struct Run {
    int code;
    std::string fingerprint, err;
  };

  // Trains with `set` over the base config; the fingerprint is all that the run leaves but times and the config itself.
  const Run& run(const std::vector<std::string>& set) {
    std::string command =
        "cd " + dir_.string() + " && rm -rf run && " SEQGRAD_BINARY " train base.yaml --threads 1 --run-dir run";
    for (const std::string& s : set) command += " --set '" + s + "'";
    auto [it, fresh] = known_.try_emplace(command);
    if (!fresh) return it->second;
    const int status = std::system((command + " > out 2> err").c_str());
    Run& r = it->second;
    r.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r.err = slurp(dir_ / "err");
    r.fingerprint = slurp(dir_ / "out");
    if (r.code != 0)
      r.fingerprint += r.err.substr(r.err.find("error: ") == std::string::npos ? 0 : r.err.find("error: "));
    std::vector<fs::path> paths;
    if (fs::exists(dir_ / "run"))
      for (const auto& entry : fs::recursive_directory_iterator(dir_ / "run")) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
      const std::string name = path.filename();
      if (name.find(".tfevents.") != std::string::npos) continue;
      r.fingerprint += "\n" + fs::relative(path, dir_).string();
      if (fs::is_symlink(path)) r.fingerprint += " -> " + fs::read_symlink(path).string();
      if (!fs::is_regular_file(path) || name.starts_with("config.") || name == "train.log" || name == "run.json" ||
          name == "metrics.csv" || name == "report.html")  // times; what metrics.jsonl holds; the config itself
        continue;
      std::stringstream in(slurp(path));
      if (name != "metrics.jsonl") r.fingerprint += "\n" + in.str();
      if (name == "metrics.jsonl")
        for (std::string line; std::getline(in, line);)
          r.fingerprint += "\n" + line.substr(0, line.find(",\"seconds\""));
    }
    return r;
  }

 private:
  void write(const std::string& name, const std::string& text) { std::ofstream(dir_ / name) << text; }
  const fs::path dir_ = fs::temp_directory_path() / ("seqgrad-effects-" + std::to_string(getpid()));
  std::string tsv_[2];
  std::map<std::string, Run> known_;
};

}  // namespace

TEST_CASE("every key has an effect") {
  Lab lab;
  REQUIRE(lab.run({}).code == 0);
  const Config config;
  std::vector<std::string> keys;
  config.for_each_field([&](const FieldBase& f) {
    const std::string key = f.path();
    keys.push_back(key);
    if (no_effect.count(key)) return;
    const auto found = trials.find(key);
    const Trial trial = found == trials.end() ? Trial{} : found->second;
    const std::string value = trial.value.empty() ? f.second_value() : trial.value;
    CAPTURE(key, value);
    const Lab::Run& without = lab.run(trial.with);
    CAPTURE(without.err);
    CHECK((without.code != 0) == trial.alone_refused);
    const Lab::Run& with = lab.run(trial.with + std::vector<std::string>{key + "=" + value});
    CAPTURE(with.err);
    CHECK((with.code != 0) == trial.both_fail);
    CHECK((with.fingerprint != without.fingerprint));
  });
  for (const auto& [key, reason] : no_effect) CHECK(std::count(keys.begin(), keys.end(), key) == 1);
  for (const auto& [key, trial] : trials) {
    CAPTURE(key);
    CHECK(std::count(keys.begin(), keys.end(), key) == 1);
  }
}
