// Weights and masks that are given and not used, or used and not given, are refused; ids and weights that keep a model
// from learning are told.
#include "engine/train/config.h"
#include "engine/train/loss_sources.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

using Overrides = std::vector<std::string>;

Overrides operator+(Overrides a, const Overrides& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string refusal(const Overrides& overrides) {
  Config config;
  return error_of([&] { load(config, "", overrides); });
}

}  // namespace

TEST_CASE("each source of weights and masks goes with its switch, in both directions") {
  const Overrides files = {"data.train={tsv: a.tsv}", "data.dev={tsv: a.tsv}"},
                  two = {"data.train={src: a, trg: b}", "data.dev={src: a, trg: b}"};
  const struct {
    Overrides base;
    Overrides source;
    const char *source_key, *switch_key;
  } pairs[] = {
      {two, {"data.weights.example=w"}, "data.weights.example", "loss.weights.example"},
      {two, {"data.weights.token=w"}, "data.weights.token", "loss.weights.token"},
      {two, {"data.mask=m"}, "data.mask", "loss.mask.file"},
      {two, {"data.loss_from=x"}, "data.loss_from", "loss.mask.file"},
      {two, {"data.corrupt={share: 0.5, weight: 0.5}"}, "data.corrupt.weight", "loss.weights.example"},
      {{"data.task=copy"}, {"data.loss_from=x"}, "data.loss_from", "loss.mask.file"},
      {{"data.task=copy"}, {"data.corrupt={share: 0.5, weight: 0}"}, "data.corrupt.weight", "loss.weights.example"},
  };
  for (const auto& p : pairs) {
    CAPTURE(p.source[0]);
    const Overrides on = {std::string(p.switch_key) + "=true"};
    const std::string unused = refusal(p.base + p.source), empty = refusal(p.base + on);
    CAPTURE(unused, empty);
    CHECK(has(unused, fmt::format("error: {}: has no effect without {}: true", p.source_key, p.switch_key)));
    CHECK(has(unused, "\n1 error; nothing was run"));
    CHECK(has(empty, fmt::format("error: {}: needs data.", p.switch_key)));
    CHECK(refusal(p.base + p.source + on) == "");
  }
  // Two sources for one switch, and noise that nobody weighs.
  CHECK(refusal(two + Overrides{"data.mask=m", "data.loss_from=x", "loss.mask.file=true"}) == "");
  CHECK(refusal(two + Overrides{"data.corrupt.share=0.5"}) == "");
  CHECK(refusal(two + Overrides{"data.corrupt.share=0.5", "loss.weights.example=true"}) == "");
  CHECK(refusal(files + Overrides{"loss.weights.example=true"}) == "");  // the third column is looked for later
}

TEST_CASE(
    "a third column without its switch, and the switch without a third column, are refused with the key's place") {
  const Scratch dir;
  dir.write("two.tsv", "a\tb\nc\td\n");
  dir.write("three.tsv", "a\tb\t1\nc\td\t0.5\n");
  const auto trial = [&](const std::string& train, const std::string& dev, const std::string& loss) {
    const std::string config = dir.write("c.yaml", "data:\n  train: {tsv: " + train + "}\n  dev: {tsv: " + dev + "}\n" +
                                                       loss + "model: {embedding: 2, decoder: {hidden: 2}}\n");
    std::string said;
    for (const std::string& command : {"train " + config + " --dry-run", "gradcheck --fast " + config}) {
      const Result r = run_seqgrad(dir, command);
      CAPTURE(command, r.err);
      CHECK((r.code == 0 || r.code == 2));
      said += r.code == 2 ? r.err : "";
    }
    return said;
  };
  const std::string on = "loss: {weights: {example: true}}\n";
  CHECK(trial("two.tsv", "two.tsv", "") == "");
  CHECK(trial("three.tsv", "two.tsv", on) == "");
  const std::string unused = trial("three.tsv", "two.tsv", "");
  CHECK(has(unused,
            "c.yaml:2:16: error: data.train.tsv: its third column weighs the pairs, which has no effect without "
            "loss.weights.example: true"));
  for (const std::string& loss : {std::string(), on}) {  // weights count in training alone
    CHECK(trial(loss.empty() ? "two.tsv" : "three.tsv", "three.tsv", loss) == "");
    CHECK(has(run_seqgrad(dir, "train --dry-run " + (dir / "c.yaml")).err,
              "warning: data.dev.tsv: its third column is left out: "));
  }
  CHECK(has(trial("two.tsv", "two.tsv", on),
            "c.yaml:4:27: error: loss.weights.example: needs data.weights.example, a "
            "third column"));
}

TEST_CASE("an ignored id that does nothing, or keeps a model from stopping, is told") {
  const Overrides base = {"data.task=copy", "data.sizes={train: 200, dev: 5, test: 5}"};
  const auto notes = [&](const Overrides& more) {
    Config config;
    load(config, "", base + more);
    return loss_notes(config, load_data(config.data, 1));
  };
  CHECK(notes({}).empty());
  const struct {
    int64_t id;
    const char* what;
  } ids[] = {{0, "0 is <pad>, which does not count anyway (loss.mask.lengths): it does nothing"},
             {1, "1 is <s>, which no target has: it does nothing"},
             {2, "2 is </s>, the end of a sentence: the model never learns to stop"},
             {3, "3 is <unk>, and all training targets are known: it does nothing"},
             {-100, "-100 is no id of the target vocabulary (0 to 53): it does nothing"},
             {54, "54 is no id of the target vocabulary (0 to 53): it does nothing"}};
  for (const auto& [id, what] : ids) {
    const auto said = notes({fmt::format("loss.mask.ignore_index={}", id)});
    REQUIRE(said.size() == 1);
    CHECK(said[0] == std::string("loss.mask.ignore_index: ") + what);
  }
  const auto word = notes({"loss.mask.ignore_index=4"});
  REQUIRE(word.size() == 1);
  CHECK(has(word[0], "', which is never learned"));
  CHECK(notes({"loss.mask.ignore_index=0", "loss.mask.lengths=false"}).empty());
  CHECK(notes({"loss.mask.ignore_index=3", "data.vocabulary.size=40"}).empty());
}

TEST_CASE("weights that are all 0, and weights and masks of 0 for every end of a sentence, are told") {
  const Scratch dir;
  const std::string text = dir.write("a.tsv", "a\tb c\nb\tc\n");
  const auto notes = [&](const std::string& key, const std::string& on, const std::string& rows) {
    Config config;
    load(config, "",
         {"data.train={tsv: " + text + "}", "data.dev={tsv: " + text + "}", on, key + "=" + dir.write("rows", rows)});
    return loss_notes(config, load_data(config.data, 1));
  };
  const std::string nothing = ": every weight is 0: nothing is learned";
  const std::string example = "data.weights.example", on_example = "loss.weights.example=true";
  CHECK(notes("data.weights.token", "loss.weights.token=true", "0 0 0\n0 0\n") ==
        std::vector<std::string>{"loss.weights.token" + nothing});
  CHECK(notes(example, on_example, "0\n0\n") == std::vector<std::string>{"loss.weights.example" + nothing});
  CHECK(notes(example, on_example, "0\n1\n").empty());
  CHECK(notes("loss.weights.class.file", "seed=1", "0\n0\n0\n0\n0\n0\n") ==
        std::vector<std::string>{"loss.weights.class.file" + nothing});
  const std::string token = "data.weights.token", on_token = "loss.weights.token=true", mask = "data.mask",
                    on_mask = "loss.mask.file=true";
  CHECK(has(notes(token, on_token, "1 1 0\n1 0\n").at(0), "the weights are 0 for every end of a sentence"));
  CHECK(has(notes(mask, on_mask, "1 1 0\n1 0\n").at(0), "the mask has 0 for every end of a sentence"));
  CHECK(notes(token, on_token, "1 1 0\n1 0.5\n").empty());
  CHECK(notes(mask, on_mask, "1 1 0\n1 1\n").empty());
  const std::string none = "loss.weights.example=false", classes = "loss.weights.class.file";
  CHECK(has(notes(classes, none, "1\n1\n0\n1\n1\n1\n").at(0), "the weight of </s> (line 3) is 0"));
  CHECK(notes(classes, none, "1\n1\n1\n1\n1\n1\n").empty());
}

TEST_CASE("what training reads is described by default, with its warnings, and -q says nothing of it") {
  const Scratch dir;
  dir.write("a.tsv", "ein Hund\ta dog\neine Katze\ta cat\n");
  dir.write("b.tsv", "ein Hund\ta dog\nein\u00A0Baum\ta tree\n");
  const std::string config = dir.write("c.yaml",
                                       "data: {train: {tsv: a.tsv}, dev: {tsv: b.tsv}}\n"
                                       "train: {steps: 1}\nloss: {mask: {ignore_index: 2}}\n"
                                       "model: {embedding: 2, decoder: {hidden: 2}}\n");
  const Result r = run_seqgrad(dir, "train " + config + " --run-dir " + (dir / "run"));
  CAPTURE(r.err);
  CHECK(r.code == 0);
  // dev: 1 of 3 source tokens ("ein Baum" glued), 1 of 4 target tokens.
  CHECK(has(r.err,
            "data: train 2 pairs, dev 2; vocabularies: 8 source, 7 target; unknown tokens: dev 33.3 % source, "
            "25.0 % target\n"));
  CHECK(has(r.err, "warning: text: 1 space that separates no words (U+00A0): " + (dir / "b.tsv") + ":2:4;"));
  CHECK(has(r.err, "warning: dev: 1 of 2 pairs stands in training too"));
  CHECK(has(r.err, "warning: dev: 33.3 % of the source tokens are unknown"));
  CHECK(has(r.err, "warning: loss.mask.ignore_index: 2 is </s>"));
  const Result quiet = run_seqgrad(dir, "train " + config + " -q --run-dir " + (dir / "quiet"));
  CHECK_FALSE(has(quiet.err, "warning: text"));
}

TEST_CASE("exported pairs keep their weights, and a tab in a text cannot become a column") {
  const Scratch dir;
  dir.write("w.tsv", "a\tb\t1\nc\td\t0.25\n");
  const std::string weighted = dir.write("w.yaml",
                                         "data: {train: {tsv: w.tsv}, dev: {tsv: w.tsv}}\n"
                                         "loss: {weights: {example: true}}\n");
  CHECK(run_seqgrad(dir, "data " + weighted + " --all -q").out == "a\tb\t1\nc\td\t0.25\n");
  dir.write("s", "a\tb\nc\n"), dir.write("t", "x\ny\tz\n"), dir.write("m", "1 0\n0 1 1\n");
  const std::string files = "data: {train: {src: s, trg: t}, dev: {src: s, trg: t}, ";
  const std::string tabs = dir.write("t.yaml", files + "mask: m}\nloss: {mask: {file: true}}\n");
  const Result spaces = run_seqgrad(dir, "data " + tabs + " --all");
  CHECK(spaces.out == "a b\tx\nc\ty z\n");
  CHECK(has(spaces.err, "2 texts had tabs between words; they are spaces here"));
  CHECK(has(spaces.err, "not in these columns: the mask"));
  const std::string chars = dir.write("k.yaml", files + "vocabulary: {kind: char}}\n");
  const Result refused = run_seqgrad(dir, "data " + chars + " --all");
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "data: train, line 1: the text has a tab, which separates columns here"));
  const Result noisy = run_seqgrad(dir, "data " SEQGRAD_SOURCE_DIR "/configs/noisy_labels.yaml --head 50 -q");
  CHECK(has(noisy.out, "\t0\n"));
  CHECK(has(noisy.out, "\t1\n"));
}
