// Drawing distinct sources and handing each to the split that its hash names.
#include "engine/data/split.h"

#include <unordered_set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/core/error.h"
#include "engine/data/streams.h"
#include "engine/text/numbers.h"

namespace seqgrad {

void refuse_direction_and_lexicon(const char* task, const TaskOptions& options) {
  if (!options.direction.empty())
    refuse("task {} has one direction; leave out data.direction ('{}')", task, shown(options.direction));
  if (!options.lexicon.empty())
    refuse("task {} reads no word table; leave out data.lexicon ('{}')", task, shown(options.lexicon));
}

Part part_of(std::string_view source, const SplitShares& shares) {
  const auto percent = static_cast<int>(XXH64(source.data(), source.size(), 0) % 100);
  return percent < shares.train ? Part::train : percent < shares.train + shares.dev ? Part::dev : Part::test;
}

constexpr int64_t patience = 100'000;  // draws without a new pair where one is wanted: hardly any are left

Splits draw_splits(const TaskText& task, const TaskOptions& options) {
  refuse_direction_and_lexicon(task.name, options);
  Splits splits;
  struct Slot {
    const char* name;
    std::vector<Pair>* pairs;
    int64_t wanted;
    bool full() const { return static_cast<int64_t>(pairs->size()) >= wanted; }
  };
  Slot slots[] = {{"train", &splits.train, options.train > 0 ? options.train : task.train},
                  {"dev", &splits.dev, options.dev > 0 ? options.dev : task.dev},
                  {"test", &splits.test, options.test > 0 ? options.test : task.test}};
  Random random(options.seed, streams::task);
  std::unordered_set<std::string> seen;
  for (int64_t idle = 0; !(slots[0].full() && slots[1].full() && slots[2].full());) {
    Pair pair = task.draw(random);
    const bool train_only = task.train_only && task.train_only(pair);
    Slot& slot = slots[static_cast<int>(train_only ? Part::train : part_of(pair.source, task.shares))];
    if (slot.full() || !seen.insert(pair.source).second) {
      if (++idle < patience) continue;
      for (const Slot& s : slots)
        if (!s.full())
          refuse("task {}: {} wanted, but only {} found; lower data.sizes.{}", task.name,
                 counted(s.wanted, s.name + std::string(" pair")),
                 counted(static_cast<int64_t>(s.pairs->size()), "distinct source was", "distinct sources were"),
                 s.name);
    }
    idle = 0;
    slot.pairs->push_back(std::move(pair));
  }
  return splits;
}

std::vector<Pair> draw_reported(const TaskOptions& options, int64_t count, uint64_t ordinal,
                                const std::function<Pair(Random&)>& draw) {
  Random random(options.seed, streams::task + 1 + ordinal);
  std::unordered_set<std::string> seen;
  std::vector<Pair> pairs;
  while (static_cast<int64_t>(pairs.size()) < count) {
    Pair pair = draw(random);
    if (seen.insert(pair.source).second) pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace seqgrad
