// BLEU and chrF against scores that sacreBLEU gave (scripts/record/bleu.py), and the counts beside them.
#include <test_paths.h>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/metrics/accuracy.h"
#include "engine/metrics/bleu.h"
#include "engine/metrics/chrf.h"
#include "engine/text/unicode.h"
#include "engine/text/words.h"
#include "tests/support/catch.h"

using namespace seqgrad;
using Json = nlohmann::json;

namespace {

using Lines = std::vector<std::string>;

Json golden() {
  std::ifstream in(SEQGRAD_SOURCE_DIR "/tests/golden/bleu.json");
  REQUIRE(in);
  return Json::parse(in);
}

using Documents = std::vector<Lines>;

// In the order in which the recording script has them.
const std::vector<std::pair<const char*, BleuOptions>> bleus = {{"bleu_13a", {}},
                                                                {"bleu_none", {BleuTokens::none, false}},
                                                                {"bleu_char", {BleuTokens::character, false}},
                                                                {"bleu_zh", {BleuTokens::chinese, false}},
                                                                {"bleu_13a_lc", {{}, true}}};
const std::vector<std::pair<const char*, ChrfOptions>> chrfs = {{"chrf", {}}, {"chrf_lc", {true}}};

std::map<std::string, double> scores(const Lines& hypotheses, const Documents& references) {
  std::map<std::string, double> out;
  for (const auto& [name, options] : bleus) out[name] = corpus_bleu(hypotheses, references, options).score;
  for (const auto& [name, options] : chrfs) out[name] = corpus_chrf(hypotheses, references, options);
  return out;
}

void check_scores(const Lines& hypotheses, const Documents& references, const Json& expected) {
  for (const auto& score : scores(hypotheses, references)) {
    CAPTURE(score.first, score.second, expected.at(score.first).get<double>());
    CHECK(std::abs(score.second - expected.at(score.first).get<double>()) <= 1e-9);
  }
}

void check_equal(const Lines& hypotheses, const Lines& references, const Json& expected) {
  check_scores(hypotheses, {references}, expected);
  const Bleu bleu = corpus_bleu(hypotheses, Documents{references});
  CHECK(bleu.hypothesis_tokens == expected.at("hyp_len"));
  CHECK(bleu.reference_tokens == expected.at("ref_len"));
  CHECK(std::abs(bleu.brevity_penalty - expected.at("bp").get<double>()) <= 1e-12);
  for (int n = 0; n < 4; ++n) CHECK(std::abs(bleu.precisions[n] - expected.at("precisions")[n].get<double>()) <= 1e-9);
}

// The generator of the recording script.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % n;
  }

 private:
  uint64_t state_;
};

std::string joined(const Lines& words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) out += (i ? " " : "") + words[i];
  return out;
}

void generate(size_t count, uint64_t seed, const Lines& vocabulary, Lines& hypotheses, Lines& references) {
  Generator draw(seed);
  for (size_t i = 0; i < count; ++i) {
    Lines reference(draw.below(25)), hypothesis;
    for (std::string& word : reference) word = vocabulary[draw.below(vocabulary.size())];
    const uint64_t noise = draw.below(10);
    for (std::string word : reference) {
      const uint64_t action = draw.below(10) < noise ? draw.below(20) : 19;
      if (action < 4) continue;
      if (action < 9) word = vocabulary[draw.below(vocabulary.size())];
      hypothesis.push_back(word);
      if (action == 9) hypothesis.push_back(word);
      if (action == 10 && hypothesis.size() > 1) std::swap(hypothesis.back(), hypothesis[hypothesis.size() - 2]);
    }
    hypotheses.push_back(joined(hypothesis));
    references.push_back(joined(reference));
  }
}

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("BLEU and chrF equal sacreBLEU on edge cases") {
  const Json cases = golden().at("edge_cases");
  CHECK(cases.size() >= 40);
  for (const Json& c : cases) {
    INFO(c.at("name").get<std::string>());
    check_equal(c.at("hypotheses").get<Lines>(), c.at("references").get<Lines>(), c);
  }
}

TEST_CASE("BLEU and chrF equal sacreBLEU on generated corpora") {
  const Json expected = golden().at("generated");
  Lines hypotheses, references;
  generate(1000, expected.at("seed"), expected.at("vocabulary").get<Lines>(), hypotheses, references);
  REQUIRE(hypotheses[0] == expected.at("first")[0]);
  REQUIRE(references[0] == expected.at("first")[1]);
  check_equal(hypotheses, references, expected.at("all"));
  const size_t group = expected.at("group");
  const Json& groups = expected.at("groups");
  REQUIRE(groups.size() * group == hypotheses.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    CAPTURE(g);
    const auto part = [&](const Lines& lines) {
      return Lines(lines.begin() + g * group, lines.begin() + (g + 1) * group);
    };
    const auto ours = scores(part(hypotheses), {part(references)});
    size_t i = 0;
    for (const auto& metric : bleus) CHECK(std::abs(ours.at(metric.first) - groups[g][i++].get<double>()) <= 1e-9);
    for (const auto& metric : chrfs) CHECK(std::abs(ours.at(metric.first) - groups[g][i++].get<double>()) <= 1e-9);
  }
}

TEST_CASE("of several references BLEU and chrF take what sacreBLEU takes") {
  const Json cases = golden().at("several_references");
  CHECK(cases.size() >= 8);
  for (const Json& c : cases) {
    INFO(c.at("name").get<std::string>());
    const auto documents = c.at("references").get<Documents>();
    check_scores(c.at("hypotheses").get<Lines>(), documents, c.at("scores"));
    for (const auto& [name, options] : bleus)
      CHECK(bleu_signature(options, documents.size()) == c.at("signatures").at(name));
    for (const auto& [name, options] : chrfs)
      CHECK(chrf_signature(options, documents.size()) == c.at("signatures").at(name));
  }
}

TEST_CASE("signatures are sacreBLEU's own") {
  const Json expected = golden().at("signatures");
  for (const auto& [name, options] : bleus) CHECK(bleu_signature(options) == expected.at(name));
  for (const auto& [name, options] : chrfs) CHECK(chrf_signature(options) == expected.at(name));
}

TEST_CASE("tokenizer zh sets apart the characters that sacreBLEU's does") {
  const Json ranges = golden().at("zh_changes");
  REQUIRE(ranges.size() > 10);
  std::vector<bool> changes(0x110000);
  for (const Json& r : ranges)
    std::fill(changes.begin() + r[0].get<int>(), changes.begin() + r[1].get<int>() + 1, true);
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (0xD800 <= c && c < 0xE000) continue;
    std::string text = "a";
    append_utf8(text, c);
    text += "b";
    Lines words;
    const std::string tokens = tokenize(text, BleuTokens::chinese);
    for (const auto word : split_whitespace(tokens)) words.emplace_back(word);
    if (changes[c] != (joined(words) != text)) {
      CAPTURE(static_cast<uint32_t>(c), joined(words));
      FAIL_CHECK();
      break;
    }
  }
}

TEST_CASE("BLEU is defined where a reference has four tokens") {
  const auto defined = [](const Documents& references, const BleuOptions& options = {}) {
    return corpus_bleu(Lines(references[0].size(), "a b c d e"), references, options).defined();
  };
  CHECK(defined({{"a b c d"}}));
  CHECK(defined({{"a", "a b c."}}));
  CHECK(defined({{"a"}, {"a b c d"}}));
  CHECK(defined({{"word"}}, {BleuTokens::character, false}));
  CHECK_FALSE(defined({{"word", "a b c", ""}}));
  CHECK_FALSE(defined({{"a b c."}}, {BleuTokens::none, false}));
}

TEST_CASE("tokenizers of BLEU have names") {
  CHECK(bleu_token_names() == Lines{"13a", "none", "char", "zh"});
  for (const std::string& name : bleu_token_names()) CHECK(name_of(bleu_tokens(name)) == name);
  CHECK(refusal([] { bleu_tokens("ja"); }) == "BLEU: no tokenizer 'ja' (one of 13a, none, char, zh)");
}

TEST_CASE("a corpus without sentences or with too few references is refused") {
  const Lines one{"a"}, two{"a", "b"}, none;
  CHECK(refusal([&] { corpus_bleu(one, Documents{two}); }).find("BLEU: 1 hypotheses for 2 references") == 0);
  CHECK(refusal([&] { corpus_bleu(one, Documents{one, two}); }).find("BLEU: 1 hypotheses for 2 references") == 0);
  CHECK(refusal([&] { corpus_chrf(two, Documents{one}); }).find("chrF: 2 hypotheses for 1 references") == 0);
  CHECK(refusal([&] { corpus_bleu(none, Documents{none}); }) != "");
  CHECK(refusal([&] { corpus_bleu(one, Documents{}); }) == "BLEU: there is no reference");
  CHECK(refusal([&] { sequence_accuracy(one, two); }) != "");
}

TEST_CASE("white space is Python's") {
  const auto words = [](std::string_view text) {
    Lines out;
    for (const auto word : split_whitespace(text)) out.emplace_back(word);
    return out;
  };
  CHECK(words("").empty());
  CHECK(words(" \t\n\v\f\r\x1c\x1d\x1e\x1f ").empty());
  CHECK(words("\u0085\u00a0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000").empty());
  CHECK(words("a\u200bb \u00e9\u2010 c") == Lines{"a\u200bb", "\u00e9\u2010", "c"});
  CHECK(strip_right(" a b\u3000 ") == " a b");
  CHECK(strip_right(" \t").empty());
}

TEST_CASE("accuracies count what is real and add up") {
  const std::vector<int32_t> targets{5, 6, 2, 0, 7, 2, 0, 0}, predictions{5, 9, 2, 0, 7, 3, 0, 0}, lengths{3, 2};
  Share tokens = token_accuracy(predictions, targets, lengths);
  CHECK(tokens.hits == 3);
  CHECK(tokens.total == 5);
  tokens += {1, 5};
  CHECK(tokens.value() == 0.4);
  CHECK(token_accuracy({}, {}, {}).value() == 0);
  CHECK(refusal([&] { token_accuracy(predictions, lengths, lengths); }) != "");
  const Share lines = sequence_accuracy(Lines{"a b", "c", "d "}, Lines{"a b", "x", "d"});
  CHECK(lines.hits == 1);
  CHECK(lines.total == 3);
  CHECK(std::abs(perplexity(3 * std::log(7.0), 3) - 7) <= 1e-12);
  CHECK(std::isnan(perplexity(0, 0)));
}
