// Counting pairs and unknown words.
#include "engine/data/data_notes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <unordered_set>

#include "engine/core/error.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

constexpr double many_unknown = 0.2;

std::string number_of(int64_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

uint64_t hash_of(const Pair& pair) {
  return XXH3_64bits_withSeed(pair.target.data(), pair.target.size(),
                              XXH3_64bits(pair.source.data(), pair.source.size()));
}

// "37.5 %", and never 0 % or 100 % for what is not.
std::string percent(int64_t part, int64_t whole) {
  if (part == 0 || part == whole) return part == 0 ? "0 %" : "100 %";
  const double share = 100 * static_cast<double>(part) / static_cast<double>(whole);
  return share < 0.1 ? "<0.1 %" : share > 99.9 ? ">99.9 %" : fmt::format("{:.1f} %", share);
}

struct Side {
  const char* name;
  int64_t unknown, tokens;
  const Tokenizer* tokenizer;
};
std::vector<Side> sides(const Corpus& corpus, const Tokenizer& source, const Tokenizer& target) {
  return {{"source", corpus.source.unknown(), corpus.source.tokens(), &source},
          {"target", corpus.target.unknown(), corpus.target.tokens(), &target}};
}

std::vector<const Corpus*> splits(const Data& data) {
  std::vector<const Corpus*> out = {&data.train, &data.dev};
  if (data.test.size() > 0) out.push_back(&data.test);
  return out;
}

// What keeps words out of the vocabulary.
std::string reason(const DataConfig& c, const Side& side) {
  std::string text = fmt::format("the vocabulary has {}", number_of(side.tokenizer->size() - special_ids, "token"));
  if (c.vocabulary.min_frequency() > 1)
    text += fmt::format(", each {} times or more in training (data.vocabulary.min_frequency)",
                        c.vocabulary.min_frequency());
  if (c.vocabulary.size() > 0) text += fmt::format(", {} ids at most (data.vocabulary.size)", c.vocabulary.size());
  return text;
}

}  // namespace

std::vector<std::string> notes_on(const std::map<std::string, ParallelText>& splits, bool characters) {
  const ParallelText& train = splits.at("train");
  OddText odd = train.odd;
  std::unordered_set<uint64_t> others, trained;  // of the pairs of training only those that the others have
  for (const auto& [name, text] : splits)
    if (name != "train")
      for (const Pair& pair : text.pairs) others.insert(hash_of(pair));
  int64_t equal_sides = 0, spaced = 0;
  for (const Pair& pair : train.pairs) {
    if (const uint64_t hash = hash_of(pair); others.count(hash) > 0) trained.insert(hash);
    equal_sides += pair.source == pair.target;
    for (const std::string* side : {&pair.source, &pair.target}) spaced += side->front() == ' ' || side->back() == ' ';
  }
  std::vector<std::string> notes;
  const auto total = static_cast<int64_t>(train.pairs.size());
  if (equal_sides > 0)
    notes.push_back(fmt::format("train: {} of {} {} the same text as source and target", equal_sides,
                                number_of(total, "pair"), equal_sides == 1 ? "has" : "have"));
  if (characters && spaced > 0)
    notes.push_back(
        fmt::format("train: {} with a space at an end, which is learned as a character", number_of(spaced, "line")));
  for (const auto& [name, text] : splits) {
    if (name == "train") continue;
    odd.add(text.odd);
    int64_t known = 0;
    for (const Pair& pair : text.pairs) known += trained.count(hash_of(pair));
    if (known > 0)
      notes.push_back(fmt::format("{}: {} of {} {} in training too; what is measured on {} is not what new text gets",
                                  name, known, number_of(static_cast<int64_t>(text.pairs.size()), "pair"),
                                  known == 1 ? "stands" : "stand", known == 1 ? "it" : "them"));
  }
  for (std::string& note : odd.notes()) notes.push_back(std::move(note));
  return notes;
}

// "no unknown tokens", or "unknown tokens: dev 1.2 % source, 0.4 % target".
static std::string describe_unknown(const Data& data) {
  std::string text;
  for (const Corpus* corpus : splits(data)) {
    const auto s = sides(*corpus, *data.source, *data.target);
    if (s[0].unknown + s[1].unknown > 0)
      text += fmt::format("{}{} {} source, {} target", text.empty() ? "unknown tokens: " : "; ", corpus->name,
                          percent(s[0].unknown, s[0].tokens), percent(s[1].unknown, s[1].tokens));
  }
  return text.empty() ? "no unknown tokens" : text;
}

std::string describe_data(const Data& data) {
  std::string text = fmt::format("data: train {} pair{}, dev {}", with_commas(data.train.size()),
                                 data.train.size() == 1 ? "" : "s", with_commas(data.dev.size()));
  if (data.test.size() > 0) text += fmt::format(", test {}", with_commas(data.test.size()));
  for (const auto& [name, corpus] : data.reported) text += fmt::format(", {} {}", name, with_commas(corpus.size()));
  return text + fmt::format("; vocabularies: {} source, {} target; {}", with_commas(data.source->size()),
                            with_commas(data.target->size()), describe_unknown(data));
}

std::vector<std::string> notes_on_unknown(const DataConfig& c, const Corpus& corpus, const Tokenizer& source,
                                          const Tokenizer& target) {
  std::vector<std::string> notes;
  for (const Side& side : sides(corpus, source, target))
    if (static_cast<double>(side.unknown) >= many_unknown * static_cast<double>(std::max<int64_t>(1, side.tokens)))
      notes.push_back(fmt::format("{}: {} of the {} tokens are unknown: {}", corpus.name,
                                  percent(side.unknown, side.tokens), side.name, reason(c, side)));
  return notes;
}

std::vector<std::string> notes_on_references(const DataConfig& c, const Corpus& corpus) {
  const TextForm form{text_form(c).form, false};
  const auto other = std::count_if(corpus.pairs.begin(), corpus.pairs.end(),
                                   [&](const Pair& p) { return !p.given.empty() && form(p.given) != p.given; });
  if (other == 0) return {};
  return {fmt::format(
      "{}: {} of {} references are not in the Unicode form that the model writes (data.normalize: {}), and BLEU and "
      "chrF take references as they stand; write the file in that form for scores that mean something",
      corpus.name, other, corpus.size(), c.normalize())};
}

void check_unknown(const DataConfig& c, Data& data) {
  for (const Corpus* corpus : splits(data)) {
    for (const Side& side : sides(*corpus, *data.source, *data.target))
      if (side.unknown > 0 && side.unknown == side.tokens)
        refuse("{}: every {} token is unknown: {}", corpus->name, side.name, reason(c, side));
    for (std::string& note : notes_on_unknown(c, *corpus, *data.source, *data.target))
      data.notes.push_back(std::move(note));
  }
}

}  // namespace seqgrad
