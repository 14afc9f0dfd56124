// The task `phrases`: which splits a sentence may enter.
#include "engine/data/phrases.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "engine/core/error.h"
#include "engine/data/baselines.h"
#include "engine/data/task.h"
#include "engine/text/numbers.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace seqgrad {
namespace {

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

// Distinct sentences of one split after the other; a source that stands in one is in no later one.
class Collector {
 public:
  explicit Collector(const TaskOptions& options) : options_(options) {}

  template <class Accept>
  void fill(std::vector<Pair>& out, const std::string& split, size_t want, uint64_t stream, const Accept& accept) {
    const auto draw = phrase_stream(options_, stream);
    constexpr int64_t patience = 20'000;  // draws without a new sentence: hardly any are left
    for (int64_t idle = 0; out.size() < want;) {
      PhraseDraw drawn = draw();
      if (accept(drawn) && seen_.insert(drawn.pair.source).second) {
        out.push_back(std::move(drawn.pair));
        idle = 0;
      } else if (++idle == patience) {
        const bool sized = stream <= 2 && !out.empty();
        refuse("{}: error: {} wanted for {}, and this word table gives {}{}; add words{}", shown_path(options_.lexicon),
               counted(static_cast<int64_t>(want), "sentence"), split, out.size(),
               stream == 0 ? "" : " of words that training has", sized ? " or lower data.sizes." + split : "");
      }
    }
  }

 private:
  const TaskOptions& options_;
  std::unordered_set<std::string> seen_;
};

Splits make_phrases(const TaskOptions& options) {
  if (!options.direction.empty() && options.direction != "de-en" && options.direction != "en-de")
    refuse("data.direction: expected de-en or en-de, got '{}'", shown(options.direction));
  const auto size = [](int64_t asked, int64_t own) { return static_cast<size_t>(asked > 0 ? asked : own); };
  const size_t train = size(options.train, 20000), dev = size(options.dev, 1000), test = size(options.test, 2000);
  Splits s;
  Collector collector(options);
  collector.fill(s.train, "train", train, 0, [](const PhraseDraw& x) { return held(x) == Held::train; });
  const Known known(s.train);
  // With few training sentences no word occurs often: then at least once must do.
  const int least = train >= 10000 ? 20 : 1;
  const auto kept_for = [&](Held which) {
    return [&, which](const PhraseDraw& x) { return held(x) == which && known.knows(x.pair, least); };
  };
  collector.fill(s.dev, "dev", dev, 1, kept_for(Held::dev));
  collector.fill(s.test, "test", test, 2, kept_for(Held::test));
  const auto any = [&](const PhraseDraw& x) { return known.knows(x.pair, least); };
  collector.fill(s.reported["test_structure"], "test_structure", 300, 3, any);
  collector.fill(s.reported["test_long"], "test_long", 300, 4, any);
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
}  // namespace seqgrad
