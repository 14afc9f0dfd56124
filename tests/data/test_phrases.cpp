// The task `phrases` keeps every word that is promised of it, on the splits as `seqgrad data` exports them.
#include <test_paths.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "engine/core/error.h"
#include "engine/data/baselines.h"
#include "engine/data/phrases.h"
#include "engine/data/phrases_lexicon.h"
#include "engine/data/surface.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace seqgrad;

namespace {

const std::string lexicon_path = SEQGRAD_SOURCE_DIR "/configs/phrases_lexicon.tsv";

TaskOptions options_for(const std::string& direction, uint64_t seed = 1) {
  TaskOptions o;
  o.seed = seed;
  o.direction = direction;
  o.lexicon = lexicon_path;
  return o;
}

// Both directions, made once.
const Splits& splits(const std::string& direction) {
  static std::map<std::string, Splits> made;
  auto [it, fresh] = made.try_emplace(direction);
  if (fresh) it->second = tasks().at("phrases").make(options_for(direction));
  return it->second;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string w; in >> w;) out.push_back(w);
  return out;
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string refused(const TaskOptions& o) {
  try {
    tasks().at("phrases").make(o);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

const char* const directions[] = {"de-en", "en-de"};

}  // namespace

TEST_CASE("20,000, 1,000 and 2,000 distinct pairs, and no source in two splits") {
  for (const char* direction : directions)
    for (const uint64_t seed : {1, 2}) {
      CAPTURE(direction, seed);
      const Splits other = seed == 1 ? Splits{} : tasks().at("phrases").make(options_for(direction, seed));
      const Splits& s = seed == 1 ? splits(direction) : other;
      CHECK(s.train.size() == 20000);
      CHECK(s.dev.size() == 1000);
      CHECK(s.test.size() == 2000);
      std::unordered_set<std::string> sources;
      size_t pairs = s.train.size() + s.dev.size() + s.test.size();
      for (const auto* split : {&s.train, &s.dev, &s.test})
        for (const Pair& p : *split) sources.insert(p.source);
      for (const auto& [name, split] : s.reported) {
        CHECK(split.size() == 300);
        pairs += split.size();
        for (const Pair& p : split) sources.insert(p.source);
      }
      CHECK(sources.size() == pairs);
      CHECK(s.reported.count("test_structure") == 1);
      CHECK(s.reported.count("test_long") == 1);
    }
}

TEST_CASE("the exported splits are what training sees") {
  const fs::path out = fs::temp_directory_path() / ("seqgrad-phrases-" + std::to_string(getpid()));
  for (const char* direction : directions) {
    const std::string command = std::string(SEQGRAD_BINARY) + " data " + SEQGRAD_SOURCE_DIR +
                                "/configs/phrases.yaml --set data.direction=" + direction +
                                " --split test --head 2000 -q > " + out.string() + " 2>&1";
    REQUIRE(std::system(command.c_str()) == 0);
    std::string want;
    for (const Pair& p : splits(direction).test) want += p.source + "\t" + p.target + "\n";
    CHECK((slurp(out) == want));
  }
  fs::remove(out);
}

// 10^6 draws where SEQGRAD_DRAWS says so (the bar); else enough to see a common ambiguity at once.
TEST_CASE("a source has exactly one target") {
  const char* asked = std::getenv("SEQGRAD_DRAWS");
  const int64_t draws = asked ? std::atoll(asked) : 100000;
  for (const char* direction : directions) {
    std::unordered_map<std::string, std::string> target_of;
    int64_t repeated = 0;
    for (int64_t done = 0, part = 0; done < draws / 2; ++part) {
      const int64_t count = std::min<int64_t>(50000, draws / 2 - done);
      for (PhraseDraw& d : draw_phrases(options_for(direction, static_cast<uint64_t>(100 + part)), 0, count)) {
        const auto [known, fresh] = target_of.try_emplace(d.pair.source, d.pair.target);
        repeated += !fresh;
        if (known->second != d.pair.target) {
          INFO(d.pair.source << " -> " << known->second << " and " << d.pair.target);
          REQUIRE(known->second == d.pair.target);
        }
      }
      done += count;
    }
    INFO(direction);
    CHECK(repeated > draws / 500);  // the test has seen sources again, in other draws
  }
}

TEST_CASE("no training sentence holds a withheld pair of words, every dev and test sentence does") {
  for (const char* direction : directions) {
    CAPTURE(direction);
    const Splits& s = splits(direction);
    std::set<std::string> trained, kept[2];
    std::unordered_map<std::string, std::vector<std::string>> pairs_of[3];
    const int64_t draws[] = {60000, 30000, 60000};
    for (uint64_t stream = 0; stream < 3; ++stream)
      for (PhraseDraw& d : draw_phrases(options_for(direction), stream, draws[stream]))
        pairs_of[stream].try_emplace(d.pair.source, d.word_pairs);
    for (const Pair& p : s.train) {
      const auto found = pairs_of[0].find(p.source);
      REQUIRE(found != pairs_of[0].end());
      trained.insert(found->second.begin(), found->second.end());
    }
    for (const auto* split : {&s.dev, &s.test}) {
      const bool test = split == &s.test;
      for (const Pair& p : *split) {
        const auto found = pairs_of[test ? 2 : 1].find(p.source);
        REQUIRE(found != pairs_of[test ? 2 : 1].end());
        int unseen = 0;
        for (const std::string& w : found->second)
          if (!trained.count(w)) ++unseen, kept[test].insert(w);
        INFO(p.source);
        REQUIRE(unseen > 0);
      }
    }
    // What dev withholds, test does not need: a test sentence has an unseen pair that no dev sentence shows.
    std::set<std::string> shared;
    std::set_intersection(kept[0].begin(), kept[0].end(), kept[1].begin(), kept[1].end(),
                          std::inserter(shared, shared.end()));
    CHECK(shared.size() * 2 < kept[0].size());
    // 10 % and 5 % of all pairs of words that the language has.
    std::set<std::string> all(trained);
    for (const auto& part : pairs_of)
      for (const auto& [source, pairs] : part) all.insert(pairs.begin(), pairs.end());
    const double untrained = 1 - static_cast<double>(trained.size()) / static_cast<double>(all.size());
    CAPTURE(untrained, all.size());
    CHECK(untrained > 0.13);
    CHECK(untrained < 0.20);
    std::set<std::string> kinds;
    for (const std::string& w : kept[1]) kinds.insert(w.substr(0, w.find('|')));
    CHECK(kinds == std::set<std::string>{"adjective noun", "subject verb", "verb object"});
  }
}

TEST_CASE("every word form of the test occurs at least 20 times in training") {
  for (const char* direction : directions) {
    const Splits& s = splits(direction);
    std::unordered_map<std::string, int> count[2];
    for (const Pair& p : s.train) {
      for (const std::string& w : words(p.source)) ++count[0][w];
      for (const std::string& w : words(p.target)) ++count[1][w];
    }
    for (const auto* split : {&s.dev, &s.test})
      for (const Pair& p : *split)
        for (const int side : {0, 1})
          for (const std::string& w : words(side ? p.target : p.source)) {
            CAPTURE(direction, w);
            REQUIRE(count[side][w] >= 20);
          }
  }
}

TEST_CASE("each phenomenon occurs at least 500 times in training and 50 in test") {
  // From English, object first cannot be told from subject first, so it is not drawn: one source, one target.
  const std::set<std::string> both = {
      "dative_object", "place_in",        "place_into",    "separable_main", "separable_subordinate",
      "modal",         "perfekt",         "verb_last",     "negation_nicht", "negation_kein",
      "adverb_first",  "adjective_weak",  "plural",        "question",       "adjective_strong",
      "article_a",     "adjective_mixed", "thing_pronoun", "article_an"};
  for (const std::string direction : directions) {
    std::map<std::string, int> train, test;
    for (const Pair& p : splits(direction).train)
      for (const std::string& t : p.tags) ++train[t];
    for (const Pair& p : splits(direction).test)
      for (const std::string& t : p.tags) ++test[t];
    std::set<std::string> expected = both, found;
    if (direction == "de-en") expected.insert("fronted_object");
    for (const auto& [tag, n] : train) found.insert(tag);
    CHECK(found == expected);
    for (const std::string& tag : expected) {
      CAPTURE(direction, tag);
      CHECK(train[tag] >= 500);
      CHECK(test[tag] >= 50);
    }
  }
}

// The tags against the words themselves, for what the words show without doubt.
TEST_CASE("tags name what the sentence shows") {
  for (const Pair& p : splits("de-en").train) {
    const std::set<std::string> tags(p.tags.begin(), p.tags.end());
    CAPTURE(p.source, p.target);
    const std::string de = " " + p.source + " ", en = " " + p.target + " ";
    REQUIRE(tags.count("question") == contains(de, " ? "));
    REQUIRE(tags.count("verb_last") == (contains(de, " weil ") || contains(de, " dass ")));
    REQUIRE(tags.count("place_into") == contains(en, " into "));
    REQUIRE(tags.count("negation_nicht") <= contains(de, " nicht "));
    REQUIRE(tags.count("negation_kein") <= contains(de, " kein"));
    REQUIRE(tags.count("article_an") <= contains(en, " an "));
    REQUIRE(tags.count("thing_pronoun") == (contains(de, " aber ") && contains(en, " it is ")));
    const bool modal =
        contains(en, " can ") || contains(en, " must ") || contains(en, " want to ") || contains(en, " wants to ");
    REQUIRE(tags.count("modal") == modal);
    REQUIRE_FALSE(contains(de, " Sie "));  // no formal address
  }
}

// Read one by one by a speaker of both languages; a change of the grammar that touches them is read again.
TEST_CASE("the 200 pairs that were read are what the grammar says") {
  std::map<std::string, std::string> target_of;
  for (const char* direction : directions)
    for (const Pair& p : splits(direction).train) target_of.emplace(p.source, p.target);
  std::istringstream in(slurp(SEQGRAD_SOURCE_DIR "/tests/golden/phrases_sample.tsv"));
  int count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const size_t tab = line.find('\t');
    CAPTURE(line);
    CHECK(target_of[line.substr(0, tab)] == line.substr(tab + 1));
  }
  CHECK(count == 200);
}

TEST_CASE("reported splits combine what training never does") {
  const Splits& s = splits("de-en");
  const auto has = [](const Pair& p, const char* tag) { return std::count(p.tags.begin(), p.tags.end(), tag) > 0; };
  const auto combined = [&](const Pair& p) {
    return (has(p, "adverb_first") && has(p, "modal")) || (contains(p.source, " dass ") && has(p, "perfekt"));
  };
  for (const Pair& p : s.train) REQUIRE_FALSE(combined(p));
  for (const Pair& p : s.reported.at("test_structure")) REQUIRE(combined(p));
  const auto longest = [](const std::vector<Pair>& split) {
    size_t n = 0;
    for (const Pair& p : split) n = std::max(n, words(p.source).size());
    return n;
  };
  CHECK(longest(s.reported.at("test_long")) > longest(s.train));
}

TEST_CASE("a sentence as a person types it becomes tokens and back") {
  for (const char* direction : directions) {
    const Splits& s = splits(direction);
    std::unordered_set<std::string> known;
    for (const Pair& p : s.train)
      for (const std::string& w : words(p.source)) known.insert(w);
    const auto knows = [&](std::string_view w) { return known.count(std::string(w)) > 0; };
    for (const Pair& p : s.test) REQUIRE(as_words(present(p.source), knows) == p.source);
  }
  CHECK(present("the old man sleeps , because he is tired .") == "The old man sleeps, because he is tired.");
}

TEST_CASE("baselines are counted as they say") {
  const Splits& s = splits("de-en");
  const std::vector<Pair> train = {{"der Hund schläft .", "the dog sleeps .", {}},
                                   {"die Katze schläft .", "the cat sleeps .", {}}};
  const std::vector<Pair> test = {{"der Hund schläft nicht .", "the dog does not sleep .", {}},  // neither
                                  {"die Katze schläft .", "the cat sleeps .", {}},               // both
                                  {"der Mann schläft .", "the man sleeps .", {}}};               // the dictionary
  const Baselines b = baselines(lexicon_path, "de-en", train, test);
  CHECK(b.dictionary == 2.0 / 3);
  CHECK(b.nearest == 1.0 / 3);
  const Baselines real = baselines(lexicon_path, "de-en", s.train, s.test);
  CHECK(real.dictionary > 0.01);
  CHECK(real.dictionary < 0.2);
  CHECK(real.nearest < 0.05);
}

TEST_CASE("a new word is one line of the lexicon, and a bad line is refused with its place") {
  const fs::path file = fs::temp_directory_path() / ("seqgrad-lexicon-" + std::to_string(getpid()) + ".tsv");
  const std::string text = slurp(lexicon_path);
  const auto with = [&](const std::string& line) {
    std::ofstream(file) << text << line << "\n";
    TaskOptions o = options_for("de-en");
    o.lexicon = file.string();
    o.train = 3000, o.dev = o.test = 20;
    return o;
  };
  bool used = false;
  for (const Pair& p : tasks()
                           .at("phrases")
                           .make(with("noun\tm\tDrache\tDrachen\tDrachen\tDrachen\tDrachen\tdragon\tdragons\tanimal"))
                           .train)
    used |= contains(p.source, "Drache") && contains(p.target, "dragon");
  CHECK(used);
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  const std::string place = file.string() + ":" + std::to_string(lines) + ": error: ";
  for (const char* bad :
       {"noun\tm\tDrache", "nuon\tm\tx", "noun\tx\tDrache\tDrachen\tDrachen\tDrachen\tDrachen\tdragon\tdragons\tanimal",
        "noun\tm\tMann\tMann\tMann\tMänner\tMännern\thuman\thumans\tperson",
        "verb\tgrillen\tgrille\tgrillst\tgrillt\tgrillen\tgegrillt\thaben\t-"
        "\tgrill\tgrills\tgrilled\tacc\tperson\tdrinkable"}) {
    CAPTURE(bad);
    CHECK(contains(refused(with(bad)), place));
  }
  fs::remove(file);
  TaskOptions o = options_for("de-fr");
  CHECK(contains(refused(o), "expected de-en or en-de, got 'de-fr'"));
  o = options_for("de-en");
  o.lexicon = "/nowhere.tsv";
  CHECK(contains(refused(o), "/nowhere.tsv"));
}
