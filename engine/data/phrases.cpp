// The task `phrases`: what is drawn, which splits a sentence may enter, and the phenomena it shows.
#include "engine/data/phrases.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "engine/core/error.h"
#include "engine/core/random.h"
#include "engine/data/baselines.h"
#include "engine/data/phrases_grammar.h"
#include "engine/data/streams.h"
#include "engine/data/task.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace seqgrad {
namespace {

using namespace phrases;

enum class Held { train, dev, test };

// 10 % of the pairs of words are kept for test and 5 % for dev, by a hash of the two words alone.
Held held_pair(const std::string& pair) {
  const uint64_t h = XXH64(pair.data(), pair.size(), 0) % 100;
  return h < 10 ? Held::test : h < 15 ? Held::dev : Held::train;
}

// A sentence with a pair kept for test is for test only.
Held held(const PhraseDraw& drawn) {
  Held most = Held::train;
  for (const std::string& pair : drawn.word_pairs) most = std::max(most, held_pair(pair));
  return most;
}

class Speaker {
 public:
  Speaker(const Lexicon& lexicon, bool to_english, Random random) : x_(lexicon), to_english_(to_english), r_(random) {}

  enum class Kind { usual, structure, length };

  PhraseDraw draw(Kind kind) {
    tags_.clear();
    word_pairs_.clear();
    Pair p;
    const uint64_t form = r_.below(100);
    if (kind == Kind::length)
      two_clauses(p, true);
    else if (kind == Kind::structure)
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
    if (chance(22) && std::find(v.subjects.begin(), v.subjects.end(), "person") != v.subjects.end()) {
      static const Pronoun all[] = {Pronoun::ich, Pronoun::du,  Pronoun::er,
                                    Pronoun::sie, Pronoun::wir, Pronoun::sie_plural};
      np.pronoun = all[r_.below(6)];
      return np;
    }
    np = noun_phrase(pick(v.subject_nouns), chance(50), 30);
    hold("subject verb", np.noun->nominative, v.infinitive);
    return np;
  }

  const Verb& verb(const std::set<std::string>& frames) {
    for (;;) {
      const Verb& v = pick(x_.verbs);
      // Separable verbs and ways into places are few; they are drawn more often than their share.
      if (v.prefix.empty() && v.frame != "motion" && v.frame != "both" && chance(35)) continue;
      // From English, a past that looks like the present could mean either.
      if (frames.count(v.frame) && (to_english_ || v.en != v.en_past)) return v;
    }
  }

  // A clause without order and tense.
  Clause content(const std::set<std::string>& frames) {
    Clause c;
    c.verb = &verb(frames);
    c.subject = subject(*c.verb);
    if (c.verb->frame == "ditr") {
      c.objects.push_back(noun_phrase(pick(x_.recipients), true, 10));
      c.objects.push_back(noun_phrase(pick(c.verb->object_nouns), true, 25));
    } else if (!c.verb->objects.empty()) {
      c.objects.push_back(noun_phrase(pick(c.verb->object_nouns), true, 45));
    }
    for (const NounPhrase& o : c.objects)  // nobody washes himself here: the two are different words
      if (c.subject.noun == o.noun || (c.objects.size() == 2 && c.objects[0].noun == c.objects[1].noun))
        return content(frames);
    for (size_t i = 0; i < c.objects.size(); ++i)
      if (!(c.verb->frame == "ditr" && i == 0)) hold("verb object", c.verb->infinitive, c.objects[i].noun->nominative);
    if (c.verb->frame == "place" || c.verb->frame == "both" || c.verb->frame == "motion") {
      if (c.verb->frame == "motion" || chance(75)) c.place = &x_.nouns[pick(x_.places)];
      c.into = c.place && (c.verb->frame == "motion" || (c.verb->frame == "both" && chance(60)));
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
    for (;;) {
      const Adverb& a = pick(x_.adverbs);
      if (a.tense == "any" || (a.tense == "past") == (c.tense == Tense::past)) return &a;
    }
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
    for (;;) {
      const size_t n = r_.below(x_.nouns.size());
      const Noun& noun = x_.nouns[n];
      const bool person = noun.classes[0] == "person";
      if (x_.fitting[n].size() < 2 || (person && noun.gender == 'n')) continue;
      NounPhrase np;
      np.noun = &noun;
      np.plural = chance(20);
      const Adjective &a = x_.adjectives[pick(x_.fitting[n])], &b = x_.adjectives[pick(x_.fitting[n])];
      if (&a == &b) continue;
      hold("adjective noun", a.plain, noun.nominative);
      hold("adjective noun", b.plain, noun.nominative);
      const std::string er = np.plural ? "sie" : noun.gender == 'm' ? "er" : noun.gender == 'f' ? "sie" : "es";
      const std::string it = np.plural ? "they" : !person ? "it" : noun.gender == 'm' ? "he" : "she";
      const std::string ist = np.plural ? "sind" : "ist", is = np.plural ? "are" : "is";
      if (np.plural)
        tag("plural");
      else if (!person)
        tag("thing_pronoun");
      p.source =
          fmt::format("{} {} {} , aber {} {} {} .", german(np, Case::nominative), ist, a.plain, er, ist, b.plain);
      p.target = fmt::format("{} {} {} but {} {} {} .", english(np), is, a.english, it, is, b.english);
      return;
    }
  }

  const Lexicon& x_;
  const bool to_english_;
  Random r_;
  std::set<std::string> tags_;
  std::vector<std::string> word_pairs_;
};

std::vector<std::string> tokens(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// Sentences all of whose words are frequent enough in training.
class Known {
 public:
  explicit Known(const std::vector<Pair>& train) {
    for (const Pair& p : train)
      for (const std::string* side : {&p.source, &p.target})
        for (const std::string& t : tokens(*side)) ++count_[(side == &p.source ? "s " : "t ") + t];
  }
  bool knows(const Pair& p, int least) const {
    for (const std::string* side : {&p.source, &p.target})
      for (const std::string& t : tokens(*side)) {
        const auto found = count_.find((side == &p.source ? "s " : "t ") + t);
        if (found == count_.end() || found->second < least) return false;
      }
    return true;
  }

 private:
  std::unordered_map<std::string, int> count_;
};

Splits make_phrases(const TaskOptions& options) {
  if (!options.direction.empty() && options.direction != "de-en" && options.direction != "en-de")
    refuse("data.direction: expected de-en or en-de, got '{}'", shown(options.direction));
  const Lexicon lexicon = load_lexicon(options.lexicon);
  const bool to_english = options.direction != "en-de";
  const auto size = [](int64_t asked, int64_t own) { return static_cast<size_t>(asked > 0 ? asked : own); };
  const size_t train = size(options.train, 20000), dev = size(options.dev, 1000), test = size(options.test, 2000);
  Splits s;
  std::unordered_set<std::string> seen;
  const auto fill = [&](std::vector<Pair>& out, size_t want, Speaker::Kind kind, uint64_t stream,
                        const std::function<bool(const PhraseDraw&)>& accept) {
    Speaker speaker(lexicon, to_english, Random(options.seed, streams::task + stream));
    for (uint64_t tries = 0; out.size() < want; ++tries) {
      if (tries > 200 * (want + 1000))
        refuse("data.sizes: the grammar does not give {} different sentences for one split", want);
      PhraseDraw drawn = speaker.draw(kind);
      if (accept(drawn) && seen.insert(drawn.pair.source).second) out.push_back(std::move(drawn.pair));
    }
  };
  fill(s.train, train, Speaker::Kind::usual, 0, [](const PhraseDraw& x) { return held(x) == Held::train; });
  const Known known(s.train);
  // With few training sentences no word occurs often: then at least once must do.
  const int least = train >= 10000 ? 20 : 1;
  const auto kept_for = [&](Held which) {
    return [&, which](const PhraseDraw& x) { return held(x) == which && known.knows(x.pair, least); };
  };
  fill(s.dev, dev, Speaker::Kind::usual, 1, kept_for(Held::dev));
  fill(s.test, test, Speaker::Kind::usual, 2, kept_for(Held::test));
  const auto any = [&](const PhraseDraw& x) { return known.knows(x.pair, least); };
  fill(s.reported["test_structure"], 300, Speaker::Kind::structure, 3, any);
  fill(s.reported["test_long"], 300, Speaker::Kind::length, 4, any);
  return s;
}

std::string title(const TaskOptions& o) { return o.direction == "en-de" ? "English -> German" : "German -> English"; }

std::vector<std::pair<std::string, double>> shares(const TaskOptions& o, const std::vector<Pair>& train,
                                                   const std::vector<Pair>& test) {
  const Baselines b = baselines(o.lexicon, o.direction, train, test);
  return {{"dictionary word by word", b.dictionary}, {"nearest training sentence", b.nearest}};
}

const bool registered =
    register_task({"phrases", "a German-English toy language from one bilingual grammar; data.direction de-en or en-de",
                   "word", make_phrases, title, ", each with a word pair never seen in training", true, shares});

}  // namespace

std::vector<PhraseDraw> draw_phrases(const TaskOptions& options, uint64_t stream, int64_t count) {
  const Lexicon lexicon = load_lexicon(options.lexicon);
  Speaker speaker(lexicon, options.direction != "en-de", Random(options.seed, streams::task + stream));
  std::vector<PhraseDraw> out;
  while (static_cast<int64_t>(out.size()) < count) out.push_back(speaker.draw(Speaker::Kind::usual));
  return out;
}

}  // namespace seqgrad
