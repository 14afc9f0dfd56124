// A sentence of the task `phrases` as a meaning that makes sense, drawn word by word.
#include <algorithm>
#include <memory>
#include <set>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/data/phrases.h"
#include "engine/data/phrases_grammar.h"
#include "engine/data/streams.h"

namespace seqgrad {
namespace {

using namespace phrases;

bool into_english(const TaskOptions& options) { return options.direction != "en-de"; }

class SentenceSampler {
 public:
  // `stream`: 0 to 2 give usual sentences, 3 what training never combines, 4 long ones.
  SentenceSampler(const Lexicon& lexicon, const TaskOptions& options, uint64_t stream)
      : x_(lexicon), to_english_(into_english(options)), stream_(stream), r_(options.seed, streams::task + stream) {}

  PhraseDraw draw() {
    tags_.clear();
    word_pairs_.clear();
    Pair p;
    const uint64_t form = r_.below(100);
    if (stream_ == 4)
      two_clauses(p, true);
    else if (stream_ == 3)
      structure(p);
    else if (form < 58)
      statement(p);
    else if (form < 72)
      question(p);
    else if (form < 90)
      two_clauses(p, false);
    else
      anaphora(p);
    if (!to_english_) std::swap(p.source, p.target);
    p.tags.assign(tags_.begin(), tags_.end());
    return {p, word_pairs_};
  }

 private:
  template <class T>
  const T& pick(const std::vector<T>& v) {
    return v[r_.below(v.size())];
  }
  bool chance(int percent) { return r_.below(100) < static_cast<uint64_t>(percent); }
  void tag(const char* name) { tags_.insert(name); }
  void hold(const char* kind, const std::string& a, const std::string& b) {
    word_pairs_.push_back(fmt::format("{}|{}|{}", kind, a, b));
  }

  NounPhrase noun_phrase(size_t noun, bool may_be_indefinite, int adjective_percent) {
    NounPhrase np;
    np.noun = &x_.nouns[noun];
    np.plural = chance(30);
    const bool indefinite = may_be_indefinite && chance(50);
    np.determiner = !indefinite ? Determiner::definite : np.plural ? Determiner::bare : Determiner::indefinite;
    if (!x_.fitting[noun].empty() && chance(adjective_percent)) {
      np.adjective = &x_.adjectives[pick(x_.fitting[noun])];
      hold("adjective noun", np.adjective->plain, np.noun->nominative);
    }
    return np;
  }

  void tag_phrase(const NounPhrase& np) {
    if (np.pronoun != Pronoun::none) return;
    if (np.plural) tag("plural");
    if (np.adjective)
      tag(np.determiner == Determiner::definite ? "adjective_weak"
          : np.determiner == Determiner::bare   ? "adjective_strong"
                                                : "adjective_mixed");
    if (!np.plural && (np.determiner == Determiner::indefinite || np.determiner == Determiner::negative))
      tag(english(np).starts_with("an ") ? "article_an" : "article_a");
  }

  NounPhrase subject(const Verb& v) {
    NounPhrase np;
    if (chance(22) && has_class(v.subjects, "person")) {
      static const Pronoun all[] = {Pronoun::ich, Pronoun::du,  Pronoun::er,
                                    Pronoun::sie, Pronoun::wir, Pronoun::sie_plural};
      np.pronoun = all[r_.below(6)];
      return np;
    }
    np = noun_phrase(pick(v.subject_nouns), chance(50), 30);
    hold("subject verb", np.noun->nominative, v.infinitive);
    return np;
  }

  // One that `suits`, which require_all_sentences() promises to exist. Where `draw` seldom meets one, all are looked
  // at.
  template <class T, class Draw, class Suits>
  const T& one_of(const std::vector<T>& words, const Draw& draw, const Suits& suits) {
    constexpr int patience = 1000;
    for (int tries = 0; tries < patience; ++tries)
      if (const T* word = draw(); word && suits(*word)) return *word;
    std::vector<const T*> all;
    for (const T& word : words)
      if (suits(word)) all.push_back(&word);
    if (all.empty()) refuse("{}: error: no word fits a sentence of the task phrases", shown_path(x_.path));
    return *pick(all);
  }

  const Verb& verb(const std::set<std::string>& frames) {
    const auto draw = [&]() -> const Verb* {
      const Verb& v = pick(x_.verbs);
      // Separable verbs and ways into places are few; they are drawn more often than their share.
      return v.prefix.empty() && v.frame != "motion" && v.frame != "both" && chance(35) ? nullptr : &v;
    };
    return one_of(x_.verbs, draw, [&](const Verb& v) { return frames.count(v.frame) && usable(v, to_english_); });
  }

  // A clause without order and tense, all of whose nouns differ: nobody washes himself here, the two are different
  // words.
  Clause content(const std::set<std::string>& frames) {
    const size_t held = word_pairs_.size();
    for (;;) {
      Clause c = any_content(frames);
      bool different = c.objects.size() < 2 || c.objects[0].noun != c.objects[1].noun;
      for (const NounPhrase& o : c.objects) different &= c.subject.noun != o.noun;
      if (!different) {
        word_pairs_.resize(held);
        continue;
      }
      for (size_t i = 0; i < c.objects.size(); ++i)
        if (!(c.verb->frame == "ditr" && i == 0))
          hold("verb object", c.verb->infinitive, c.objects[i].noun->nominative);
      if (c.verb->frame == "place" || c.verb->frame == "both" || c.verb->frame == "motion") {
        if (c.verb->frame == "motion" || chance(75)) c.place = &x_.nouns[pick(x_.places)];
        c.into = c.place && (c.verb->frame == "motion" || (c.verb->frame == "both" && chance(60)));
      }
      return c;
    }
  }

  Clause any_content(const std::set<std::string>& frames) {
    Clause c;
    c.verb = &verb(frames);
    c.subject = subject(*c.verb);
    if (c.verb->frame == "ditr") {
      c.objects.push_back(noun_phrase(pick(x_.recipients), true, 10));
      c.objects.push_back(noun_phrase(pick(c.verb->object_nouns), true, 25));
    } else if (!c.verb->objects.empty()) {
      c.objects.push_back(noun_phrase(pick(c.verb->object_nouns), true, 45));
    }
    return c;
  }

  void time(Clause& c, bool may_have_modal = true, bool may_be_past = true) {
    const uint64_t form = r_.below(100);
    if (form < 18 && may_have_modal)
      c.modal = form < 6 ? Modal::kann : form < 12 ? Modal::will : Modal::muss;
    else if (form < 50 && may_be_past)
      c.tense = Tense::past;
  }

  const Adverb* adverb(const Clause& c) {
    const bool past = c.tense == Tense::past;
    return &one_of(
        x_.adverbs, [&] { return &pick(x_.adverbs); }, [&](const Adverb& a) { return usable(a, past); });
  }

  // nicht beside definite objects or none; kein for an indefinite last one.
  void negate(Clause& c) {
    if (c.modal == Modal::muss) return;
    if (c.objects.empty()) {
      c.negated = true;
    } else if (NounPhrase& last = c.objects.back(); last.determiner != Determiner::definite) {
      last.determiner = Determiner::negative;
      c.negated = true;
    } else {
      c.negated = c.objects.size() == 1 || c.objects[0].determiner == Determiner::definite;
    }
  }

  void tag_clause(const Clause& c) {
    tag_phrase(c.subject);
    for (const NounPhrase& o : c.objects) tag_phrase(o);
    if (c.verb->frame == "dat" || c.verb->frame == "ditr") tag("dative_object");
    if (c.place) tag(c.into ? "place_into" : "place_in");
    if (!c.verb->prefix.empty() && c.tense == Tense::present && c.modal == Modal::none)
      tag(c.order == Order::verb_last ? "separable_subordinate" : "separable_main");
    if (c.modal != Modal::none) tag("modal");
    if (c.tense == Tense::past) tag("perfekt");
    if (c.negated)
      tag(!c.objects.empty() && c.objects.back().determiner == Determiner::negative ? "negation_kein"
                                                                                    : "negation_nicht");
    if (c.order == Order::object_first) tag("fronted_object");
    if (c.order == Order::adverb_first) tag("adverb_first");
    if (c.order == Order::question) tag("question");
    if (c.order == Order::verb_last) tag("verb_last");
  }

  // The article shows the case: den, einen, keinen; dem, einem. Only from German: English has one order for both.
  bool may_front(const Clause& c) const {
    if (!to_english_ || c.objects.size() != 1 || c.objects[0].plural || c.subject.pronoun != Pronoun::none)
      return false;
    return c.verb->frame == "dat" ? c.objects[0].noun->gender != 'f' : c.objects[0].noun->gender == 'm';
  }

  void finish(Pair& p, const Clause& c, const char* mark) {
    tag_clause(c);
    p.source = german(c) + " " + mark;
    p.target = english(c) + " " + mark;
  }

  void statement(Pair& p) {
    Clause c = content({"acc", "dat", "ditr", "place", "motion", "both"});
    const bool front = may_front(c) && chance(45), adverb_first = !front && chance(22);
    time(c, !adverb_first);  // an adverb in front and a modal never meet in training
    if (front) c.order = Order::object_first;
    if (adverb_first) c.order = Order::adverb_first;
    if (adverb_first || (!front && chance(15))) c.adverb = adverb(c);
    if (chance(35)) negate(c);
    finish(p, c, ".");
  }

  void question(Pair& p) {
    Clause c = content({"acc", "dat", "ditr", "place", "motion", "both"});
    time(c);
    c.order = Order::question;
    if (chance(10)) c.adverb = adverb(c);
    finish(p, c, "?");
  }

  // "…, weil …" after a short main clause, "… sagt, dass …"; long: both clauses with objects.
  void two_clauses(Pair& p, bool long_ones) {
    const bool because = long_ones || chance(50);
    Clause main;
    std::string de, en;
    if (because) {
      main = content(long_ones ? std::set<std::string>{"acc", "dat"} : std::set<std::string>{"place"});
      if (!long_ones) main.place = nullptr;
      tag_clause(main);
      de = german(main), en = english(main);
    } else {
      NounPhrase who = noun_phrase(pick(x_.recipients), false, 0);
      const bool thinks = chance(50);
      de = german(who, Case::nominative) +
           (thinks ? (who.plural ? " denken" : " denkt") : (who.plural ? " sagen" : " sagt"));
      en = english(who) + (thinks ? (who.plural ? " think" : " thinks") : (who.plural ? " say" : " says"));
    }
    Clause sub = content(long_ones ? std::set<std::string>{"acc", "dat"}
                                   : std::set<std::string>{"acc", "dat", "place", "motion", "both"});
    time(sub, true, because);  // dass and the Perfekt never meet in training
    sub.order = Order::verb_last;
    if (chance(25)) negate(sub);
    tag_clause(sub);
    p.source = de + (because ? " , weil " : " , dass ") + german(sub) + " .";
    p.target = en + (because ? " because " : " that ") + english(sub) + " .";
  }

  // What training never combines: an adverb in front of a modal; dass before a Perfekt.
  void structure(Pair& p) {
    if (chance(50)) {
      Clause c = content({"acc", "dat", "place", "motion", "both"});
      c.modal = chance(50) ? Modal::kann : Modal::muss;
      c.order = Order::adverb_first;
      c.adverb = adverb(c);
      finish(p, c, ".");
      return;
    }
    const NounPhrase who = noun_phrase(pick(x_.recipients), false, 0);
    Clause sub = content({"acc", "dat", "place", "motion", "both"});
    sub.tense = Tense::past;
    sub.order = Order::verb_last;
    tag_clause(sub);
    p.source = german(who, Case::nominative) + (who.plural ? " sagen" : " sagt") + " , dass " + german(sub) + " .";
    p.target = english(who) + (who.plural ? " say" : " says") + " that " + english(sub) + " .";
  }

  // "Der Tisch ist alt, aber er ist schön.": it for things and animals, whatever their gender in German.
  void anaphora(Pair& p) {
    const auto fitting = [&](const Noun& noun) -> const std::vector<size_t>& {
      return x_.fitting[static_cast<size_t>(&noun - x_.nouns.data())];
    };
    NounPhrase np;
    const Adjective *a = nullptr, *b = nullptr;
    while (a == b) {
      np.noun = &one_of(
          x_.nouns, [&] { return &pick(x_.nouns); },
          [&](const Noun& n) {
            return fitting(n).size() >= 2 && !(n.gender == 'n' && has_class(n.classes, "person"));
          });
      np.plural = chance(20);
      a = &x_.adjectives[pick(fitting(*np.noun))];
      b = &x_.adjectives[pick(fitting(*np.noun))];
    }
    const Noun& noun = *np.noun;
    const bool person = has_class(noun.classes, "person");
    hold("adjective noun", a->plain, noun.nominative);
    hold("adjective noun", b->plain, noun.nominative);
    const std::string er = np.plural ? "sie" : noun.gender == 'm' ? "er" : noun.gender == 'f' ? "sie" : "es";
    const std::string it = np.plural ? "they" : !person ? "it" : noun.gender == 'm' ? "he" : "she";
    const std::string ist = np.plural ? "sind" : "ist", is = np.plural ? "are" : "is";
    if (np.plural)
      tag("plural");
    else if (!person)
      tag("thing_pronoun");
    p.source =
        fmt::format("{} {} {} , aber {} {} {} .", german(np, Case::nominative), ist, a->plain, er, ist, b->plain);
    p.target = fmt::format("{} {} {} but {} {} {} .", english(np), is, a->english, it, is, b->english);
  }

  const Lexicon& x_;
  const bool to_english_;
  const uint64_t stream_;
  Random r_;
  std::set<std::string> tags_;
  std::vector<std::string> word_pairs_;
};

}  // namespace

std::function<PhraseDraw()> phrase_stream(const TaskOptions& options, uint64_t stream) {
  const auto lexicon = std::make_shared<Lexicon>(load_lexicon(options.lexicon));
  require_all_sentences(*lexicon, into_english(options));
  const auto sampler = std::make_shared<SentenceSampler>(*lexicon, options, stream);
  return [lexicon, sampler] { return sampler->draw(); };
}

std::vector<PhraseDraw> draw_phrases(const TaskOptions& options, uint64_t stream, int64_t count) {
  const auto draw = phrase_stream(options, stream);
  std::vector<PhraseDraw> out;
  while (static_cast<int64_t>(out.size()) < count) out.push_back(draw());
  return out;
}

}  // namespace seqgrad
