// The `data` section: what it loads, and what it contradicts.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/core/error.h"
#include "engine/data/config.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"

using namespace seqgrad;

namespace {

using Overrides = std::vector<std::string>;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("seqgrad_data_config_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

Data loaded(const Overrides& overrides, uint64_t seed = 1) {
  DataConfig config;
  load(config, "", overrides);
  return load_data(config, seed);
}

std::string refusal(const Overrides& overrides) {
  try {
    loaded(overrides);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) != text.npos) return true;
  UNSCOPED_INFO("'" << part << "' is not in '" << text << "'");
  return false;
}

}  // namespace

TEST_CASE("a task gives all its sets, in its own kind of vocabulary") {
  const Data data = loaded({"task=copy", "sizes.train=2000", "sizes.dev=20", "sizes.test=30"});
  CHECK(data.train.size() == 2000);
  CHECK(data.dev.size() == 20);
  CHECK(data.test.size() == 30);
  CHECK(data.source->size() == special_ids + 50);
  CHECK(data.reported.size() == 2);
  CHECK(data.reported.at("length_50").source.length(0) == 50);
  CHECK(data.test.source.unknown() == 0);
  const Data roman = loaded({"task=roman"});
  CHECK(roman.source->size() == special_ids + 10);  // the digits
  CHECK(roman.target->size() == special_ids + 7);
  CHECK(loaded({"task=copy", "vocabulary.kind=char", "sizes.train=2000"}).source->size() == special_ids + 11);
  CHECK(loaded({"task=copy"}, 1).test.pairs[0].source == loaded({"task=copy"}, 1).test.pairs[0].source);
  CHECK(loaded({"task=copy"}, 1).test.pairs[0].source != loaded({"task=copy"}, 2).test.pairs[0].source);
}

TEST_CASE("a whole text on one line of dev or test is named, and so are training lines that are too long") {
  const Folder folder;
  const auto line = [](int words) {
    std::string out = "a";
    for (int i = 1; i < words; ++i) out += i % 2 ? " b" : " a";
    return out;
  };
  const auto tsv = [&](const std::string& name, std::vector<int> lengths) {
    std::string text;
    for (size_t i = 0; i < lengths.size(); ++i)
      text += line(i % 2 ? lengths[i] : 1) + "\t" + line(i % 2 ? 1 : lengths[i]) + "\n";
    return folder.write(name, text);
  };
  const std::string train = tsv("train", {60, 2, 61, 70, 1, 99}), fine = tsv("fine", {600, 3}),
                    bad = tsv("bad", {1, 601, 2, 30000}), shorter = tsv("short", {1, 2, 1}),
                    half = tsv("half", {500, 501});
  const auto notes = [&](const std::string& training, const std::string& dev, const std::string& test) {
    std::vector<std::string> out;
    for (const std::string& note :
         loaded({"train.tsv=" + training, "dev.tsv=" + dev, "test.tsv=" + test, "max_length=60"}).notes)
      if (note.find("on one line") != std::string::npos) out.push_back(note);
    return out;
  };
  const std::string rest = ", and no training sentence has more than ";
  CHECK(notes(train, fine, fine).empty());  // ten times the longest one
  for (const bool dev : {true, false}) {
    const auto said = dev ? notes(train, bad, fine) : notes(train, fine, bad);
    REQUIRE(said.size() == 1);
    CHECK(said[0] == bad + ":4: 30,000 tokens on one line (and 1 more such line)" + rest + "60: each pass over " +
                         (dev ? "dev" : "test") +
                         " may take minutes with it; write one sentence a line, or take it out");
  }
  const auto said = notes(shorter, half, fine);  // 500 are no matter, however short the others are
  REQUIRE(said.size() == 2);
  CHECK(said[0].starts_with(half + ":2: 501 tokens on one line" + rest + "2: "));
  const Data data = loaded({"train.tsv=" + train, "dev.tsv=" + fine, "max_length=60"});
  CHECK(data.train.skipped.text() == "0 blank, 3 too long (lines 3, 4, 6)");
  CHECK(loaded({"train.tsv=" + tsv("many", {1, 9, 9, 9, 9, 9, 9}), "dev.tsv=" + fine, "max_length=8"})
            .train.skipped.text() == "0 blank, 6 too long (lines 2, 3, 4, 5, 6, ...)");
}

TEST_CASE("every key of the data section changes what is loaded") {
  const Folder folder;
  const std::string src = folder.write("s", "Ein Hund .\nein Haus ist da .\nder Hund\n\n");
  const std::string trg = folder.write("t", "A dog .\na house is there .\nthe dog\nx\n");
  const Overrides files{"train.src=" + src, "train.trg=" + trg, "dev.src=" + src, "dev.trg=" + trg};
  const auto with = [&](Overrides more) {
    more.insert(more.begin(), files.begin(), files.end());
    return loaded(more);
  };
  const Data plain = with({});
  CHECK(plain.train.size() == 3);
  CHECK(plain.train.skipped.blank == 1);
  CHECK(plain.test.size() == 0);
  CHECK(plain.source->size() == special_ids + 8);
  CHECK(plain.train.example_weight.empty());

  CHECK(with({"max_length=3"}).train.skipped.text() == "1 blank, 1 too long (line 2)");
  CHECK(with({"max_length=3"}).dev.skipped.too_long == 0);
  CHECK(with({"max_length=3"}).source->vocabulary().id("Haus") == unk_id);
  const Data lower = with({"lowercase=true"});
  CHECK(lower.source->size() == special_ids + 7);
  CHECK(lower.train.pairs[0].target == "a dog .");
  CHECK(with({"vocabulary.size=6"}).source->size() == 6);
  CHECK(with({"vocabulary.min_frequency=2"}).source->vocabulary().ordinary() == std::vector<std::string>{".", "Hund"});
  const Data shared = with({"vocabulary.share=true"});
  CHECK(shared.source == shared.target);
  CHECK(shared.source->vocabulary().id("dog") != unk_id);
  CHECK(shared.source->vocabulary().id("Hund") != unk_id);
  CHECK(with({"vocabulary.kind=char"}).train.source.length(2) == 8);
  const Data half = with({"corrupt.share=0.7", "corrupt.weight=0.5"});
  CHECK(std::count(half.train.example_weight.begin(), half.train.example_weight.end(), 0.5) == 2);
  CHECK(half.dev.example_weight.empty());
  CHECK(with({"test.src=" + src, "test.trg=" + trg}).test.size() == 4);  // a blank line is scored too
  CHECK(with({"weights.example=" + folder.write("e", "1\n2\n3\n4\n")}).train.example_weight ==
        std::vector<double>{1, 2, 3});
  CHECK(with({"weights.token=" + folder.write("w", "1 1 1 1\n1 1 1 1 1 1\n1 2 3\n\n")}).train.token_weight[2][1] == 2);
  CHECK(with({"mask=" + folder.write("m", "1 1 1 1\n1 1 1 1 1 1\n1 0 1\n\n")}).train.mask[2][1] == 0);
  const std::string tsv = folder.write("x.tsv", "a b\tc = d\t0.5\nb\t= e\t1\n");
  const Data prompt = loaded({"train.tsv=" + tsv, "dev.tsv=" + tsv, "loss_from=="});
  CHECK(prompt.train.example_weight == std::vector<double>{0.5, 1});
  CHECK(prompt.train.mask[0][1] == 0);
  CHECK(prompt.train.mask[0][2] == 1);
  CHECK(prompt.dev.mask.empty());  // whatever is scored counts as a whole, and may have no prompt
  const std::string none = folder.write("y.tsv", "a b\tc d\t0.5\n");
  CHECK(loaded({"train.tsv=" + tsv, "dev.tsv=" + none, "loss_from=="}).dev.size() == 1);
  CHECK(has(refusal({"train.tsv=" + none, "dev.tsv=" + tsv, "vocabulary.share=true", "loss_from=b"}),
            none + ":1: the target has no token 'b' (data.loss_from): 'c d'"));

  DataConfig config;
  load(config, "", files);
  const Data again = load_data(config, 1, plain.target, plain.target);
  CHECK(again.source == plain.target);
  CHECK(again.train.source.unknown() > 0);
}

TEST_CASE("contradictions in the data section are refused") {
  const Folder folder;
  const std::string f = folder.write("f", "a\n");
  const Overrides files{"train.src=" + f, "train.trg=" + f, "dev.src=" + f, "dev.trg=" + f};
  const auto with = [&](Overrides more) {
    more.insert(more.begin(), files.begin(), files.end());
    return refusal(more);
  };
  CHECK(with({}) == "");
  CHECK(has(refusal({}), "task: is needed, or files"));
  CHECK(has(refusal({"task=copi"}), "did you mean 'copy'?"));
  CHECK(has(with({"task=copy"}), "contradicts the files"));
  CHECK(has(with({"train.tsv=" + f}), "contradicts src and trg"));
  CHECK(has(refusal({"train.src=" + f}), "src and trg go together"));
  CHECK(has(refusal({"train.tsv=" + f}), "text for validation is needed"));
  CHECK(has(refusal({"dev.tsv=" + f}), "training text is needed"));
  CHECK(has(with({"sizes.dev=5"}), "sizes.dev: has a meaning only for a built-in task"));
  CHECK(has(with({"direction=de-en"}), "has a meaning only for a built-in task"));
  CHECK(has(with({"lexicon=" + f}), "has a meaning only for a built-in task"));
  CHECK(has(refusal({"task=copy", "direction=de-en"}), "has one direction"));
  CHECK(has(refusal({"task=copy", "mask=" + f}), "go with text files"));
  CHECK(has(refusal({"task=copy", "sizes.train=10000000"}), "expected at least 0 and at most 1"));
  CHECK(has(with({"vocabulary.size=4"}), "expected 0 or at least 5, got 4"));
  CHECK(has(with({"vocabulary.kind=letters"}), "expected one of"));
  CHECK(has(with({"corrupt.weight=0.5"}), "has no effect while"));
  CHECK(has(with({"loss_from=b"}), "'b' is not a token"));
  CHECK(has(with({"dev.src=/nowhere", "dev.trg=" + f}), "/nowhere: error: cannot be read"));
}

TEST_CASE("what a config leaves to its task is written out as it came, and loads the same data") {
  for (const char* task : {"copy", "roman", "dates"}) {
    CAPTURE(task);
    DataConfig config;
    load(config, "", {std::string("task=") + task, "sizes.dev=7"});
    const Data data = load_data(config, 3);
    write_out(config, data);
    CHECK(config.sizes.train() == data.train.size());
    CHECK(config.sizes.train() > 2000);
    CHECK(config.sizes.dev() == 7);
    CHECK(config.sizes.test() == data.test.size());
    CHECK(config.vocabulary.kind() == std::string(task == std::string("copy") ? "word" : "char"));
    const Data again = load_data(config, 3);
    CHECK(rows(again.train.source) == rows(data.train.source));
    CHECK(rows(again.test.target) == rows(data.test.target));
  }
  const Folder folder;
  const std::string f = folder.write("f", "a\n");
  DataConfig files;
  load(files, "", {"train.src=" + f, "train.trg=" + f, "dev.src=" + f, "dev.trg=" + f});
  write_out(files, load_data(files, 1));
  CHECK(files.vocabulary.kind() == std::string("word"));
  CHECK(files.sizes.train() == 0);
  Problems problems;
  files.check_all(problems);
  CHECK(problems.empty());
}
