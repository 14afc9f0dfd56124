// The word table of the task `phrases`.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace seqgrad::phrases {

using Classes = std::vector<std::string>;

struct Noun {
  char gender;  // m, f, n
  std::string nominative, accusative, dative, plural, plural_dative;
  std::string en, en_plural;
  Classes classes;  // at least one
};

struct Verb {
  std::string infinitive, ich, du, er, plural, participle;
  bool with_sein;
  std::string prefix;  // empty: not separable
  std::string en, en_he, en_past;
  std::string frame;  // acc, dat, ditr, place, motion, both
  Classes subjects, objects;
  std::vector<size_t> subject_nouns, object_nouns;  // nouns of those classes
  size_t line;                                      // of the table, from 1
};

struct Adjective {
  std::string plain, e, en, er, es;  // klein kleine kleinen kleiner kleines
  std::string english;
  Classes classes;
};

struct Adverb {
  std::string de, en, tense;  // any, present, past
};

struct Lexicon {
  std::string path;
  std::vector<Noun> nouns;
  std::vector<Verb> verbs;
  std::vector<Adjective> adjectives;
  std::vector<Adverb> adverbs;
  std::vector<size_t> places;                // nouns of class place
  std::vector<size_t> recipients;            // nouns of class person
  std::vector<std::vector<size_t>> fitting;  // adjectives of each noun
};

bool has_class(const Classes& classes, const char* name);
// From English, a past that looks like the present could mean either: such verbs are drawn from German only.
bool usable(const Verb& verb, bool to_english);
bool usable(const Adverb& adverb, bool past);

// Refuses, with file and line: unknown kinds, missing columns, words that stand twice on one side, verbs whose classes
// no noun has, or no two different ones where a sentence needs them.
Lexicon load_lexicon(const std::string& path);

// Refuses, naming all of it, a table that lacks words for a kind of sentence that the grammar draws.
void require_all_sentences(const Lexicon& lexicon, bool to_english);

}  // namespace seqgrad::phrases
