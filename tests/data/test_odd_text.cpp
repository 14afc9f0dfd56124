// Text that is not what it looks like: counted and placed, brought into one normal form, and told by code points.
#include <random>

#include "engine/data/config.h"
#include "engine/data/odd_text.h"
#include "engine/data/unknown_word.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

Data loaded(const std::vector<std::string>& overrides) {
  DataConfig config;
  load(config, "", overrides);
  return load_data(config, 1);
}

std::vector<std::string> notes_on(const std::string& text, std::optional<Form> form = {}) {
  OddText odd(form);
  odd.begin("t");
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) odd.look(line);
  return odd.notes();
}

std::string all(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("each kind of odd character is counted, with its code points and its first place") {
  CHECK(notes_on("plain text, with\ttabs and ~marks\nGrüße, 日本!\n").empty());
  const struct {
    const char *text, *note;
  } kinds[] = {
      {"ab\ngrün\u00A0x\u2009y\u3000z\n",
       "text: 3 spaces that separate no words (U+00A0, U+2009, U+3000): 3 from t:2:5;"},
      {"a\u200Bb\n", "text: 1 invisible character (U+200B): t:1:2;"},
      {"a\nb\uFEFF\nc\u00AD\n", "text: 2 invisible characters (U+FEFF, U+00AD): 2 from t:2:2;"},
      {"ab\rcd\n", "text: 1 foreign line end (U+000D): t:1:3; here only a line feed ends a line"},
      {"a\u2028b\u0085c\vd\fe\n", "text: 4 foreign line ends (U+2028, U+0085, U+000B, U+000C): 4 from t:1:2;"},
      {"a\x1B[1mb\u009B\n", "text: 2 control characters (U+001B, U+009B): 2 from t:1:2;"},
      {"a\u202Eb\u2066\u200F\n", "text: 3 marks of writing direction (U+202E, U+2066, U+200F): 3 from t:1:2;"},
      {"ab\uFFFD\n", "text: 1 replacement character (U+FFFD): t:1:3; text was lost"},
      {"a\u0001b\u0002c\u0003d\u0004e\u0005\n", "(U+0001, U+0002, U+0003, U+0004, …)"},
  };
  for (const auto& k : kinds) {
    CAPTURE(k.text);
    const auto notes = notes_on(k.text);
    REQUIRE(notes.size() == 1);
    CHECK(has(notes[0], k.note));
    CHECK(notes[0].size() <= 400);
  }
  CHECK(has(all(notes_on(std::string("a\0b\n", 4))), "1 control character (U+0000): t:1:2;"));
}

TEST_CASE("letters and accents apart are told, and what a normal form mends is not") {
  CHECK(has(all(notes_on("so\nbla gru\u0308n\n")),
            "text: 1 line that is not in the form NFC: t:2:7; data.normalize: nfc joins letters and accents"));
  CHECK(has(all(notes_on("bla gru\u0308n\n", Form::nfc)), "t:1:7; letters and accents are joined (data.normalize)"));
  CHECK(has(all(notes_on("a\u00A0b\n", Form::nfc)), "nfkc makes plain spaces of them"));
  CHECK(notes_on("a\u00A0b\u3000c\u2009d\n", Form::nfkc).empty());
}

TEST_CASE("files that are two splits are counted once, and files of one kind stand together") {
  OddText a, b;
  a.begin("x");
  a.look("a\u00A0b");
  CHECK_FALSE(a.begin("x"));
  b.begin("x");
  b.look("a\u00A0b");
  b.begin("y");
  b.look("c");
  b.look("d\u00A0\u00A0");
  a.add(b);
  REQUIRE(a.notes().size() == 1);
  CHECK(has(a.notes()[0], "text: 3 spaces that separate no words (U+00A0): x:1:2, 2 from y:2:2;"));
}

TEST_CASE("a line of which nothing is seen is blank") {
  for (const char* line : {"", " \t ", "\u00A0", "\u200B\u200B \uFEFF", "\u202E\r", "\x01"}) CHECK(blank(line));
  for (const char* line : {"a", " .", "\uFFFD", "\u0308", "\u00A0a"}) CHECK_FALSE(blank(line));
  const Scratch dir;
  const std::string s = dir.write("s", "ein\n\u200B\n\u00A0 \nzwei\n"), t = dir.write("t", "one\nx\ny\ntwo\n");
  const Data data = loaded({"train.src=" + s, "train.trg=" + t, "dev.src=" + s, "dev.trg=" + t});
  CHECK(data.train.size() == 2);
  CHECK(data.train.skipped.blank == 2);
}

TEST_CASE("training, dev and test text have one normal form, as data.normalize says") {
  const Scratch dir;
  const std::string nfd = dir.write("nfd", "gru\u0308ne Tu\u0308r\n"), nfc = dir.write("nfc", "grüne Tür\n"),
                    wide = dir.write("wide", "gr\u00FCne\u00A0T\u00FCr\n"), t = dir.write("t", "green door\n");
  const auto pair = [&](const std::string& train, const std::string& dev, const char* form) {
    return loaded(
        {"train.src=" + train, "train.trg=" + t, "dev.src=" + dev, "dev.trg=" + t, std::string("normalize=") + form});
  };
  for (const auto& [train, dev] : {std::pair(nfd, nfc), {nfc, nfd}}) {
    const Data data = pair(train, dev, "nfc");
    CHECK(data.dev.source.unknown() == 0);
    CHECK(data.train.pairs[0].source == "grüne Tür");
    CHECK(data.dev.pairs[0].source == "grüne Tür");
  }
  CHECK(pair(nfd, wide, "nfkc").dev.source.unknown() == 0);
  CHECK(pair(wide, nfc, "nfkc").source->size() == special_ids + 2);
  CHECK(pair(wide, wide, "nfc").source->size() == special_ids + 1);
  const std::string as_it_stands = error_of([&] { pair(nfd, nfc, "none"); });
  CHECK(has(as_it_stands, "dev: every source token is unknown"));
  DataConfig standard;
  load(standard, "", {"task=copy"});
  CHECK(text_form(standard)("u\u0308") == "ü");
  load(standard, "", {"task=copy", "lowercase=true"});
  CHECK(text_form(standard)("GRU\u0308N") == "grün");
}

TEST_CASE("a run whose config has not the key learned from text as it stands, and reads text so") {
  const Scratch dir;
  dir.write("a.tsv", "gru\u0308ne Tu\u0308r\tgreen door\n");
  const std::string run = dir / "run", resolved = run + "/config.resolved.yaml";
  const std::string config = dir.write("c.yaml",
                                       "data: {train: {tsv: a.tsv}, dev: {tsv: a.tsv}, normalize: none}\n"
                                       "train: {steps: 1}\nmodel: {embedding: 2, decoder: {hidden: 2}}\n");
  REQUIRE(run_seqgrad(dir, "train " + config + " -q --run-dir " + run).code == 0);
  const Result before = run_seqgrad(dir, "evaluate " + run + " --split dev --json");
  std::string text = slurp(resolved);
  const std::string line = "  normalize: none\n";
  REQUIRE(has(text, line));
  std::ofstream(resolved) << text.erase(text.find(line), line.size());
  const Result after = run_seqgrad(dir, "evaluate " + run + " --split dev --json");
  CAPTURE(after.err);
  CHECK(after.code == 0);
  CHECK(after.out == before.out);
}

TEST_CASE("a token weight file counts the tokens of the normal form") {
  const Scratch dir;
  const std::string s = dir.write("s", "a\n"), t = dir.write("t", "u\u0308\n"), w = dir.write("w", "2 1\n");
  const Data data = loaded({"train.src=" + s, "train.trg=" + t, "dev.src=" + s, "dev.trg=" + t, "vocabulary.kind=char",
                            "weights.token=" + w});
  CHECK(data.train.token_weight[0][0] == 2);
}

TEST_CASE("pairs that stand in training and dev, copies of the source, and spaces that are learned are told") {
  const Scratch dir;
  const std::string train = dir.write("a.tsv", "a\tb\nc\tc\nd\te\n"), dev = dir.write("b.tsv", "a\tb\na\tx\nd\te\n"),
                    spaced = dir.write("c.tsv", "a \tb\n c\tc\nd\te\n");
  const std::string notes = all(loaded({"train.tsv=" + train, "dev.tsv=" + dev, "test.tsv=" + train}).notes);
  CHECK(has(notes, "train: 1 of 3 pairs has the same text as source and target\n"));
  CHECK(has(notes, "dev: 2 of 3 pairs stand in training too; what is measured on them"));
  CHECK(has(notes, "test: 3 of 3 pairs stand in training too"));
  CHECK(has(all(loaded({"train.tsv=" + spaced, "dev.tsv=" + dev, "vocabulary.kind=char"}).notes),
            "train: 2 lines with a space at an end, which is learned as a character\n"));
  CHECK_FALSE(has(all(loaded({"train.tsv=" + spaced, "dev.tsv=" + dev}).notes), "space"));
  CHECK(loaded({"task=copy", "sizes.train=200", "sizes.dev=5", "sizes.test=5"}).notes.empty());
}

TEST_CASE("a fifth of unknown words is told, and text of nothing else refused") {
  const Scratch dir;
  const auto file = [&](const char* name, int known, int unknown) {  // words on one line
    std::string text;
    for (int i = 0; i < known; ++i) text += "a ";
    for (int i = 0; i < unknown; ++i) text += "u" + std::to_string(i) + " ";
    return dir.write(name, text + "\n");
  };
  const std::string a = file("a", 30, 0);
  const auto with = [&](const std::string& dev) {
    return loaded({"train.src=" + a, "train.trg=" + a, "dev.src=" + a, "dev.trg=" + dev});
  };
  CHECK_FALSE(has(all(with(file("b", 81, 19)).notes), "unknown"));
  CHECK(has(all(with(file("b", 80, 20)).notes),
            "dev: 20.0 % of the target tokens are unknown: the vocabulary has 1 token\n"));
  CHECK(has(error_of([&] { with(file("b", 0, 1)); }),
            "2 dev: every target token is unknown: the vocabulary has 1 token"));
  const std::string rare = error_of([&] {
    loaded({"train.src=" + a, "train.trg=" + a, "dev.src=" + a, "dev.trg=" + a, "vocabulary.min_frequency=50"});
  });
  CHECK(has(rare,
            "train: every source token is unknown: the vocabulary has 0 tokens, each 50 times or more in training "
            "(data.vocabulary.min_frequency)"));
}

TEST_CASE("an unknown word that looks like a known one is told by its code points") {
  const Vocabulary v({"grüne", "haus", "gru\u0308n", "Stra\u00DFe"});
  CHECK(unknown_word(v, "haut") == "'haut' is not in the vocabulary; the nearest known: haus");
  CHECK(unknown_word(v, "xyzzy") == "'xyzzy' is not in the vocabulary");
  CHECK(unknown_word(v, "gru\u0308ne") ==
        "'gru\u0308ne' is not in the vocabulary; 'grüne' looks the same and is: "
        "gru<U+0308>ne here, gr<U+00FC>ne there");
  CHECK(has(unknown_word(v, "grün"), "gr<U+00FC>n here, gru<U+0308>n there"));
  CHECK(has(unknown_word(v, "ha\u200Bus"), "ha<U+200B>us here, haus there"));
  CHECK(has(unknown_word(v, "haus\u00A0"), "haus<U+00A0> here, haus there"));
  CHECK(has(unknown_word(v, "eine\u00A0Katze"), "(eine<U+00A0>Katze)"));
  CHECK(has(unknown_word(v, "\u200B"), "(<U+200B>)"));
  CHECK(unknown_word(v, std::string(100'000, 'a')).size() < 200);
}
