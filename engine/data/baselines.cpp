// Word by word with the task's own lexicon, and the nearest training sentence by shared words.
#include "engine/data/baselines.h"

#include <algorithm>
#include <unordered_map>

#include "engine/data/phrases_lexicon.h"

namespace seqgrad {
namespace {

using Dictionary = std::unordered_map<std::string, std::string>;

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

Dictionary make_dictionary(const std::string& lexicon, bool to_english) {
  const phrases::Lexicon x = phrases::load_lexicon(lexicon);
  Dictionary d;
  const auto add = [&](const std::string& de, const std::string& en) {
    to_english ? d.emplace(de, en) : d.emplace(en, de);
  };
  for (const auto& n : x.nouns) {
    add(n.nominative, n.en);
    add(n.plural, n.en_plural);
    add(n.accusative, n.en);
    add(n.plural_dative, n.en_plural);
  }
  for (const auto& v : x.verbs) {
    add(v.er, v.en_he);
    for (const std::string* f : {&v.infinitive, &v.ich, &v.du, &v.plural}) add(*f, v.en);
    add(v.participle, v.en_past);
  }
  for (const auto& a : x.adjectives)
    for (const std::string* f : {&a.plain, &a.e, &a.en, &a.er, &a.es}) add(*f, a.english);
  for (const auto& a : x.adverbs) add(a.de, a.en);
  for (const auto& [de, en] : std::initializer_list<std::pair<const char*, const char*>>{
           {"der", "the"},      {"die", "the"},   {"das", "the"},   {"den", "the"},     {"dem", "the"},
           {"ein", "a"},        {"eine", "a"},    {"einen", "a"},   {"einem", "a"},     {"einer", "a"},
           {"ich", "I"},        {"du", "you"},    {"er", "he"},     {"sie", "she"},     {"es", "it"},
           {"wir", "we"},       {"nicht", "not"}, {"kann", "can"},  {"muss", "must"},   {"will", "wants"},
           {"weil", "because"}, {"dass", "that"}, {"aber", "but"},  {"ist", "is"},      {"sind", "are"},
           {"in", "in"},        {"im", "in"},     {"sagt", "says"}, {"denkt", "thinks"}})
    add(de, en);
  return d;
}

}  // namespace

Baselines baselines(const std::string& lexicon, const std::string& direction, const std::vector<Pair>& train,
                    const std::vector<Pair>& test) {
  const Dictionary dictionary = make_dictionary(lexicon, direction != "en-de");
  std::unordered_map<std::string, std::vector<int>> index;  // training sentences that hold a word
  for (size_t i = 0; i < train.size(); ++i)
    for (const std::string& w : words(train[i].source)) {
      auto& list = index[w];
      if (list.empty() || list.back() != static_cast<int>(i)) list.push_back(static_cast<int>(i));
    }
  std::vector<int> shared(train.size());
  int64_t exact_dictionary = 0, exact_nearest = 0;
  for (const Pair& p : test) {
    std::string out;
    std::fill(shared.begin(), shared.end(), 0);
    for (const std::string& w : words(p.source)) {
      const auto found = dictionary.find(w);
      out += (out.empty() ? "" : " ") + (found == dictionary.end() ? w : found->second);
      if (const auto list = index.find(w); list != index.end())
        for (const int i : list->second) ++shared[static_cast<size_t>(i)];
    }
    exact_dictionary += out == p.target;
    if (train.empty()) continue;
    const auto best = std::max_element(shared.begin(), shared.end()) - shared.begin();
    exact_nearest += train[static_cast<size_t>(best)].target == p.target;
  }
  const auto n = static_cast<double>(std::max<size_t>(1, test.size()));
  return {static_cast<double>(exact_dictionary) / n, static_cast<double>(exact_nearest) / n};
}

}  // namespace seqgrad
