// One clause of the task `phrases` as meaning, and its two surfaces.
#pragma once
#include <string>
#include <vector>

#include "engine/data/phrases_lexicon.h"

namespace seqgrad::phrases {

enum class Pronoun { none, ich, du, er, sie, wir, sie_plural };
enum class Determiner { definite, indefinite, negative, bare };  // der, ein, kein, nothing (plurals only)
enum class Tense { present, past };                              // Praesens = simple present, Perfekt = simple past
enum class Modal { none, kann, will, muss };
enum class Order { subject_first, adverb_first, object_first, question, verb_last };
enum class Case { nominative, accusative, dative };

struct NounPhrase {
  Pronoun pronoun = Pronoun::none;
  const Noun* noun = nullptr;
  const Adjective* adjective = nullptr;
  Determiner determiner = Determiner::definite;
  bool plural = false;
};

struct Clause {
  NounPhrase subject;
  const Verb* verb = nullptr;
  std::vector<NounPhrase> objects;  // none; one; dative and accusative
  const Noun* place = nullptr;
  bool into = false;  // place is where to, not where
  const Adverb* adverb = nullptr;
  Tense tense = Tense::present;
  Modal modal = Modal::none;
  bool negated = false;  // by nicht, or by the determiner of the last object
  Order order = Order::subject_first;
};

Case object_case(const Clause& clause, size_t object);

// Tokens separated by single spaces, without the final mark.
std::string german(const Clause& clause);
std::string english(const Clause& clause);
std::string german(const NounPhrase& np, Case which);
std::string english(const NounPhrase& np);

std::string english_article(const std::string& next_word);  // a or an

}  // namespace seqgrad::phrases
