// The word table of `phrases`: what it lacks is said, and no table makes the task hang or crash.
#include <test_paths.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/data/phrases.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

std::vector<std::string> rows() {
  std::vector<std::string> out;
  std::istringstream in(slurp(SEQGRAD_SOURCE_DIR "/configs/phrases_lexicon.tsv"));
  for (std::string line; std::getline(in, line);)
    if (line[0] != '#') out.push_back(line);
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

bool starts(const std::string& row, const char* kind) { return row.rfind(kind, 0) == 0; }

std::string column(const std::string& row, int n) {
  size_t at = 0;
  for (; n > 0; --n) at = row.find('\t', at) + 1;
  return row.substr(at, row.find('\t', at) - at);
}

template <class F>
std::vector<std::string> without(const F& drop) {
  std::vector<std::string> out = rows();
  out.erase(std::remove_if(out.begin(), out.end(), drop), out.end());
  return out;
}

TaskOptions options_of(const std::string& table, const char* direction = "de-en") {
  TaskOptions o;
  o.lexicon = table;
  o.direction = direction;
  return o;
}

std::string refusal(const TaskOptions& o, uint64_t stream = 0) {
  return error_of([&] { draw_phrases(o, stream, 300); });
}

}  // namespace

TEST_CASE("a word table that lacks what a sentence needs is refused, and all that it lacks is named") {
  const Scratch dir;
  const auto lacks = [&](const std::vector<std::string>& lines, const std::string& what,
                         const char* direction = "de-en") {
    const std::string table = dir.write("table.tsv", joined(lines)), error = refusal(options_of(table, direction));
    INFO(error);
    CHECK(error.rfind("2 " + table + ": error: the word table lacks words", 0) == 0);
    CHECK(has(error, what));
  };
  const auto verbs_of = [](std::set<std::string> frames) {
    return without([=](const std::string& r) { return starts(r, "verb") && frames.count(column(r, 12)); });
  };
  const auto adverbs = [](std::set<std::string> tenses) {
    return without([=](const std::string& r) { return starts(r, "adv") && tenses.count(column(r, 3)); });
  };
  lacks(verbs_of({"place"}), "a verb of the frame place (");
  lacks(verbs_of({"acc", "dat"}), "a verb of the frame acc or dat (");
  lacks(without([](const std::string& r) { return starts(r, "adj"); }), "two adjectives of one class");
  lacks(adverbs({"any", "present"}), "an adverb for the present (tense any or present)");
  lacks(adverbs({"any", "past"}), "an adverb for the past (tense any or past)");
  lacks(without([](const std::string& r) { return starts(r, "noun") && column(r, 9) == "place"; }),
        "a noun of the class place");
  lacks({}, "a noun of the class place");
  lacks({}, "a verb of the frame place (");
  // From English, a verb whose past looks like its present is never drawn; from German it is.
  auto same_past = verbs_of({"place"});
  same_past.push_back(
      "verb\tsitzen\tsitze\tsitzt\tsitzt\tsitzen\tgesessen\thaben\t-\tset\tsets\tset\tplace\tperson\t-");
  lacks(same_past, "a verb of the frame place whose English past differs", "en-de");
  CHECK(refusal(options_of(dir.write("table.tsv", joined(same_past)))) == "");
}

TEST_CASE("a row of a word table that no sentence can be made of is refused with its line") {
  const Scratch dir;
  const auto wrong = [&](std::vector<std::string> lines, const std::string& row, const std::string& what) {
    lines.push_back(row);
    const std::string table = dir.write("table.tsv", joined(lines)), error = refusal(options_of(table));
    INFO(error);
    CHECK(error.rfind("2 " + table + ":" + std::to_string(lines.size()) + ": error: ", 0) == 0);
    CHECK(has(error, what));
  };
  const std::string bark = "verb\tbellen\tbelle\tbellst\tbellt\tbellen\tgebellt\thaben\t-\tbark\tbarks\tbarked\t";
  wrong(rows(), bark + "acc\tperson\t-", "a verb of frame acc needs classes of objects");
  wrong(rows(), bark + "acc\tperson,\tperson", "separated by single commas");
  wrong(rows(), bark + "place\t-\t-", "expected classes such as person,animal, got '-'");
  wrong(rows(), bark + "place\tghost\t-", "no noun has a class of the subjects of 'bellen' (ghost)");
  wrong(rows(), bark + "acc\tperson\tghost", "no noun has a class of the objects of 'bellen' (ghost)");
  wrong(rows(), "noun\tm\tStein\tStein\tStein\tSteine\tSteinen\tstone\tstones\t-", "expected classes");
  wrong(rows(), "adv\tgern \tgladly\tany", "'gern ' has spaces around it");
  // One animal alone cannot chase another: there is no second one.
  const auto few = without([](const std::string& r) {
    return (starts(r, "noun") && column(r, 9) == "animal" && column(r, 2) != "Hund") ||
           (starts(r, "verb") && column(r, 1) == "jagen");
  });
  wrong(few, "verb\tjagen\tjage\tjagst\tjagt\tjagen\tgejagt\thaben\t-\tchase\tchases\tchased\tacc\tanimal\tanimal",
        "'jagen' needs different nouns as subject and object");
}

// Whatever rows are taken out, each of the five streams either gives its sentences or says what is missing.
TEST_CASE("a random part of the word table works or is refused with a message") {
  const Scratch dir;
  const auto seed = static_cast<uint32_t>(std::random_device{}());
  INFO("seed " << seed);
  std::mt19937 random(seed);
  int worked = 0;
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(trial);
    const auto percent = std::vector<unsigned>{1, 20, 60, 90, 98}[random() % 5];
    const std::set<std::string> kinds = {"noun", "verb", "adj", "adv"};
    const std::string only = trial % 2 ? *std::next(kinds.begin(), random() % 4) : "";  // rows of one kind, or of all
    const auto lines = without(
        [&](const std::string& r) { return (only.empty() || starts(r, only.c_str())) && random() % 100 < percent; });
    const TaskOptions o = options_of(dir.write("table.tsv", joined(lines)), random() % 2 ? "de-en" : "en-de");
    const std::string error = refusal(o, random() % 5);
    worked += error.empty();
    if (!error.empty() && !has(error, "2 " + o.lexicon)) FAIL("no word of the table: " << error);
  }
  CHECK(worked > 10);
  CHECK(worked < 290);
}

TEST_CASE("a split that a small word table cannot fill is refused by its name") {
  const Scratch dir;
  const std::set<std::string> kept = {"Mann", "Garten", "Apfel", "essen", "lachen", "klein", "alt", "heute"};
  const auto few = without([&](const std::string& r) { return !kept.count(column(r, starts(r, "noun") ? 2 : 1)); });
  TaskOptions o = options_of(dir.write("table.tsv", joined(few)));
  o.train = 300;
  CHECK(
      error_of([&] { tasks().at("phrases").make(o); }) ==
      "2 " + o.lexicon +
          ": error: 1,000 sentences wanted for dev, and this word table gives 0 of words that training has; add words");
}
