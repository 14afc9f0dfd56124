// Text that keeps each word once: the same lines, pairs and ids as from strings.
#include <map>

#include "engine/core/random.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"

using namespace seqgrad;

namespace {

// Words that a text has again and again, and whatever may stand between them.
std::string random_line(Random& random) {
  static const char* const parts[] = {" ",    "  ",       "a", "ΑΣ",  "Σ",   "der",    "日本",
                                      "\t",   "\xC2\xA0", "Ä", "x\r", "<s>", "İ",      "\xE2\x80\x8B",
                                      "word", ".",        "",  " ",   " ab", "bc def "};
  std::string line;
  for (uint64_t n = random.below(12); n > 0; --n) line += parts[random.below(std::size(parts))];
  return line;
}

std::vector<std::string> random_lines(uint64_t seed, size_t count) {
  Random random(seed, 0);
  std::vector<std::string> lines;
  for (size_t i = 0; i < count; ++i) lines.push_back(random_line(random));
  return lines;
}

std::vector<std::string> read(const WordLines& lines) {
  std::vector<std::string> out;
  for (int64_t i = 0; i < lines.size(); ++i) out.push_back(lines[i]);
  return out;
}

WordLines kept(const std::vector<std::string>& lines) {
  WordLines out;
  for (const std::string& line : lines) out.push_back(line);
  return out;
}

bool same(const Pair& a, const Pair& b) {
  return a.source == b.source && a.target == b.target && a.given == b.given && a.tags == b.tags;
}

}  // namespace

TEST_CASE("lines are kept to the byte, whatever their spaces and however many words") {
  const uint64_t seed = 7;
  CAPTURE(seed);
  std::vector<std::string> lines = random_lines(seed, 2000);
  for (int i = 0; i < 40'000; ++i) lines.push_back("w" + std::to_string(i) + " a");  // numbers of one to three bytes
  WordLines words = kept(lines);
  REQUIRE(read(words) == lines);
  std::map<std::string_view, int64_t> want, counts;
  for (const std::string& line : lines)
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find(' ', begin), line.size());
      ++want[std::string_view(line).substr(begin, end - begin)];
      if (end < line.size()) ++want[" "];
      begin = end + 1;
    }
  for (const CountedText& t : words.counted()) counts[t.text] += t.count;
  CHECK(counts == want);
  const std::vector<size_t> rows{41'999, 0, 5, 5, 1234};
  words.select(rows);
  CHECK(read(words) == std::vector<std::string>{lines[41'999], lines[0], lines[5], lines[5], lines[1234]});
}

TEST_CASE("pairs keep their texts, what their file had and their tags, and a copy is another") {
  Random random(3, 0);
  std::vector<Pair> want;
  Pairs pairs;
  CHECK(pairs.empty());
  for (int i = 0; i < 500; ++i) {
    Pair pair{random_line(random), random_line(random), {}};
    if (i > 20 && random.below(5) == 0) pair.given = random_line(random) + "G";
    if (i > 40 && random.below(7) == 0) pair.tags = {"negation", std::to_string(i)};
    want.push_back(pair);
    pairs.push_back(pair);
  }
  size_t i = 0;
  for (const Pair& pair : pairs) {
    CAPTURE(i);
    REQUIRE(same(pair, want[i]));
    REQUIRE(same(pairs[i], want[i]));
    ++i;
  }
  REQUIRE(i == want.size());
  Pairs copy = pairs;
  const std::vector<size_t> rows{499, 3, 100, 45};
  copy.select(rows);
  REQUIRE(copy.size() == rows.size());
  for (size_t k = 0; k < rows.size(); ++k) CHECK(same(copy[k], want[rows[k]]));
  copy.push_back({"more", "mehr", {"tag"}});
  CHECK(same(copy[4], {"more", "mehr", {"tag"}}));
  const std::vector<size_t> turned{1, 0, 2, 3, 4};
  copy.select_targets(turned);
  CHECK(copy[0].source == want[499].source);
  CHECK(copy[0].target == want[3].target);
  copy.change_sources([](std::string_view source) { return std::string(source) + " !"; });
  CHECK(copy[0].source == want[499].source + " !");
  CHECK(copy[0].target == want[3].target);
  CHECK(pairs.size() == want.size());
  CHECK(same(pairs[3], want[3]));
}

TEST_CASE("a vocabulary and ids of kept words are those of whole lines, for every kind") {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::vector<std::string> lines = random_lines(seed, 400);
    const auto words = std::make_shared<WordLines>(kept(lines));
    const std::vector<CountedText> texts = words->counted();
    for (const auto& [name, kind] : tokenizer_kinds())
      for (const bool lowercase : {false, true})
        for (const int64_t at_least : {1, 300}) {
          if (kind.learns_pieces && at_least > 1) continue;
          CAPTURE(seed, name, lowercase, at_least);
          const TokenizerOptions options{name, 0, at_least, lowercase};
          const auto tokenizer = kind.train(texts, options);
          REQUIRE(tokenizer->serialized() == kind.train(counted(lines), options)->serialized());
          const EncodedLines encoded(words, [&](std::string_view word) { return tokenizer->encode(word); });
          int64_t tokens = 0, unknown = 0;
          for (int64_t i = 0; i < words->size(); ++i) {
            const std::string& line = lines[static_cast<size_t>(i)];
            const std::vector<int32_t> ids = blank(line) ? std::vector<int32_t>{} : tokenizer->encode(line);
            CAPTURE(line);
            REQUIRE(encoded[i] == ids);
            REQUIRE(encoded.length(i) == std::ssize(ids));
            tokens += std::ssize(ids);
            unknown += std::count(ids.begin(), ids.end(), +unk_id);
          }
          CHECK(encoded.tokens() == tokens);
          CHECK(encoded.unknown() == unknown);
          CHECK((at_least == 1 || unknown > 0));
        }
  }
}
