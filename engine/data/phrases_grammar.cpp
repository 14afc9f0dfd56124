// German: verb second or last, brackets, endings. English: do-support, articles. Nothing here is random.
#include "engine/data/phrases_grammar.h"

namespace seqgrad::phrases {
namespace {

struct Words {
  std::string text;
  Words& operator<<(const std::string& word) {
    if (!word.empty()) text += (text.empty() ? "" : " ") + word;
    return *this;
  }
};

enum Person { first, second, third, plural };

Person person_of(const NounPhrase& np) {
  switch (np.pronoun) {
    case Pronoun::ich: return first;
    case Pronoun::du: return second;
    case Pronoun::wir:
    case Pronoun::sie_plural: return plural;
    case Pronoun::er:
    case Pronoun::sie: return third;
    case Pronoun::none: return np.plural ? plural : third;
  }
  return third;
}

std::string definite_article(char gender, bool plural, Case which) {
  if (plural) return which == Case::dative ? "den" : "die";
  switch (which) {
    case Case::nominative: return gender == 'm' ? "der" : gender == 'f' ? "die" : "das";
    case Case::accusative: return gender == 'm' ? "den" : gender == 'f' ? "die" : "das";
    case Case::dative: return gender == 'f' ? "der" : "dem";
  }
  return "";
}

// What follows ein- and kein-.
std::string indefinite_ending(char gender, bool plural, Case which) {
  if (plural) return which == Case::dative ? "en" : "e";
  switch (which) {
    case Case::nominative: return gender == 'f' ? "e" : "";
    case Case::accusative: return gender == 'm' ? "en" : gender == 'f' ? "e" : "";
    case Case::dative: return gender == 'f' ? "er" : "em";
  }
  return "";
}

const std::string& adjective_form(const Adjective& a, const NounPhrase& np, Case which) {
  const char g = np.noun->gender;
  const bool en_everywhere = which == Case::dative || (which == Case::accusative && g == 'm' && !np.plural);
  if (np.plural)
    return np.determiner == Determiner::bare ? (which == Case::dative ? a.en : a.e)
                                             : a.en;  // strong, else weak or mixed
  if (en_everywhere) return a.en;
  if (np.determiner == Determiner::definite) return a.e;  // weak
  return g == 'm' ? a.er : g == 'f' ? a.e : a.es;         // mixed
}

const std::string& noun_form(const Noun& n, bool plural, Case which) {
  if (plural) return which == Case::dative ? n.plural_dative : n.plural;
  return which == Case::nominative ? n.nominative : which == Case::accusative ? n.accusative : n.dative;
}

std::string place_in_german(const Noun& place, bool into) {
  if (into)
    return place.gender == 'm'   ? "in den " + place.accusative
           : place.gender == 'n' ? "ins " + place.accusative
                                 : "in die " + place.accusative;
  return place.gender == 'f' ? "in der " + place.dative : "im " + place.dative;
}

std::string modal_form(Modal modal, Person p) {
  static const char* const kann[] = {"kann", "kannst", "kann", "können"};
  static const char* const will[] = {"will", "willst", "will", "wollen"};
  static const char* const muss[] = {"muss", "musst", "muss", "müssen"};
  return (modal == Modal::kann ? kann : modal == Modal::will ? will : muss)[p];
}

std::string finite(const Clause& c) {
  const Person p = person_of(c.subject);
  if (c.modal != Modal::none) return modal_form(c.modal, p);
  if (c.tense == Tense::past) {
    static const char* const haben[] = {"habe", "hast", "hat", "haben"};
    static const char* const sein[] = {"bin", "bist", "ist", "sind"};
    return (c.verb->with_sein ? sein : haben)[p];
  }
  const Verb& v = *c.verb;
  return p == first ? v.ich : p == second ? v.du : p == third ? v.er : v.plural;
}

// The right bracket of a main clause.
std::string tail(const Clause& c) {
  if (c.modal != Modal::none) return c.verb->infinitive;
  return c.tense == Tense::past ? c.verb->participle : c.verb->prefix;
}

bool negated_by_determiner(const Clause& c) {
  return !c.objects.empty() && c.objects.back().determiner == Determiner::negative;
}

std::string pronoun_en(Pronoun p) {
  switch (p) {
    case Pronoun::ich: return "I";
    case Pronoun::du: return "you";
    case Pronoun::er: return "he";
    case Pronoun::sie: return "she";
    case Pronoun::wir: return "we";
    case Pronoun::sie_plural: return "they";
    case Pronoun::none: break;
  }
  return "";
}

std::string pronoun_de(Pronoun p) {
  switch (p) {
    case Pronoun::ich: return "ich";
    case Pronoun::du: return "du";
    case Pronoun::er: return "er";
    case Pronoun::sie:
    case Pronoun::sie_plural: return "sie";
    case Pronoun::wir: return "wir";
    case Pronoun::none: break;
  }
  return "";
}

}  // namespace

Case object_case(const Clause& c, size_t object) {
  if (c.verb->frame == "dat") return Case::dative;
  return c.verb->frame == "ditr" && object == 0 ? Case::dative : Case::accusative;
}

std::string german(const NounPhrase& np, Case which) {
  if (np.pronoun != Pronoun::none) return pronoun_de(np.pronoun);
  Words w;
  const char g = np.noun->gender;
  if (np.determiner == Determiner::definite) w << definite_article(g, np.plural, which);
  if (np.determiner == Determiner::indefinite) w << "ein" + indefinite_ending(g, false, which);
  if (np.determiner == Determiner::negative) w << "kein" + indefinite_ending(g, np.plural, which);
  if (np.adjective) w << adjective_form(*np.adjective, np, which);
  w << noun_form(*np.noun, np.plural, which);
  return w.text;
}

std::string german(const Clause& c) {
  const std::string subject = german(c.subject, Case::nominative);
  std::vector<std::string> objects;
  for (size_t i = 0; i < c.objects.size(); ++i) objects.push_back(german(c.objects[i], object_case(c, i)));
  Words w, middle;
  if (c.order != Order::adverb_first && c.adverb) middle << c.adverb->de;
  for (size_t i = c.order == Order::object_first ? 1 : 0; i < objects.size(); ++i) middle << objects[i];
  if (c.negated && !negated_by_determiner(c)) middle << "nicht";
  if (c.place) middle << place_in_german(*c.place, c.into);
  switch (c.order) {
    case Order::subject_first: w << subject << finite(c); break;
    case Order::adverb_first: w << c.adverb->de << finite(c) << subject; break;
    case Order::object_first: w << objects[0] << finite(c) << subject; break;
    case Order::question: w << finite(c) << subject; break;
    case Order::verb_last: {
      w << subject << middle.text;
      if (c.modal != Modal::none)
        w << c.verb->infinitive << finite(c);
      else if (c.tense == Tense::past)
        w << c.verb->participle << finite(c);
      else
        w << c.verb->prefix + finite(c);
      return w.text;
    }
  }
  w << middle.text << tail(c);
  return w.text;
}

std::string english_article(const std::string& next) {
  return std::string("aeiou").find(next[0]) != std::string::npos || next == "honest" ? "an" : "a";
}

std::string english(const NounPhrase& np) {
  if (np.pronoun != Pronoun::none) return pronoun_en(np.pronoun);
  Words rest;
  if (np.adjective) rest << np.adjective->english;
  rest << (np.plural ? np.noun->en_plural : np.noun->en);
  switch (np.determiner) {
    case Determiner::definite: return "the " + rest.text;
    case Determiner::indefinite: return english_article(rest.text.substr(0, rest.text.find(' '))) + " " + rest.text;
    case Determiner::negative:
      return (np.plural ? "any" : english_article(rest.text.substr(0, rest.text.find(' ')))) + " " + rest.text;
    case Determiner::bare: return rest.text;
  }
  return rest.text;
}

std::string english(const Clause& c) {
  const bool he = person_of(c.subject) == third, question = c.order == Order::question;
  const std::string subject = english(c.subject), negation = c.negated ? "not" : "", does = he ? "does" : "do";
  const Verb& v = *c.verb;
  Words w;
  if (c.order == Order::adverb_first) w << c.adverb->en;
  if (c.modal == Modal::kann || c.modal == Modal::muss) {
    const std::string modal = c.modal == Modal::kann ? "can" : "must";
    if (question)
      w << modal << subject << negation << v.en;
    else
      w << subject << modal << negation << v.en;
  } else if (c.modal == Modal::will) {
    if (question)
      w << does << subject << negation << "want to" << v.en;
    else if (c.negated)
      w << subject << does << "not want to" << v.en;
    else
      w << subject << (he ? "wants to" : "want to") << v.en;
  } else {
    const std::string support = c.tense == Tense::past ? "did" : does;
    if (question)
      w << support << subject << negation << v.en;
    else if (c.negated)
      w << subject << support << "not" << v.en;
    else
      w << subject << (c.tense == Tense::past ? v.en_past : he ? v.en_he : v.en);
  }
  for (const NounPhrase& o : c.objects) w << english(o);
  if (c.place) w << std::string(c.into ? "into the " : "in the ") + c.place->en;
  if (c.order != Order::adverb_first && c.adverb) w << c.adverb->en;
  return w.text;
}

}  // namespace seqgrad::phrases
