// Vocabularies, parallel text, corpora, batches and their order.
#include <locale.h>
#include <unistd.h>
#include <wctype.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/data/batcher.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"
#include "tests/support/timing.h"

using namespace seqgrad;

namespace {

// A folder of files that goes with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("seqgrad_data_" + std::to_string(getpid()))) {
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

// The message of the refusal, or "" when nothing was refused.
std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const InputError& e) {
    CHECK(std::string(e.what()).size() <= 400);
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  if (text.find(part) != text.npos) return true;
  UNSCOPED_INFO("'" << part << "' is not in '" << text << "'");
  return false;
}

std::shared_ptr<const Tokenizer> train(const std::vector<std::string>& lines, const TokenizerOptions& options = {}) {
  return tokenizer_kind(options.kind).train(counted(lines), options);
}

double seconds_since(std::clock_t begin) {  // of this process's own work
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

// A corpus of random ids with lengths 1..longest.
Corpus random_corpus(int64_t size, int64_t longest, uint64_t seed) {
  Random random(seed, 0);
  Corpus corpus;
  corpus.name = "random";
  std::vector<std::vector<int32_t>> source, target;
  for (int64_t i = 0; i < size; ++i) {
    const auto row = [&] {
      std::vector<int32_t> ids(1 + random.below(longest));
      for (int32_t& id : ids) id = static_cast<int32_t>(special_ids + random.below(20));
      return ids;
    };
    source.push_back(row());
    target.push_back(row());
    corpus.lines.push_back(i + 1);
    corpus.pairs.push_back({});
  }
  corpus.source = rows_of(source);
  corpus.target = rows_of(target);
  return corpus;
}

}  // namespace

TEST_CASE("a vocabulary orders tokens by frequency, then bytes, after the specials") {
  const auto words = train({"b a c", "b a", "d"});
  CHECK(words->vocabulary().ordinary() == std::vector<std::string>{"a", "b", "c", "d"});
  CHECK(words->encode("d b x") == std::vector<int32_t>{7, 5, unk_id});
  CHECK(train({"b a c", "b a", "d"}, {"word", 6, 1, false})->vocabulary().ordinary() ==
        std::vector<std::string>{"a", "b"});
  CHECK(train({"b a c", "b a", "d"}, {"word", 0, 2, false})->vocabulary().ordinary() ==
        std::vector<std::string>{"a", "b"});
  CHECK(train({"b a c"}, {"word", 2, 1, false})->size() == special_ids);
}

TEST_CASE("words are what spaces and tabs separate; characters are code points") {
  const auto words = train({"  one\ttwo  three "});
  CHECK(words->split("  one\ttwo  three ") == std::vector<std::string>{"one", "two", "three"});
  CHECK(words->decode(words->encode("one  two")) == "one two");
  const std::string odd =
      "a\xC2\xA0"
      "b";  // a no-break space joins
  CHECK(words->split(odd + " \r x\xE2\x80\xA8y") == std::vector<std::string>{odd, "\r", "x\xE2\x80\xA8y"});
  const auto chars = train({"Grüße, 日本!"}, {"char"});
  CHECK(chars->split("üß 日") == std::vector<std::string>{"ü", "ß", " ", "日"});
  CHECK(chars->decode(chars->encode("日 ü")) == "日 ü");
}

TEST_CASE("text that looks like a special is an ordinary token") {
  const auto words = train({"<s> </s> <pad> <unk>"});
  for (const char* text : {"<s>", "</s>", "<pad>", "<unk>"}) {
    REQUIRE(words->encode(text).size() == 1);
    CHECK(words->encode(text)[0] >= special_ids);
    CHECK(words->decode(words->encode(text)) == text);
  }
  CHECK(train({"a"})->encode("<s>") == std::vector<int32_t>{unk_id});
  const std::vector<int32_t> ids{bos_id, 4, unk_id, pad_id, eos_id, 4};
  CHECK(train({"a"})->decode(ids) == "a <unk>");
}

TEST_CASE("a vocabulary file gives back what was saved, whatever the tokens") {
  const Folder folder;
  std::string control = "\\ \\s \\x00 <pad> \\<pad> x\\";
  for (int c = 1; c < 0x21; ++c)
    if (c != '\n') control += static_cast<char>(c);
  control += std::string(1, '\0') + "\x7f ü 日";
  for (const char* kind : {"word", "char"})
    for (const bool lower : {false, true}) {
      const auto made = train({control, "Ä B"}, {kind, 0, 1, lower});
      const std::string path = folder.write("vocabulary.txt", made->serialized());
      const auto read = load_tokenizer(path);
      CHECK(read->serialized() == made->serialized());
      CHECK(read->fingerprint() == made->fingerprint());
      CHECK(read->vocabulary().ordinary() == made->vocabulary().ordinary());
      CHECK(read->encode(control) == made->encode(control));
      CHECK(read->encode("Ä") == made->encode(lower ? "ä" : "Ä"));
    }
  CHECK(train({"a b"})->fingerprint() != train({"b a a"}, {"char"})->fingerprint());
  CHECK(train({"a b"})->fingerprint() != train({"b b a"})->fingerprint());
  CHECK(train({"a"})->fingerprint() != train({"a"}, {"word", 0, 1, true})->fingerprint());
}

TEST_CASE("a vocabulary file that was not saved so is refused with its line") {
  const Folder folder;
  const std::string good = train({"aa b"})->serialized();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    REQUIRE(text.find(from) != text.npos);
    text.replace(text.find(from), from.size(), to);
    return refusal([&] { load_tokenizer(folder.write("v", text)); });
  };
  CHECK(with("b\n", "b\n") == "");
  CHECK(has(with("b\n", "aa\n"), ":9: token 'aa' stands already in line 8"));
  CHECK(has(with("\\<s>\n", "<s>\n"), ":5: expected the special \\<s>, got '<s>'"));
  CHECK(has(with("\\<unk>\n", ""), "size is 6 but 5 tokens follow"));
  CHECK(has(with("size 6", "size 7"), "size is 7 but 6 tokens follow"));
  CHECK(has(with("size 6", "size 06"), ":3: expected 'size N', got 'size 06'"));
  CHECK(has(with("size 6", "size 99999999999999999999"), ":3: expected 'size N'"));
  CHECK(has(with("lowercase false", "lowercase no"), ":2: expected 'lowercase true'"));
  CHECK(has(with("1 word", "2 word"), ":1: expected 'seqgrad-vocabulary 1 KIND'"));
  CHECK(has(with("1 word", "1 letter"), ":1: unknown vocabulary kind 'letter'"));
  for (const char* token : {"", "a b", "a\\", "\\q", "\\x4", "\\x41", "\\x0G", "\\x1F", "\\<eos>"})
    CHECK(has(with("\nb\n", "\n" + std::string(token) + "\n"), ":9: '" + std::string(token).substr(0, 3)));
  CHECK(has(with("b\n", "b\\sb\n"), ":9: 'b\\sb' is not a word token"));
  const std::string letters = "seqgrad-vocabulary 1 char\nlowercase false\nsize 5\n\\<pad>\n\\<s>\n\\</s>\n\\<unk>\n";
  CHECK(refusal([&] { load_tokenizer(folder.write("v", letters + "\\s\n")); }) == "");
  CHECK(has(refusal([&] { load_tokenizer(folder.write("v", letters + "ab\n")); }), ":8: 'ab' is not a char token"));
  CHECK(has(with("b\n", "\xff\n"), "v:9: byte 1 is not valid UTF-8"));
  CHECK(has(refusal([&] { load_tokenizer(folder.write("v", "")); }), ":1: expected"));
  for (size_t cut = 0; cut + 1 < good.size(); ++cut)
    CHECK(refusal([&] { load_tokenizer(folder.write("v", good.substr(0, cut))); }) != "");
}

TEST_CASE("the nearest known words come first") {
  const auto words = train({"Katze Katze Katzen Hund Haus Maus Laus x"});
  const Vocabulary& v = words->vocabulary();
  CHECK(v.nearest("katze") == std::vector<std::string>{"Katze", "Katzen"});
  CHECK(v.nearest("Kazte") == std::vector<std::string>{"Katze", "Katzen"});
  CHECK(v.nearest("Raus") == std::vector<std::string>{"Haus", "Laus", "Maus"});
  CHECK(v.nearest("Raus", 1) == std::vector<std::string>{"Haus"});
  CHECK(v.nearest("Elefant").empty());
  CHECK(v.nearest("y").empty());
  CHECK(v.nearest(std::string(1'000'000, 'a')).empty());
  CHECK(train({"schön"})->vocabulary().nearest("schon") == std::vector<std::string>{"schön"});
  // One slip in words of up to 4 characters, two up to 7, three in longer ones; neighbours exchanged are one slip.
  const auto lengths = train({"Hand Wagen Fenster Straßenbahn"});
  const auto near = [&](const char* word) { return !lengths->vocabulary().nearest(word).empty(); };
  CHECK((near("Hnad") && near("Han") && !near("Hxxd")));
  CHECK((near("Wxxen") && !near("Wxxxn")));
  CHECK((near("Fxxster") && !near("Fxxxter")));
  CHECK((near("Strxxxnbahn") && !near("Strxxxxbahn")));
  std::string emoji;
  for (int i = 0; i < 12; ++i) emoji += "🐕";
  CHECK(train({emoji})->vocabulary().nearest(emoji.substr(4) + "犬") == std::vector<std::string>{emoji});
  CHECK(train({"Laus Laus AMaus"})->vocabulary().nearest("Maus") == std::vector<std::string>{"Laus", "AMaus"});
}

TEST_CASE("a vocabulary of a million types and a line of a megabyte are no trouble", "[timing]") {
  const std::clock_t begin = std::clock();
  std::string line;
  for (int i = 0; i < 1'000'000; ++i) line += "w" + std::to_string(i) + " ";
  const auto words = train({line});
  CHECK(words->size() == 1'000'000 + special_ids);
  CHECK(words->encode(line).size() == 1'000'000);
  const Folder folder;
  CHECK(load_tokenizer(folder.write("v", words->serialized()))->fingerprint() == words->fingerprint());
  const std::string letters(1 << 20, 'x');
  CHECK(train({letters}, {"char"})->encode(letters).size() == letters.size());
  CHECK_SECONDS(seconds_since(begin), 10);
}

TEST_CASE("100,000 pairs are read, numbered and cut into batches in 3 seconds", "[timing]") {
  const Folder folder;
  Random random(1, 1);
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    for (uint64_t words = 1 + random.below(25); words > 0; --words)
      text += "w" + std::to_string(random.below(1 + random.below(30'000))) + " ";
    text += '\n';
  }
  const std::string path = folder.write("text", text);
  const std::clock_t begin = std::clock();
  const auto units = tokenizer_kind("word").length;
  ParallelText pairs = read_parallel_text("train", {path, path, ""}, {}, units);
  drop_unusable(pairs, 100, units, units);
  std::vector<std::string> lines;
  for (const Pair& pair : pairs.pairs) lines.push_back(pair.source);
  const auto words = train(lines);
  const Corpus corpus = encode(std::move(pairs), *words, *words);
  Batcher batcher(corpus, {});
  int64_t sentences = 0;
  for (int64_t i = 0; i < batcher.batches(0); ++i) sentences += batcher.next().batch;
  CHECK(sentences == 100'000);
  CHECK_SECONDS(seconds_since(begin), 3);
}

TEST_CASE("two files are read line by line; blank and long pairs are dropped and counted") {
  const Folder folder;
  const auto words = tokenizer_kind("word").length;
  const std::string source = folder.write("s", "\xEF\xBB\xBFone\r\n\n two three\nfour five six\nseven\n");
  const std::string target = folder.write("t", "eins\nzwei\n  \nvier\nsieben");
  ParallelText text = read_parallel_text("train", {source, target, ""}, {}, words);
  REQUIRE(text.pairs.size() == 5);
  CHECK(text.pairs[0].source == "one");
  drop_unusable(text, 2, words, words);
  CHECK(text.lines == std::vector<int64_t>{1, 5});
  CHECK(text.pairs[1].target == "sieben");
  CHECK(text.skipped.blank == 2);
  CHECK(text.skipped.too_long == 1);
  text.pairs = std::vector<Pair>{{"a b c", "x", {}}, {"a b c", "", {}}, {"a b c", "", {}}};
  text.lines = {1, 2, 3};
  text.skipped = {};
  CHECK(refusal([&] { drop_unusable(text, 2, words, words); }) ==
        "train: no pair left of 3: 2 blank on a side, 1 longer than data.max_length 2");
  require_words(text);
  text.pairs = std::vector<Pair>(2, {"a", " ", {}});
  CHECK(refusal([&] { require_words(text); }) == "train: no pair left of 2: 2 blank on a side");
}

TEST_CASE("a target that a run reads otherwise is scored as its file has it") {
  const Folder folder;
  TextForm form;
  form.lowercase = true;
  const ParallelText text = read_parallel_text("test", {"", "", folder.write("t", "A b\tDas Haus\nC\tein haus\n")}, {},
                                               tokenizer_kind("word").length, form);
  REQUIRE(text.pairs.size() == 2);
  CHECK(text.pairs[0].source == "a b");
  CHECK(text.pairs[0].target == "das haus");
  CHECK(text.pairs[0].reference() == "Das Haus");
  CHECK(text.pairs[1].given.empty());
  CHECK(text.pairs[1].reference() == "ein haus");
}

TEST_CASE("text files that do not fit are refused") {
  const Folder folder;
  const auto words = tokenizer_kind("word").length;
  const std::string two = folder.write("two", "a\nb\n"), three = folder.write("three", "a\nb\n\n");
  CHECK(has(refusal([&] { read_parallel_text("train", {two, three, ""}, {}, words); }), "two has 2 lines but"));
  CHECK(has(refusal([&] { read_parallel_text("train", {two, three, ""}, {}, words); }), "three has 3"));
  CHECK(has(refusal([&] {
              read_parallel_text("train", {two, "/nowhere/x", ""}, {}, words);
            }),
            "/nowhere/x: error: cannot be read"));
  const std::string bad = folder.write("bad", "a\nb\xC3(\n");
  CHECK(has(refusal([&] {
              read_parallel_text("train", {two, bad, ""}, {}, words);
            }),
            "bad:2: byte 2 is not valid UTF-8"));
  ParallelText none = read_parallel_text("dev", {folder.write("e1", ""), folder.write("e2", ""), ""}, {}, words);
  CHECK(has(refusal([&] { drop_unusable(none, 0, words, words); }), "/e2 is empty"));
}

TEST_CASE("a TSV holds two columns, or three with a weight") {
  const Folder folder;
  const auto words = tokenizer_kind("word").length;
  const auto read = [&](const std::string& text) {
    return read_parallel_text("train", {"", "", folder.write("x.tsv", text)}, {}, words);
  };
  CHECK(read("a b\tc\nd\te f\n").pairs[1].target == "e f");
  CHECK(read("a\tb\n").example_weight.empty());
  const ParallelText weighted = read("\na\tb\t0.5\n\nc\td\t2\n");
  CHECK(weighted.example_weight == std::vector<double>{1, 0.5, 1, 2});
  CHECK(weighted.lines == std::vector<int64_t>{1, 2, 3, 4});
  const ParallelText columns = read("eins zwei\tone two\t0.5\n");
  CHECK((columns.pairs[0].source == "eins zwei" && columns.pairs[0].target == "one two"));
  CHECK(read("a b\tc\n").pairs[0].source == "a b");
  CHECK(has(refusal([&] { read("a\tb\nc\n"); }), "x.tsv:2: expected 'source<tab>target'"));
  CHECK(has(refusal([&] { read("a b\n"); }), "or 'source<tab>target<tab>weight', got no tab: 'a b'"));
  CHECK(has(refusal([&] { read("a\tb\tc\td\n"); }), "x.tsv:1: expected 'source<tab>target' or"));
  CHECK(has(refusal([&] { read("a\tb\tc\td\n"); }), "got 4 columns, the third 'c'; keep two columns: cut -f1,2 "));
  // As Tatoeba's exports are.
  CHECK(
      has(refusal([&] { read("Go.\tVa !\tCC-BY 2.0 (France) Attribution: tatoeba.org\n"); }),
          "x.tsv:1: expected a number such as 0.5 in the third column, the weight of the pair, got 'CC-BY 2.0 (France) "
          "Attribution: tatoeba.org'; keep two columns: cut -f1,2 "));
  CHECK(has(refusal([&] { read("a\tb\nc\td\t1\n"); }), "x.tsv:2: 3 columns where earlier lines have 2"));
  CHECK(has(refusal([&] { read("a\tb\t1\nc\td\n"); }), "x.tsv:2: 2 columns where earlier lines have 3"));
  for (const char* weight : {"", "x", "1e999", "nan", "inf", "1 ", "0,5", "0x1"})
    CHECK(has(refusal([&] { read("a\tb\t" + std::string(weight) + "\n"); }), "x.tsv:1: expected a number"));
}

TEST_CASE("weights and masks stay with their pairs and reach the batch") {
  const Folder folder;
  const auto words = tokenizer_kind("word").length;
  const TextFiles files{folder.write("s", "a\n\nb c\nd\n"), folder.write("t", "A B\nx\nC\nD E\n"), ""};
  const WeightFiles weights{folder.write("e", "0.5\n9\n2\n1\n"), folder.write("w", "1 2 3\n\n4 5\n6 7 8\n"),
                            folder.write("m", "1 0 1\nwhatever\n0 1\n1 1 0\n")};
  ParallelText text = read_parallel_text("train", files, weights, words);
  drop_unusable(text, 0, words, words);
  const auto source = train({"a b c d"}), target = train({"A B C D E"});
  const Corpus corpus = encode(text, *source, *target);
  CHECK(corpus.lines == std::vector<int64_t>{1, 3, 4});
  const std::vector<int64_t> rows{2, 1};
  const Batch batch = make_batch(corpus, rows, 4);
  CHECK(batch.batch == 2);
  CHECK(batch.source_steps == 4);
  CHECK(batch.target_steps == 4);
  CHECK(batch.source == std::vector<int32_t>{7, 0, 0, 0, 5, 6, 0, 0});
  CHECK(batch.source_lengths == std::vector<int32_t>{1, 2});
  CHECK(batch.target_in == std::vector<int32_t>{1, 7, 8, 0, 1, 6, 0, 0});
  CHECK(batch.target_out == std::vector<int32_t>{7, 8, 2, 0, 6, 2, 0, 0});
  CHECK(batch.target_lengths == std::vector<int32_t>{3, 2});
  CHECK(batch.example_weight == std::vector<double>{1, 2});
  CHECK(batch.token_weight == std::vector<double>{6, 7, 8, 0, 4, 5, 0, 0});
  CHECK(batch.mask == std::vector<uint8_t>{1, 1, 0, 0, 0, 1, 0, 0});
  CHECK(batch.lines == std::vector<int64_t>{4, 3});
  CHECK(batch.target_tokens() == 5);
  CHECK(batch.padding() == 3.0 / 8);

  const auto refused = [&](WeightFiles w) { return refusal([&] { read_parallel_text("train", files, w, words); }); };
  CHECK(has(refused({folder.write("e", "1\n1\n1\n"), "", ""}), "e has 3 lines but train has 4 pairs"));
  CHECK(has(refused({"", folder.write("w", "1 2\n\n4 5\n6 7 8\n"), ""}),
            "w:1: 2 numbers for 2 target tokens; expected 3"));
  for (const char* odd : {"x", "0,5", "1e999", "nan", "0.5x"}) {
    CHECK(has(refused({folder.write("e", fmt::format("1\n{}\n1\n1\n", odd)), "", ""}),
              fmt::format("e:2: expected a number such as 0.5, got '{}'", odd)));
    CHECK(has(refused({"", folder.write("w", fmt::format("1 {} 2\n\n4 5\n6 7 8\n", odd)), ""}),
              fmt::format("w:1: expected a number such as 0.5, got '{}'", odd)));
  }
  CHECK(has(refused({"", "", folder.write("m", "1 0 2\n\n1 1\n1 1 1\n")}), "m:1: expected 0 or 1, got 2"));
  const TextFiles tsv{"", "", folder.write("x.tsv", "a\tb\t1\n")};
  CHECK(has(refusal([&] {
              read_parallel_text("train", tsv, {folder.write("e", "1\n"), "", ""}, words);
            }),
            "third column already weighs"));
}

namespace {

// A kind whose tokens are pieces of words: two characters at most.
class Pieces : public Tokenizer {
 public:
  Pieces() : Tokenizer(Vocabulary({"ab", "cd", "e"})) {}
  std::vector<std::string> split(std::string_view line) const override {
    std::vector<std::string> out;
    for (size_t i = 0, n = 0; i < line.size(); i += n + (n == 0)) {
      n = std::min({line.size() - i, line.find(' ', i) - i, size_t{2}});
      if (n > 0) out.emplace_back(line.substr(i, n));
    }
    return out;
  }
  std::vector<int32_t> encode(std::string_view line, std::vector<int32_t>* units) const override {
    std::vector<int32_t> ids;
    for (const std::string& piece : split(line)) ids.push_back(vocabulary().id(piece));
    if (units) *units = {0, 0, 0, 1, 2, 2};  // "abcde ab cde"
    return ids;
  }
  std::string decode(std::span<const int32_t>) const override { return ""; }
  std::string serialized() const override { return ""; }
};

}  // namespace

TEST_CASE("a piece of a word takes the word's weight and mask") {
  ParallelText text = text_of_task("train", {{"x", "abcde ab cde", {}}});
  text.token_weight = {{1, 2, 3, 4}};
  text.mask = {{0, 1, 1, 0}};
  const Pieces pieces;
  REQUIRE(pieces.split("abcde ab cde") == std::vector<std::string>{"ab", "cd", "e", "ab", "cd", "e"});
  const Corpus corpus = encode(text, *train({"x"}), pieces);
  CHECK(corpus.token_weight.values() == std::vector<double>{1, 1, 1, 2, 3, 3, 4});
  CHECK(corpus.mask.values() == std::vector<uint8_t>{0, 0, 0, 1, 1, 1, 0});
  CHECK(refusal([&] { encode(text, *train({"x"}), pieces, 5); }) ==
        "train: no pair left: 0 blank on a side, 1 longer than data.max_length 5");
}

TEST_CASE("decoding batches need no target") {
  const std::vector<std::vector<int32_t>> sources{{4, 5, 6}, {7}};
  const Batch batch = make_source_batch(sources, 2);
  CHECK(batch.source == std::vector<int32_t>{4, 5, 6, 0, 7, 0, 0, 0});
  CHECK(batch.source_lengths == std::vector<int32_t>{3, 1});
  CHECK(batch.target_steps == 0);
  CHECK(batch.sentences == std::vector<int64_t>{0, 1});
}

TEST_CASE("loss_from masks the prompt") {
  const auto words = train({"a b = c"});
  ParallelText text = text_of_task("train", {{"a", "a = b = c", {}}, {"b", "=", {}}});
  const Corpus corpus = encode(text, *words, *words, 0, "=");
  CHECK(std::vector<uint8_t>(corpus.mask[0].begin(), corpus.mask[0].end()) == std::vector<uint8_t>{0, 0, 1, 1, 1, 1});
  CHECK(std::vector<uint8_t>(corpus.mask[1].begin(), corpus.mask[1].end()) == std::vector<uint8_t>{0, 1});
  text.mask = {{1, 1, 1, 0, 1, 0}, {1, 1}};
  const Corpus both = encode(text, *words, *words, 0, "=");
  CHECK(std::vector<uint8_t>(both.mask[0].begin(), both.mask[0].end()) == std::vector<uint8_t>{0, 0, 1, 0, 1, 0});
  CHECK(has(refusal([&] { encode(text, *words, *words, 0, "a ="); }), "is not one token"));
  CHECK(has(refusal([&] { encode(text, *words, *words, 0, "z"); }), "'z' is not a token"));
  CHECK(has(refusal([&] { encode(text, *words, *words, 0, "b"); }), "train, line 2: the target has no token 'b'"));
}

TEST_CASE("corruption exchanges the targets of a share of the pairs") {
  std::vector<Pair> pairs;
  for (int i = 0; i < 100; ++i) pairs.push_back({"s" + std::to_string(i), "t" + std::to_string(i), {}});
  const auto corrupted = [&](uint64_t seed) {
    ParallelText text = text_of_task("train", pairs);
    for (int i = 0; i < 100; ++i) text.token_weight.push_back({1.0 * i, 1});
    corrupt_targets(text, 0.3, 0.25, seed);
    return text;
  };
  const ParallelText text = corrupted(1);
  int changed = 0;
  std::multiset<std::string> targets;
  for (int i = 0; i < 100; ++i) {
    const bool own = text.pairs[i].target == pairs[i].target;
    changed += !own;
    CHECK(text.example_weight[i] == (own ? 1 : 0.25));
    CHECK("t" + std::to_string(static_cast<int>(text.token_weight[i][0])) == text.pairs[i].target);
    CHECK(text.pairs[i].source == pairs[i].source);
    targets.insert(text.pairs[i].target);
  }
  CHECK(changed == 30);
  CHECK(std::set<std::string>(targets.begin(), targets.end()).size() == 100);
  const auto same = [](const ParallelText& a, const ParallelText& b) { return a.example_weight == b.example_weight; };
  CHECK(same(text, corrupted(1)));
  CHECK(!same(text, corrupted(2)));
  ParallelText few = text_of_task("train", {{"a", "b", {}}, {"c", "d", {}}});
  CHECK(has(refusal([&] { corrupt_targets(few, 0.3, 1, 1); }), "share 0.3 of 2 pairs is 1"));
}

TEST_CASE("an epoch visits every sentence once, in batches within their bounds") {
  for (uint64_t trial = 0; trial < 60; ++trial) {
    CAPTURE(trial);
    Random random(7, trial);
    const Corpus corpus = random_corpus(1 + random.below(300), 1 + random.below(40), trial);
    BatchOptions options;
    options.by = random.below(2) ? BatchBy::sentences : BatchBy::target_tokens;
    options.size = 1 + random.below(options.by == BatchBy::sentences ? 70 : 500);
    options.bucket = 1 + random.below(8);
    options.pool = random.below(4);
    options.shuffle = random.below(2);
    Batcher batcher(corpus, options);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      std::vector<int64_t> visited;
      for (int64_t i = 0; i < batcher.batches(epoch); ++i) {
        const Batch batch = batcher.batch({epoch, i});
        REQUIRE(batch.batch >= 1);
        CHECK(batch.source_steps % options.bucket == 0);
        CHECK(batch.target_steps % options.bucket == 0);
        const int64_t used = options.by == BatchBy::sentences ? batch.batch : batch.batch * batch.target_steps;
        CHECK((used <= options.size || batch.batch == 1));
        visited.insert(visited.end(), batch.sentences.begin(), batch.sentences.end());
      }
      if (!options.shuffle && options.pool == 0) CHECK(std::is_sorted(visited.begin(), visited.end()));
      std::sort(visited.begin(), visited.end());
      REQUIRE(visited.size() == static_cast<size_t>(corpus.size()));
      for (int64_t i = 0; i < corpus.size(); ++i) REQUIRE(visited[i] == i);
    }
    if (options.by == BatchBy::sentences)
      CHECK(batcher.batches(0) == (corpus.size() + options.size - 1) / options.size);
  }
}

TEST_CASE("the order is a function of seed and epoch, and a position restores it") {
  const Corpus corpus = random_corpus(500, 30, 1);
  const auto order = [&](Batcher& batcher, int count) {
    std::vector<std::vector<int64_t>> out;
    for (int i = 0; i < count; ++i) out.push_back(batcher.next().sentences);
    return out;
  };
  BatchOptions options;
  options.size = 16;
  options.pool = 5;
  Batcher whole(corpus, options), begun(corpus, options);
  const auto expected = order(whole, 100);
  for (int i = 0; i < 40; ++i) begun.next();
  Batcher resumed(corpus, options);
  resumed.seek(begun.position());
  CHECK(begun.position() == BatchPosition{1, 8});
  CHECK(order(resumed, 60) == std::vector<std::vector<int64_t>>(expected.begin() + 40, expected.end()));
  CHECK(expected[0] != expected[32]);  // another epoch, another order
  options.seed = 2;
  Batcher other(corpus, options);
  CHECK(order(other, 100) != expected);
  CHECK(has(refusal([&] { other.seek({0, 32}); }), "batch 32 of epoch 0 does not exist: the epoch has 32"));
  CHECK(has(refusal([&] { other.seek({-1, 0}); }), "epoch -1 does not exist"));
}

TEST_CASE("sorting in pools saves padding") {
  const Corpus corpus = random_corpus(5000, 40, 1);
  const auto padding = [&](int64_t pool) {
    BatchOptions options;
    options.pool = pool;
    Batcher batcher(corpus, options);
    int64_t real = 0, all = 0;
    for (int64_t i = 0; i < batcher.batches(0); ++i) {
      const Batch batch = batcher.batch({0, i});
      real += batch.target_tokens();
      all += batch.batch * batch.target_steps;
    }
    return 1 - static_cast<double>(real) / static_cast<double>(all);
  };
  CHECK(padding(0) > 0.4);
  CHECK(padding(100) < 0.12);
}
