// What files and tasks hold, in a few bytes: whether a run goes on with the data that it began with.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engine/data/config.h"
#include "engine/train/loss_setup.h"

namespace seqgrad {

struct Content {
  std::string name;  // "train", "dev", "test", that of a further test set, or the key of a file of numbers
  int64_t count = 0;
  bool is_split = true;      // then `count` is of pairs, else of numbers
  std::string digits;        // 16, hexadecimal
  std::string text() const;  // "4 pairs, content 0123456789abcdef"
};

// Of the ids, weights, masks and texts of a corpus, in their order: xxHash of their little-endian bytes, each row after
// its length.
std::string fingerprint(const Corpus& corpus);

// Train, dev, test where there is one, the others by name, then what the loss has from files.
std::vector<Content> contents_of(const Data& data, const LossSetup& loss);

}  // namespace seqgrad
