// Tokens and their ids.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/data/token_index.h"

namespace seqgrad {

// Control ids. No text can produce them: `<s>` in a line is an ordinary token that happens to look like one.
enum SpecialId : int32_t { pad_id = 0, bos_id = 1, eos_id = 2, unk_id = 3, special_ids = 4 };

// A text that stands `count` times in what a vocabulary is learned from.
struct CountedText {
  std::string_view text;
  int64_t count = 1;
};

struct TokenCounts {
  TokenIndex index;
  std::vector<int64_t> counts;  // of each token of the index
};
void add(TokenCounts& counts, std::string_view token, int64_t times = 1);
// Those that occur at least `min_frequency` times, the most frequent first, equals in the order of their bytes. They
// are views of the tokens of `counts`.
std::vector<std::pair<std::string_view, int64_t>> by_frequency(const TokenCounts& counts, int64_t min_frequency);

class Vocabulary {
 public:
  Vocabulary() : Vocabulary(std::vector<std::string>{}) {}
  // Ordinary tokens in the order of their ids, the first of which is special_ids. A token given twice is refused.
  explicit Vocabulary(const std::vector<std::string>& tokens);

  // The most frequent tokens first, equals in the order of their bytes; none rarer than `min_frequency`, and no more
  // than `max_size` ids, specials included (0: no limit).
  static Vocabulary build(const TokenCounts& counts, int64_t max_size, int64_t min_frequency);

  int64_t size() const { return special_ids + static_cast<int64_t>(ordinary().size()); }
  int32_t id(std::string_view token) const;  // unk_id for one that is not known
  std::string_view token(int32_t id) const;  // a special as people write it: "<s>"
  const std::vector<std::string>& ordinary() const { return index_.tokens(); }
  size_t longest() const { return longest_; }  // bytes of a token

  // Up to `count` known tokens that differ least from `word` (letters inserted, deleted, changed or swapped with their
  // neighbour; 1 to 3 of them, by the word's length), nearest first, equals by frequency.
  std::vector<std::string> nearest(std::string_view word, size_t count = 3) const;

 private:
  TokenIndex index_;
  size_t longest_ = 0;
};

}  // namespace seqgrad
