// Lines as ids.
#pragma once
#include <functional>
#include <memory>

#include "engine/data/word_lines.h"

namespace seqgrad {

// The ids of lines are not kept: those of each word are, and a line is put together when it is asked for.
class EncodedLines {
 public:
  EncodedLines() = default;
  // `encode` gives the ids of a word or a space; those of a line are those of its words and of the spaces between
  // (TokenizerKind). A blank line has none.
  EncodedLines(std::shared_ptr<const WordLines> lines,
               const std::function<std::vector<int32_t>(std::string_view)>& encode);

  int64_t size() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t length(int64_t row) const { return lengths_[static_cast<size_t>(row)]; }  // in ids
  std::vector<int32_t> operator[](int64_t row) const;
  int64_t tokens() const { return tokens_; }    // ids of all lines
  int64_t unknown() const { return unknown_; }  // those of them that are unk_id

 private:
  std::shared_ptr<const WordLines> lines_;
  Ragged<int32_t> of_word_;
  std::vector<int32_t> of_space_, lengths_;
  int64_t tokens_ = 0, unknown_ = 0;
};

}  // namespace seqgrad
