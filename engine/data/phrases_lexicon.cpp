// One line a word; columns as the head of the file says.
#include "engine/data/phrases_lexicon.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "engine/core/error.h"
#include "engine/io/lines.h"

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

class Reader {
 public:
  explicit Reader(const std::string& path) { x_.path = path; }

  void read(const std::string& text, size_t line) {
    line_ = line;
    c_ = split(text, '\t');
    const size_t want = c_[0] == "noun" ? 10 : c_[0] == "verb" ? 15 : c_[0] == "adj" ? 8 : c_[0] == "adv" ? 4 : 0;
    if (want == 0) wrong(fmt::format("expected noun, verb, adj or adv, got '{}'", shown(c_[0])));
    if (c_.size() != want) wrong(fmt::format("{} columns; a line of kind {} has {}", c_.size(), c_[0], want));
    for (const std::string& column : c_) {
      if (column.empty()) wrong("an empty column");
      if (column.front() == ' ' || column.back() == ' ' || column.find("  ") != std::string::npos)
        wrong(fmt::format("'{}' has spaces around it or two in a row", shown(column)));
    }
    const std::string& lemma = c_[0] == "noun" ? c_[2] : c_[1];
    const std::string& translation = c_[0] == "noun" ? c_[7] : c_[0] == "verb" ? c_[9] : c_[0] == "adj" ? c_[6] : c_[2];
    if (!german_.insert(lemma).second) wrong(fmt::format("'{}' stands twice", shown(lemma)));
    if (!english_.insert(translation).second) wrong(fmt::format("'{}' translates two words", shown(translation)));
    c_[0] == "noun" ? noun() : c_[0] == "verb" ? verb() : c_[0] == "adj" ? adjective() : adverb();
  }

  Lexicon finish() {
    find_classes();
    for (Verb& v : x_.verbs) find_nouns(v);
    return std::move(x_);
  }

 private:
  [[noreturn]] void wrong(const std::string& why) const { refuse("{}:{}: error: {}", shown_path(x_.path), line_, why); }

  Classes classes(const std::string& column, bool may_be_none) const {
    Classes out = column == "-" ? Classes{} : split(column, ',');
    if (out.empty() && !may_be_none) wrong("expected classes such as person,animal, got '-'");
    if (std::find(out.begin(), out.end(), "") != out.end())
      wrong(fmt::format("expected classes separated by single commas, got '{}'", shown(column)));
    return out;
  }

  void noun() {
    if (c_[1] != "m" && c_[1] != "f" && c_[1] != "n")
      wrong(fmt::format("expected the gender m, f or n, got '{}'", shown(c_[1])));
    x_.nouns.push_back({c_[1][0], c_[2], c_[3], c_[4], c_[5], c_[6], c_[7], c_[8], classes(c_[9], false)});
  }

  void verb() {
    static const std::set<std::string> frames{"acc", "dat", "ditr", "place", "motion", "both"};
    if (c_[7] != "haben" && c_[7] != "sein") wrong(fmt::format("expected haben or sein, got '{}'", shown(c_[7])));
    const std::string& frame = c_[12];
    if (!frames.count(frame))
      wrong(fmt::format("expected a frame (acc, dat, ditr, place, motion, both), got '{}'", shown(frame)));
    const bool needs_object = frame == "acc" || frame == "dat" || frame == "ditr";
    if (needs_object && c_[14] == "-") wrong(fmt::format("a verb of frame {} needs classes of objects", frame));
    x_.verbs.push_back({c_[1],
                        c_[2],
                        c_[3],
                        c_[4],
                        c_[5],
                        c_[6],
                        c_[7] == "sein",
                        c_[8] == "-" ? "" : c_[8],
                        c_[9],
                        c_[10],
                        c_[11],
                        frame,
                        classes(c_[13], false),
                        classes(c_[14], true),
                        {},
                        {},
                        line_});
  }

  void adjective() { x_.adjectives.push_back({c_[1], c_[2], c_[3], c_[4], c_[5], c_[6], classes(c_[7], false)}); }

  void adverb() {
    if (c_[3] != "any" && c_[3] != "present" && c_[3] != "past")
      wrong(fmt::format("expected any, present or past, got '{}'", shown(c_[3])));
    x_.adverbs.push_back({c_[1], c_[2], c_[3]});
  }

  void find_classes() {
    for (size_t n = 0; n < x_.nouns.size(); ++n) {
      if (has_class(x_.nouns[n].classes, "place")) x_.places.push_back(n);
      if (has_class(x_.nouns[n].classes, "person")) x_.recipients.push_back(n);
      x_.fitting.emplace_back();
      for (size_t a = 0; a < x_.adjectives.size(); ++a)
        if (meet(x_.adjectives[a].classes, x_.nouns[n].classes)) x_.fitting[n].push_back(a);
    }
  }

  // Nouns for subject, dative person and object that are all different, where the verb has them. A pronoun is never
  // the same as a noun.
  bool has_different_nouns(const Verb& v) const {
    constexpr size_t pronoun = SIZE_MAX;
    std::vector<size_t> subjects = v.subject_nouns;
    if (has_class(v.subjects, "person")) subjects.push_back(pronoun);
    const std::vector<size_t> nobody{pronoun - 1}, nothing{pronoun - 2};
    for (const size_t subject : subjects)
      for (const size_t person : v.frame == "ditr" ? x_.recipients : nobody)
        for (const size_t object : v.objects.empty() ? nothing : v.object_nouns)
          if (subject != person && subject != object && person != object) return true;
    return false;
  }

  void find_nouns(Verb& v) {
    line_ = v.line;
    for (size_t n = 0; n < x_.nouns.size(); ++n) {
      if (meet(v.subjects, x_.nouns[n].classes)) v.subject_nouns.push_back(n);
      if (meet(v.objects, x_.nouns[n].classes)) v.object_nouns.push_back(n);
    }
    const bool no_subject = v.subject_nouns.empty(), no_object = v.object_nouns.empty() && !v.objects.empty();
    if (no_subject || no_object)
      wrong(fmt::format("no noun has a class of the {} of '{}' ({})", no_subject ? "subjects" : "objects",
                        shown(v.infinitive),
                        shown(fmt::format("{}", fmt::join(no_subject ? v.subjects : v.objects, ",")))));
    if (!has_different_nouns(v))
      wrong(fmt::format("'{}' needs different nouns as subject and object, and the table has too few of their classes",
                        shown(v.infinitive)));
  }

  Lexicon x_;
  size_t line_ = 0;
  std::vector<std::string> c_;  // columns of the line
  std::set<std::string> german_, english_;
};

}  // namespace

bool has_class(const Classes& classes, const char* name) {
  return std::find(classes.begin(), classes.end(), name) != classes.end();
}

bool usable(const Verb& verb, bool to_english) { return to_english || verb.en != verb.en_past; }

bool usable(const Adverb& adverb, bool past) { return adverb.tense == "any" || (adverb.tense == "past") == past; }

Lexicon load_lexicon(const std::string& path) {
  if (path.empty()) refuse("data.lexicon is needed for the task phrases, e.g. phrases_lexicon.tsv beside the config");
  Reader reader(path);
  const std::vector<std::string> lines = read_lines(path);
  for (size_t i = 0; i < lines.size(); ++i)
    if (!lines[i].empty() && lines[i][0] != '#') reader.read(lines[i], i + 1);
  return reader.finish();
}

void require_all_sentences(const Lexicon& x, bool to_english) {
  std::vector<std::string> missing;
  const auto need = [&](bool there, const std::string& what) {
    if (!there) missing.push_back(what);
  };
  const auto verb_of = [&](std::initializer_list<const char*> frames) {
    return std::any_of(x.verbs.begin(), x.verbs.end(), [&](const Verb& v) {
      return usable(v, to_english) && std::find(frames.begin(), frames.end(), v.frame) != frames.end();
    });
  };
  const std::string past = to_english ? "" : " whose English past differs from its present";
  need(!x.places.empty(), "a noun of the class place (in the garden)");
  need(!x.recipients.empty(), "a noun of the class person (the man says that …)");
  need(verb_of({"place"}), "a verb of the frame place" + past + " (…, because …)");
  need(verb_of({"acc", "dat"}), "a verb of the frame acc or dat" + past + " (both halves of long sentences)");
  for (const bool in_past : {false, true})
    need(std::any_of(x.adverbs.begin(), x.adverbs.end(), [&](const Adverb& a) { return usable(a, in_past); }),
         fmt::format("an adverb for the {0} (tense any or {0})", in_past ? "past" : "present"));
  bool described = false;
  for (size_t n = 0; n < x.nouns.size(); ++n)
    described |= x.fitting[n].size() >= 2 && !(has_class(x.nouns[n].classes, "person") && x.nouns[n].gender == 'n');
  need(described,
       "two adjectives of one class for a noun that is no neuter person (the table is old but it is beautiful)");
  if (!missing.empty())
    refuse("{}: error: the word table lacks words that sentences of the task need:\n  {}", shown_path(x.path),
           fmt::join(missing, "\n  "));
}

}  // namespace seqgrad::phrases
