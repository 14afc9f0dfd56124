// Byte-pair encoding: against its definition, on text that no vocabulary expects, and from its file.
#include <ctime>
#include <map>
#include <thread>

#include "engine/core/random.h"
#include "engine/data/config.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"
#include "tests/support/scratch.h"
#include "tests/support/timing.h"

using namespace seqgrad;

namespace {

std::shared_ptr<const Tokenizer> bpe(const std::vector<std::string>& lines, int64_t size = 0, bool lowercase = false) {
  return tokenizer_kind("bpe").train(counted(lines), {"bpe", size, 1, lowercase});
}

std::string load_error(const Scratch& dir, const std::string& text) {
  return error_of([&] { load_tokenizer(dir.write("v", text)); });
}

// Words of two to four of some syllables, the first ones often.
std::vector<std::string> invented_text(uint64_t seed, int lines) {
  static const char* const syllables[] = {"ba", "ko", "li", "schn", "ür", "te", "ŋa", "мир", "日本", "ß", "x", "9"};
  Random r(seed, 0);
  std::vector<std::string> out;
  for (int i = 0; i < lines; ++i) {
    std::string line;
    for (uint64_t words = 1 + r.below(9); words > 0; --words) {
      for (uint64_t n = 1 + r.below(4); n > 0; --n) line += syllables[std::min(r.below(12), r.below(12))];
      line += ' ';
    }
    out.push_back(line);
  }
  return out;
}

// The definition: begin with characters, and join the neighbours whose joint piece was learned first, the leftmost of
// equals, until none is a piece.
std::vector<std::string> by_definition(const std::string& word, const std::map<std::string, size_t>& learned) {
  std::vector<std::string> parts;
  const std::string text = "\xE2\x96\x81" + word;
  for (size_t i = 0; i < text.size();) {
    const size_t n = std::max<size_t>(1, text[i] & 0x80 ? (text[i] & 0x20 ? (text[i] & 0x10 ? 4 : 3) : 2) : 1);
    parts.push_back(text.substr(i, n));
    i += n;
  }
  for (;;) {
    size_t best = learned.size(), at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (const auto found = learned.find(parts[i] + parts[i + 1]); found != learned.end() && found->second < best)
        best = found->second, at = i;
    if (best == learned.size()) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

}  // namespace

TEST_CASE("words become the pieces that the definition of byte-pair encoding names") {
  for (const int64_t size : {30, 60, 150}) {
    const auto tokenizer = bpe(invented_text(1, 300), size);
    CHECK(tokenizer->size() == size);
    std::map<std::string, size_t> learned;
    for (const std::string& piece : tokenizer->vocabulary().ordinary()) learned.emplace(piece, learned.size());
    for (const std::string& line : invented_text(2, 200)) {
      std::vector<std::string> want;
      for (size_t i = 0; i < line.size();) {
        const size_t end = line.find(' ', i);
        const auto pieces = by_definition(line.substr(i, end - i), learned);
        want.insert(want.end(), pieces.begin(), pieces.end());
        i = end + 1;
      }
      CAPTURE(line);
      REQUIRE(tokenizer->split(line) == want);
      std::vector<int32_t> ids;
      for (const std::string& piece : want) ids.push_back(tokenizer->vocabulary().id(piece));
      REQUIRE(tokenizer->encode(line) == ids);
      REQUIRE(tokenizer->decode(ids) + " " == line);
    }
  }
}

TEST_CASE("the same text teaches the same pieces, whatever its order, and the file keeps them") {
  const Scratch dir;
  auto text = invented_text(3, 500);
  const auto first = bpe(text, 100);
  std::string elsewhere;
  std::thread([&] { elsewhere = bpe(text, 100)->serialized(); }).join();
  CHECK(elsewhere == first->serialized());
  std::reverse(text.begin(), text.end());
  CHECK(bpe(text, 100)->serialized() == first->serialized());
  const auto read = load_tokenizer(dir.write("v", first->serialized()));
  CHECK(read->serialized() == first->serialized());
  CHECK(read->fingerprint() == first->fingerprint());
  for (const std::string& line : invented_text(4, 100)) CHECK(read->encode(line) == first->encode(line));
  CHECK(bpe(text, 100, true)->fingerprint() != first->fingerprint());
}

TEST_CASE("a piece knows its word, for weights and for prompts") {
  const std::vector<std::string> lines{"lower lowest newer = wider", "new low = wide"};
  const auto tokenizer = bpe(lines, 22);
  std::vector<int32_t> units;
  const auto ids = tokenizer->encode("  lowest\t= new ", &units);
  REQUIRE(units.size() == ids.size());
  CHECK(ids.size() > 3);
  CHECK(std::is_sorted(units.begin(), units.end()));
  CHECK(units.front() == 0);
  CHECK(units.back() == 2);
  CHECK(tokenizer->decode(ids) == "lowest = new");

  ParallelText text = text_of_task("train", {{"x", "low=r newest = wide", {}}});
  text.token_weight = {{1, 2, 3, 4, 5}};
  const auto whole = bpe({"low=r newest = wide x"}, 24);
  const Corpus corpus = encode(text, *whole, *whole, 0, "=");
  const auto target = whole->encode(text.pairs[0].target, &units);
  const auto weight = corpus.token_weight[0];
  const auto mask = corpus.mask[0];
  REQUIRE(mask.size() == target.size() + 1);
  for (size_t i = 0; i < target.size(); ++i) {
    CHECK(weight[i] == units[i] + 1);
    CHECK(mask[i] == (units[i] > 2));  // "=" inside a word ends no prompt
  }
  CHECK(weight[target.size()] == 5);
  CHECK(mask[target.size()] == 1);
  CHECK(error_of([&] { encode(text, *whole, *whole, 0, "low"); }).find("has no token 'low'") != std::string::npos);
  CHECK(error_of([&] { encode(text, *whole, *whole, 0, "= wide"); }).find("is not one token") != std::string::npos);
  CHECK(error_of([&] { encode(text, *whole, *whole, 0, "q"); }).find("is not a token") != std::string::npos);
}

TEST_CASE("no text becomes a control id, and what cannot be written in pieces is unknown") {
  const auto tokenizer = bpe({"<s> </s> <pad> <unk> a b"}, 60);
  for (const char* text : {"<s>", "</s>", "<pad>", "<unk>", "<s></s>"}) {
    const auto ids = tokenizer->encode(text);
    for (const int32_t id : ids) CHECK(id >= special_ids);
    CHECK(tokenizer->decode(ids) == text);
  }
  const std::string marker = "\xE2\x96\x81", own = "\xE2\x96\x85";
  for (const std::string& word : {"a" + marker + "b", marker, own, std::string("a\0b", 3), std::string(20'000, 'a')}) {
    CAPTURE(word.substr(0, 20));
    CHECK(tokenizer->decode(tokenizer->encode("a " + word + " b")) == "a <unk> b");
    CHECK(tokenizer->split("a " + word).back() == word);
  }
  CHECK(tokenizer->decode(tokenizer->encode("azb")) == "a<unk>b");
  CHECK(tokenizer
            ->decode(tokenizer->encode("\r a\xE2\x80\xA8"
                                       "b"))
            .find("<unk>") == 0);
  const auto odd = bpe({std::string("a\0b c\rd", 7) + " x\xE2\x80\xA8y " + marker + "z " + own}, 60);
  CHECK(odd->decode(odd->encode("c\rd x\xE2\x80\xA8y")) == "c\rd x\xE2\x80\xA8y");
  CHECK(odd->vocabulary().id("z") == unk_id);  // its word is not learned from
  const std::vector<int32_t> ids{bos_id, odd->vocabulary().id(marker), unk_id, pad_id, eos_id, 5};
  CHECK(odd->decode(ids) == "<unk>");
  CHECK(bpe({"Ä ä Ä"}, 20, true)->decode(bpe({"Ä ä Ä"}, 20, true)->encode("Ä")) == "ä");
}

TEST_CASE("a size that the text does not allow is refused, one that it does not need is not reached") {
  CHECK(error_of([] { bpe({"abc abd"}, 8); }) ==
        "2 data.vocabulary.size: 8 is too small for bpe: the text has 4 characters, so at least 9 are needed");
  CHECK(bpe({"abc abd"}, 9)->size() == 9);
  CHECK(bpe({"abc abd"})->size() < 20);
  CHECK(error_of([] { bpe({std::string("\0", 1)}, 100); }).find("no word to learn from") != std::string::npos);
  std::string all;  // every character is known, however rare
  for (int i = 0; i < 200'000; ++i) all += "aa ";
  const auto rare = bpe({all, "q"}, 30);
  CHECK(rare->vocabulary().id("q") != unk_id);
}

TEST_CASE("a million types and a word of a megabyte are no trouble for pieces", "[timing]") {
  const std::clock_t begin = std::clock();
  std::string line;
  for (int i = 0; i < 1'000'000; ++i) line += "w" + std::to_string(i) + " ";
  const auto tokenizer = bpe({line, std::string(1 << 20, 'y')}, 400);
  CHECK(tokenizer->size() == 400);
  CHECK(tokenizer->vocabulary().id("y") == unk_id);
  CHECK(tokenizer->encode(line).size() > 1'000'000);
  CHECK(tokenizer->encode(std::string(1 << 20, 'z')).size() == 2);
  CHECK_SECONDS(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 10);
}

TEST_CASE("a file of pieces that was not saved so is refused with its line") {
  const Scratch dir;
  const std::string good = bpe({"low lower"}, 12)->serialized();
  CHECK(load_error(dir, good) == "");
  const auto with = [&](const std::string& line) {
    std::string text = good;
    text.replace(text.find("size 12"), 7, "size 13");
    return load_error(dir, text + line + "\n");
  };
  const std::string marker = "\xE2\x96\x81";
  CHECK(with(marker + "zz") == "");
  for (const std::string& piece :
       {"a" + marker, marker + marker, std::string("a\\sb"), std::string("a\\x09"), std::string("\\x00"),
        std::string("\xE2\x96\x85"), std::string("\\<s>"), std::string(""), std::string(20'000, 'a')}) {
    CAPTURE(piece.substr(0, 20));
    CHECK(with(piece).find("v:16: '") != std::string::npos);
  }
  CHECK(with(marker).find("stands already in line") != std::string::npos);
  for (size_t cut = 0; cut + 1 < good.size(); ++cut) CHECK(load_error(dir, good.substr(0, cut)) != "");
}

TEST_CASE("pieces in a config: their size, their contradiction, and both sides in one vocabulary") {
  const Scratch dir;
  std::string tsv;
  for (const std::string& line : invented_text(5, 300)) tsv += line + "\t" + line + "\n";
  const std::string path = dir.write("x.tsv", tsv);
  const auto load_with = [&](const std::vector<std::string>& more) {
    DataConfig config;
    std::vector<std::string> set{"train.tsv=" + path, "dev.tsv=" + path, "vocabulary.kind=bpe"};
    set.insert(set.end(), more.begin(), more.end());
    load(config, "", set);
    return load_data(config, 1);
  };
  const Data data = load_with({"vocabulary.size=50", "vocabulary.share=true"});
  CHECK(data.source->size() == 50);
  CHECK(data.source == data.target);
  CHECK(data.dev.source.unknown() == 0);
  CHECK(data.train.source.length(0) >= tokenizer_kind("bpe").length(data.train.pairs[0].source));
  CHECK(load_with({"vocabulary.size=50", "max_length=4"}).train.skipped.too_long > 0);
  CHECK(error_of([&] { load_with({"vocabulary.min_frequency=2"}); }).find("has no meaning with kind bpe") !=
        std::string::npos);
}
