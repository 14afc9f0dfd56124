// Sentences as people type them and as models read them.
#include "engine/data/surface.h"

#include <algorithm>
#include <ctime>

#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

Known among(std::vector<std::string> words) {
  return [words](std::string_view w) { return std::find(words.begin(), words.end(), w) != words.end(); };
}

const Known german = among({"die", "Frau", "liest", "das", "Buch", ".", ",", "alte", "Alte", "Männer", "élan", "z.B."});

}  // namespace

TEST_CASE("what a person types becomes the model's words, whatever its spaces") {
  CHECK(as_words("Die Frau liest das Buch.", german) == "die Frau liest das Buch .");
  CHECK(as_words("  Die\tFrau  liest das Buch . ", german) == "die Frau liest das Buch .");
  CHECK(as_words("die Frau liest", german) == as_words("die Frau liest ", german));
  CHECK(as_words("die Frau...", german) == "die Frau . . .");
  CHECK(as_words("Élan z.B. liest", german) == "élan z.B. liest");
  CHECK(as_words("Unbekannt liest", german) == "Unbekannt liest");
  CHECK(as_words(" \t", german).empty());
}

TEST_CASE("the first word is lowered where it is known only so, or where the line is typed and a capital follows") {
  CHECK(as_words("Alte Männer", german) == "Alte Männer");     // known so, and nothing says that the line was typed
  CHECK(as_words("Alte Männer.", german) == "alte Männer .");  // typed: a mark was attached
  CHECK(as_words("Alte liest.", german) == "Alte liest .");
}

TEST_CASE("text of known words comes back unchanged") {
  for (const char* text : {"die Frau liest das Buch .", "Alte Männer , die Frau .", ". , .", "z.B. das Buch"})
    CHECK(as_words(text, german) == text);
}

TEST_CASE("the model's words are shown as people write, in every alphabet") {
  CHECK(present("the woman reads , and the man sleeps .") == "The woman reads, and the man sleeps.");
  CHECK(present("élan") == "Élan");
  CHECK(present("ärger !") == "Ärger!");
  CHECK(present("это дом .") == "Это дом.");
  CHECK(present("ßa") == "ßa");
  CHECK(present("").empty());
  CHECK(present(". a") == ". a");
  CHECK(present("<unk> a") == "<unk> a");
}

TEST_CASE("several sentences on a line are noticed, abbreviations and numbers are not") {
  for (const char* text :
       {"Der Hund bellt. Die Katze schläft.", "Nein! Doch.", "Wer kommt? Niemand.",
        "der Hund bellt . die Katze schläft .", "Er sagte: „Halt!“ Dann ging er.", "Der Hund bellt . \" Ja"})
    CHECK(several_sentences(text, german));
  for (const char* text : {"Der Hund bellt.", "Dr. Müller kommt.", "am 3. März 1999", "er kommt z.B. heute",
                           "Wer kommt?!", "Der Hund bellt . . .", "Der Hund bellt . \"", "3 . 5", "", "Nein"})
    CHECK_FALSE(several_sentences(text, german));
  CHECK_FALSE(several_sentences("Prof. Müller", among({"Prof."})));
}

TEST_CASE("a run's data section says how its lines are read and shown") {
  const auto surface = [](std::vector<std::string> set, bool lowercase = false) {
    DataConfig config;
    load(config, "", set);
    const std::vector<CountedText> texts = {{"a dog ."}, {"Hund"}};
    static std::shared_ptr<const Tokenizer> tokenizer;  // outlives the surface
    tokenizer = tokenizer_kind(vocabulary_kind(config)).train(texts, {vocabulary_kind(config), 0, 1, lowercase});
    return Surface(config, *tokenizer);
  };
  const std::vector<std::string> files = {"train.tsv=t", "dev.tsv=d"};
  const auto with = [&](const std::string& more) {
    std::vector<std::string> all = files;
    all.push_back(more);
    return all;
  };
  CHECK(surface(files).read("A dog.") == "a dog .");
  CHECK(surface(files).show("a dog .") == "A dog.");
  CHECK(surface(with("vocabulary.kind=char")).read("A dog.") == "A dog.");
  CHECK(surface(with("vocabulary.kind=char")).show("a dog .") == "a dog .");
  CHECK_FALSE(surface(with("vocabulary.kind=char")).sentences());
  CHECK(surface(with("lowercase=true"), true).read("A HUND.") == "a hund .");
  CHECK(surface({"task=copy"}).show("1 2 .") == "1 2 .");
  CHECK(surface({"task=copy"}).words());
  CHECK_FALSE(surface({"task=copy"}).sentences());
}

// A tenth of a second, and minutes where each mark brings all before it into their form once more.
TEST_CASE("a megabyte of marks, of letters with marks or of accents is read in seconds of the processor") {
  DataConfig config;
  load(config, "", {"train.tsv=t", "dev.tsv=d", "normalize=nfkc"});
  const auto tokenizer = tokenizer_kind("word").train(std::vector<CountedText>{{"a dog . \u00e4"}}, {});
  const Surface surface(config, *tokenizer);
  for (const char* unit : {".", "?!", "a.", "A.B", "a\u0308.", " .", "\u0308", "..A "}) {
    CAPTURE(unit);
    std::string line;
    while (line.size() < 1 << 20) line += unit;
    const std::clock_t begin = std::clock();
    CHECK(blank(line) == surface.read(line).empty());
    several_sentences(line, [&](std::string_view word) { return surface.known(word); });
    CHECK(std::clock() - begin < 20 * CLOCKS_PER_SEC);
  }
  CHECK(surface.read("a\u0308.") == "\u00e4 .");
}
