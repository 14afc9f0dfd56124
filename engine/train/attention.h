// Where translations looked: attention as heat maps, and the page that `translate --attention` writes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/tokenizer.h"
#include "engine/html/heat_map.h"
#include "engine/train/model.h"

namespace seqgrad {

// How such a map reads.
constexpr const char* attention_words =
    "A row for each word that was written, a column for each word of the source. A cell tells in per cent how much the "
    "row's word looked at the column's.";

// A row for each word of the translation and, unless it was cut off, one for its end, a column for each token of the
// source. The hypothesis comes from DecodeOptions::attention, of a source of those tokens.
HeatMap attention_map(const std::vector<std::string>& source, const Hypothesis& hypothesis, const Vocabulary& target);

// One heat map a sentence; of a long text the first `most` sentences, and a line says so.
class AttentionPage {
 public:
  static constexpr int64_t most = 200;
  // SystemError when a file cannot be made there: before the work, not after it.
  explicit AttentionPage(std::string path);
  void add(int64_t line, const std::string& source, const std::string& translation, const HeatMap& map);
  void write() const;

 private:
  std::string path_, body_;
  int64_t sentences_ = 0;
};

}  // namespace seqgrad
