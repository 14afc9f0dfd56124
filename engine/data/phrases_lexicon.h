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
  Classes classes;
};

struct Verb {
  std::string infinitive, ich, du, er, plural, participle;
  bool with_sein;
  std::string prefix;  // empty: not separable
  std::string en, en_he, en_past;
  std::string frame;  // acc, dat, ditr, place, motion, both
  Classes subjects, objects;
  std::vector<size_t> subject_nouns, object_nouns;  // nouns of those classes
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
  std::vector<Noun> nouns;
  std::vector<Verb> verbs;
  std::vector<Adjective> adjectives;
  std::vector<Adverb> adverbs;
  std::vector<size_t> places;                // nouns of class place
  std::vector<size_t> recipients;            // nouns of class person
  std::vector<std::vector<size_t>> fitting;  // adjectives of each noun
};

// Refuses, with file and line: unknown kinds, missing columns, words that stand twice on one side, classes of verbs
// that no noun has.
Lexicon load_lexicon(const std::string& path);

}  // namespace seqgrad::phrases
