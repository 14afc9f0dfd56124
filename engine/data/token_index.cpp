#include "engine/data/token_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace seqgrad {

static uint32_t hash_of(std::string_view token) {
  return static_cast<uint32_t>(XXH3_64bits(token.data(), token.size()));
}

size_t TokenIndex::slot_of(std::string_view token, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].number >= 0 && (slots_[i].hash != hash || tokens_[static_cast<size_t>(slots_[i].number)] != token))
    i = (i + 1) & mask;
  return i;
}

int32_t TokenIndex::find(std::string_view token) const { return slots_[slot_of(token, hash_of(token))].number; }

int32_t TokenIndex::add(std::string_view token) {
  const uint32_t hash = hash_of(token);
  Slot& slot = slots_[slot_of(token, hash)];
  if (slot.number >= 0) return slot.number;
  const auto number = static_cast<int32_t>(tokens_.size());
  slot = {hash, number};
  tokens_.emplace_back(token);
  if (2 * tokens_.size() > slots_.size()) grow();
  return number;
}

void TokenIndex::grow() {
  std::vector<Slot> larger(2 * slots_.size());
  for (const Slot& slot : slots_) {
    if (slot.number < 0) continue;
    size_t i = slot.hash & (larger.size() - 1);
    while (larger[i].number >= 0) i = (i + 1) & (larger.size() - 1);
    larger[i] = slot;
  }
  slots_ = std::move(larger);
}

}  // namespace seqgrad
