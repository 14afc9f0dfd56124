// What a split holds, in a few bytes: whether a run goes on with the data that it began with.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/data/config.h"

namespace seqgrad {

struct SplitContent {
  std::string name;  // "train", "dev", "test", or that of a further test set
  int64_t pairs = 0;
  std::string content;  // 16 hexadecimal digits
  bool operator==(const SplitContent&) const = default;
};

// Of the ids, weights, masks and texts of a corpus, in their order: xxHash of their little-endian bytes, each row after
// its length.
std::string fingerprint(const Corpus& corpus);

std::vector<SplitContent> contents_of(
    const Data& data);  // train, dev, test where there is one, then the others by name

}  // namespace seqgrad
