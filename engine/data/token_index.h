// Numbers of texts, by the order in which they came first.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// A table of open addressing: a look-up of a frequent token touches two lines of the cache, where a chain of nodes
// touches four that lie anywhere.
class TokenIndex {
 public:
  int32_t find(std::string_view token) const;  // -1: it is not there
  int32_t add(std::string_view token);         // its number; the next one where it is new
  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t number = -1;  // empty
  };
  size_t slot_of(std::string_view token, uint32_t hash) const;  // the one that it has, or would have
  void grow();

  std::vector<std::string> tokens_;
  std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two; half of them are empty at least
};

}  // namespace seqgrad
