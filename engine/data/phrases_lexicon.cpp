// One line a word; columns as the head of the file says.
#include "engine/data/phrases_lexicon.h"

#include <algorithm>
#include <set>

#include "engine/core/error.h"
#include "engine/io/text.h"

namespace seqgrad::phrases {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

bool meet(const Classes& a, const Classes& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const std::string& c) { return std::find(b.begin(), b.end(), c) != b.end(); });
}

Classes classes_of(const std::string& column) { return column == "-" ? Classes{} : split(column, ','); }

}  // namespace

Lexicon load_lexicon(const std::string& path) {
  if (path.empty()) refuse("data.lexicon is needed for the task phrases, e.g. phrases_lexicon.tsv beside the config");
  Lexicon x;
  std::set<std::string> german, english;
  std::vector<size_t> verb_lines;
  const std::vector<std::string> lines = read_lines(path);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() || lines[i][0] == '#') continue;
    const auto c = split(lines[i], '\t');
    const auto wrong = [&](const std::string& why) { refuse("{}:{}: error: {}", shown_path(path), i + 1, why); };
    const size_t want = c[0] == "noun" ? 10 : c[0] == "verb" ? 15 : c[0] == "adj" ? 8 : c[0] == "adv" ? 4 : 0;
    if (want == 0) wrong(fmt::format("expected noun, verb, adj or adv, got '{}'", shown(c[0])));
    if (c.size() != want) wrong(fmt::format("{} columns; a line of kind {} has {}", c.size(), c[0], want));
    if (std::find(c.begin(), c.end(), "") != c.end()) wrong("an empty column");
    const std::string& lemma = c[0] == "noun" ? c[2] : c[1];
    const std::string& translation = c[0] == "noun" ? c[7] : c[0] == "verb" ? c[9] : c[0] == "adj" ? c[6] : c[2];
    if (!german.insert(lemma).second) wrong(fmt::format("'{}' stands twice", shown(lemma)));
    if (!english.insert(translation).second) wrong(fmt::format("'{}' translates two words", shown(translation)));
    if (c[0] == "noun") {
      if (c[1] != "m" && c[1] != "f" && c[1] != "n")
        wrong(fmt::format("expected the gender m, f or n, got '{}'", shown(c[1])));
      x.nouns.push_back({c[1][0], c[2], c[3], c[4], c[5], c[6], c[7], c[8], classes_of(c[9])});
    } else if (c[0] == "verb") {
      static const std::set<std::string> frames{"acc", "dat", "ditr", "place", "motion", "both"};
      if (c[7] != "haben" && c[7] != "sein") wrong(fmt::format("expected haben or sein, got '{}'", shown(c[7])));
      if (!frames.count(c[12]))
        wrong(fmt::format("expected a frame (acc, dat, ditr, place, motion, both), got '{}'", shown(c[12])));
      verb_lines.push_back(i + 1);
      x.verbs.push_back({c[1],
                         c[2],
                         c[3],
                         c[4],
                         c[5],
                         c[6],
                         c[7] == "sein",
                         c[8] == "-" ? "" : c[8],
                         c[9],
                         c[10],
                         c[11],
                         c[12],
                         classes_of(c[13]),
                         classes_of(c[14]),
                         {},
                         {}});
    } else if (c[0] == "adj") {
      x.adjectives.push_back({c[1], c[2], c[3], c[4], c[5], c[6], classes_of(c[7])});
    } else {
      if (c[3] != "any" && c[3] != "present" && c[3] != "past")
        wrong(fmt::format("expected any, present or past, got '{}'", shown(c[3])));
      x.adverbs.push_back({c[1], c[2], c[3]});
    }
  }
  for (size_t n = 0; n < x.nouns.size(); ++n) {
    if (meet(x.nouns[n].classes, {"place"})) x.places.push_back(n);
    if (meet(x.nouns[n].classes, {"person"})) x.recipients.push_back(n);
    x.fitting.emplace_back();
    for (size_t a = 0; a < x.adjectives.size(); ++a)
      if (meet(x.adjectives[a].classes, x.nouns[n].classes)) x.fitting[n].push_back(a);
  }
  for (Verb& v : x.verbs) {
    for (size_t n = 0; n < x.nouns.size(); ++n) {
      if (meet(v.subjects, x.nouns[n].classes)) v.subject_nouns.push_back(n);
      if (meet(v.objects, x.nouns[n].classes)) v.object_nouns.push_back(n);
    }
    if (v.subject_nouns.empty() || (v.object_nouns.empty() && !v.objects.empty()))
      refuse("{}:{}: error: no noun has the classes of the verb '{}'", shown_path(path),
             verb_lines[static_cast<size_t>(&v - x.verbs.data())], v.infinitive);
  }
  if (x.verbs.empty() || x.places.empty() || x.recipients.empty() || x.adverbs.empty())
    refuse("{}: error: verbs, adverbs, and nouns of the classes person and place are needed", shown_path(path));
  return x;
}

}  // namespace seqgrad::phrases
