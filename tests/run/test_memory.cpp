// What cannot fit is refused before the first step: limits of machine and control groups, the largest batch of a split.
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include <cmath>
#include <thread>

#include "engine/core/tape.h"
#include "engine/run/memory_limit.h"
#include "engine/run/memory_need.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/evaluate.h"
#include "engine/train/step.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

// A machine whose files of control groups lie under a directory.
struct Groups {
  Scratch dir;
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(dir / name).parent_path());
    dir.write(name, text);
  }
  MemoryLimit limit() const { return memory_limit(Device::cpu, dir.path.string()); }
};

double machine() {
  struct sysinfo info {};
  sysinfo(&info);
  return static_cast<double>(info.totalram) * info.mem_unit;
}

// A sentence of so many tokens.
std::string words(size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += i % 2 ? " b" : i == 0 ? "a" : " a";
  return out;
}

struct Texts {
  Scratch dir;
  Texts() {
    dir.write("a.src", "a b\nb\n" + words(40) + "\n");
    dir.write("a.trg", "a\nb a\na b\n");
    dir.write("short.tsv", "a\tb\n");
  }
  Config config;
  Data load_with(const std::vector<std::string>& more) {
    std::vector<std::string> set = {"data.train.src=" + (dir / "a.src"), "data.train.trg=" + (dir / "a.trg"),
                                    "data.dev.tsv=" + (dir / "short.tsv"), "train.batch.size=1"};
    set.insert(set.end(), more.begin(), more.end());
    load(config, "", set);
    return load_data(config.data, 1);
  }
};

}  // namespace

TEST_CASE("the memory of a machine is what its control groups leave of it, in both versions and on every level") {
  const double most = machine();
  {
    const Groups none;
    CHECK(none.limit().bytes == most);
    CHECK(none.limit().what == "this machine has");
  }
  const Groups two;
  two.write("proc/self/cgroup", "0::/user/job\n");
  two.write("sys/fs/cgroup/user/job/memory.max", "max\n");
  CHECK(two.limit().bytes == most);
  two.write("sys/fs/cgroup/user/memory.max", "1000000\n");
  CHECK(two.limit().bytes == 1e6);
  CHECK(two.limit().what == "the control group /user allows");
  two.write("sys/fs/cgroup/user/job/memory.max", "400000\n");
  CHECK(two.limit().bytes == 4e5);
  two.write("sys/fs/cgroup/memory.max", "300000\n");
  CHECK(two.limit().bytes == 3e5);
  CHECK(two.limit().what == "the control group / allows");
  two.write("sys/fs/cgroup/memory.max", "99999999999999999999999\n");
  CHECK(two.limit().bytes == 4e5);
  const Groups one;
  one.write("proc/self/cgroup", "12:cpu,cpuacct:/x\n9:hugetlb,memory:/docker/abc\n1:name=systemd:/y\n0::/\n");
  one.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(one.limit().bytes == most);
  one.write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "500000\n");
  CHECK(one.limit().bytes == 5e5);
  CHECK(one.limit().what == "the control group /docker/abc allows");
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  if (before.rlim_cur == RLIM_INFINITY) {
    const rlimit tight{rlim_t{1} << 40, before.rlim_max};
    setrlimit(RLIMIT_AS, &tight);
    const MemoryLimit limit = Groups().limit();
    CHECK(limit.bytes == std::min(most, 0x1p40));
    setrlimit(RLIMIT_AS, &before);
  }
}

TEST_CASE("the bound of a batch is below what it takes, and not by much") {
  for (const std::string attention : {"none", "dot", "general", "additive"})
    for (const std::string prediction : {"hidden", "logits"}) {
      Config config;
      load(config, "",
           {"data.task=copy", "model.embedding=32", "model.encoder.hidden=16", "model.decoder.hidden=32",
            "model.decoder.layers=2", "model.attention=" + attention, "loss.input=" + prediction});
      const auto model = make_model(config, {50, 50});
      const LossSetup setup = make_loss_setup(config.loss, 50);
      Corpus corpus;
      corpus.source = rows_of({std::vector<int32_t>(900, 5)});
      corpus.target = rows_of({std::vector<int32_t>(699, 6)});
      corpus.lines = {1};
      corpus.pairs.push_back({});
      const int64_t row = 0;
      const Batch batch = make_batch(corpus, {&row, 1}, 1);
      const double bound = batch_bytes(config, 50)(1, 900, 700);
      for (const bool training : {false, true}) {
        size_t taken = 0;
        std::thread([&] {  // whose tape has held nothing else
          const LossInputs inputs = loss_inputs(batch, setup);
          if (training)
            accumulate_gradients(*model, setup, {&batch, 1}, {true, 1, 1});
          else
            loss_without_gradients(*model, setup, inputs, build_live_rows(inputs, setup.options), batch, {});
          taken = Tape::current().high_water();
        })
            .join();
        CAPTURE(attention, prediction, training, bound, taken);
        CHECK(bound <= static_cast<double>(taken));
        CHECK(bound > (training ? 0.2 : 0.3) * static_cast<double>(taken));
      }
    }
}

TEST_CASE("a sentence that no batch of its split can hold is named with its file, line and length") {
  Texts texts;
  const Data data = texts.load_with({"data.test.tsv=" + (texts.dir / "short.tsv")});
  const double most = memory_limit(Device::cpu).bytes;
  const auto said = [&](int64_t most_positions) {  // a device that holds so many of the longer side
    return error_of([&] {
      check_batches(texts.config, data, Device::cpu, 0, [&](int64_t b, int64_t s, int64_t t) {
        return b * std::max(s, t) > most_positions ? 2 * most : 1;
      });
    });
  };
  CHECK(said(40).empty());
  const std::string train = said(39);
  CHECK(train.starts_with("2 " +
                          (texts.dir / "a.src:3: error: this sentence of 40 tokens needs, with the model, about ")));
  CHECK(has(train, "allows ") + has(train, "this machine has ") == 1);
  CHECK(has(train, "(make train.batch.size, data.max_length or model.* smaller)"));
  CHECK(error_of([&] {
          check_batches(texts.config, data, Device::cpu, 2 * most, [](auto...) { return 1.0; });
        }).starts_with("2 "));
}

#if !SEQGRAD_ADDRESS_SANITIZER  // which reserves terabytes of addresses
TEST_CASE("one long line of dev or test is refused before the first step, where it could not be validated") {
  const Scratch dir;
  dir.write("good.tsv", "a b\tb a\nb\ta\n");
  dir.write("long.tsv", "a\tb\nb\t" + words(200000) + "\n");
  const std::string run = dir / "run";
  for (const std::string split : {"dev", "test"}) {
    const std::string other = split == "dev" ? "test" : "dev",
                      config = dir.write("c.yaml", "data: {train: {tsv: good.tsv}, " + split + ": {tsv: long.tsv}, " +
                                                       other + ": {tsv: good.tsv}}\ntrain: {steps: 1}\n" +
                                                       "model: {attention: none, decoder: {hidden: 3000}}\n");
    const int status = std::system(("ulimit -v 4000000; exec " SEQGRAD_BINARY " train " + config + " --run-dir " + run +
                                    " > " + (dir / "out") + " 2> " + (dir / "err"))
                                       .c_str());
    const std::string said = first_line(slurp(dir / "err"));
    CAPTURE(split, said);
    CHECK(WEXITSTATUS(status) == 2);
    CHECK(said.starts_with((dir / "long.tsv") +
                           ":2: error: this sentence of 200000 tokens needs, with the model, about "));
    CHECK(has(said, "the limit of addresses (ulimit -v) allows 4096 MB (shorten the sentence or take it out)"));
    CHECK_FALSE(fs::exists(run));
  }
}
#endif

TEST_CASE("evaluation takes every sentence once, long ones by themselves, and says the same as one by one") {
  Config config;
  load(config, "",
       {"data.task=copy", "model.embedding=4", "model.encoder.hidden=4", "model.decoder.hidden=8", "precision=fp64"});
  const auto tokenizer = tokenizer_kind("word").train(counted({"a b"}), {"word", 0, 1, false});
  const auto model = make_model(config, {tokenizer->size(), tokenizer->size()});
  const LossSetup setup = make_loss_setup(config.loss, tokenizer->size());
  ParallelText text;
  text.name = "dev";
  for (int64_t i = 0; i < 150; ++i) {
    // Beside the longest others of its length would be 64 times as many positions.
    const int64_t source = i == 140 ? 3000 : 1 + i % 7, target = i == 70 ? 9000 : 1 + i % 5;
    text.pairs.push_back({words(static_cast<size_t>(source)), words(static_cast<size_t>(target)), {}});
    text.lines.push_back(i + 1);
  }
  const Corpus corpus = encode(text, *tokenizer, *tokenizer);
  std::vector<int> seen(150);
  for (const auto& rows : evaluation_batches(corpus)) {
    int64_t longest = 0;
    for (const int64_t row : rows) {
      ++seen[static_cast<size_t>(row)];
      longest = std::max({longest, corpus.source.length(row), corpus.target.length(row) + 1});
    }
    CHECK((rows.size() == 1 || static_cast<int64_t>(rows.size()) * longest <= 16384));
    CHECK(rows.size() <= 64);
  }
  CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
  DecodeOptions decode;
  decode.max_ratio = 0.01, decode.max_extra = 2;
  const Evaluation all = evaluate(*model, setup, corpus, *tokenizer, decode, score_options(config));
  double nll = 0;
  int64_t live = 0, correct = 0;
  for (size_t i = 0; i < 150; ++i) {
    ParallelText one;
    one.name = "dev", one.pairs = std::vector<Pair>{text.pairs[i]}, one.lines = {1};
    const Evaluation alone =
        evaluate(*model, setup, encode(one, *tokenizer, *tokenizer), *tokenizer, decode, score_options(config));
    const auto tokens = static_cast<double>(alone.tokens);
    nll += std::log(alone.perplexity) * tokens, live += alone.tokens;
    correct += std::lround(alone.token_accuracy * tokens);
    CHECK(alone.hypotheses[0] == all.hypotheses[i]);
  }
  const auto tokens = static_cast<double>(all.tokens);
  CHECK(all.tokens == live);
  CHECK(std::lround(all.token_accuracy * tokens) == correct);
  CHECK(std::abs(std::log(all.perplexity) * tokens - nll) <= 1e-12 * nll);
}
