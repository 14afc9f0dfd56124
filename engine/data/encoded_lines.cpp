// Counting ids line by line, and putting them together.
#include "engine/data/encoded_lines.h"

#include <algorithm>

#include "engine/data/odd_text.h"
#include "engine/data/vocabulary.h"

namespace seqgrad {

static int64_t unknown_in(std::span<const int32_t> ids) { return std::count(ids.begin(), ids.end(), +unk_id); }

EncodedLines::EncodedLines(std::shared_ptr<const WordLines> lines,
                           const std::function<std::vector<int32_t>(std::string_view)>& encode)
    : lines_(std::move(lines)), of_space_(encode(" ")) {
  std::vector<int64_t> unknown;
  std::vector<bool> seen;  // whether a word has anything that can be seen
  for (const std::string& word : lines_->words()) {
    of_word_.push_back(encode(word));
    unknown.push_back(unknown_in(of_word_[of_word_.size() - 1]));
    seen.push_back(!blank(word));
  }
  const auto spaced = static_cast<int64_t>(of_space_.size()), unknown_spaced = unknown_in(of_space_);
  for (int64_t row = 0; row < lines_->size(); ++row) {
    int64_t length = -spaced, unknown_here = -unknown_spaced;  // one space fewer than words
    bool any = false;
    lines_->for_each_number(row, [&](size_t number) {
      length += of_word_.length(static_cast<int64_t>(number)) + spaced;
      unknown_here += unknown[number] + unknown_spaced;
      any = any || seen[number];
    });
    lengths_.push_back(any ? static_cast<int32_t>(length) : 0);
    tokens_ += lengths_.back();
    if (any) unknown_ += unknown_here;
  }
}

std::vector<int32_t> EncodedLines::operator[](int64_t row) const {
  std::vector<int32_t> ids;
  if (length(row) == 0) return ids;
  ids.reserve(static_cast<size_t>(length(row)) + of_space_.size());
  lines_->for_each_number(row, [&](size_t number) {
    const std::span<const int32_t> of_word = of_word_[static_cast<int64_t>(number)];
    ids.insert(ids.end(), of_word.begin(), of_word.end());
    ids.insert(ids.end(), of_space_.begin(), of_space_.end());
  });
  ids.resize(static_cast<size_t>(length(row)));  // no space after the last word
  return ids;
}

}  // namespace seqgrad
