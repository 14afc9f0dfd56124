// Sentence pairs as text, with the numbers that weigh them: from two files, from one TSV, or from a built-in task.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/odd_text.h"
#include "engine/data/pairs.h"

namespace seqgrad {

// What every line of text goes through before anything else sees it: training, dev, test, what is translated.
struct TextForm {
  std::optional<Form> form;  // of Unicode; none: as it stands
  bool lowercase = false;
  std::string operator()(std::string_view line) const;
};

struct Skipped {
  int64_t blank = 0;                    // no character that anyone sees, on either side
  int64_t too_long = 0;                 // more than max_length tokens, on either side
  std::vector<int64_t> too_long_lines;  // the first few of these, from 1
  int64_t total() const { return blank + too_long; }
  void add_too_long(int64_t line);
  std::string text() const;  // "1 blank, 2 too long (lines 3, 9)"
};

struct ParallelText {
  std::string name;  // "train", for messages
  std::string path;  // of the file with the targets; "" where a task made them
  Pairs pairs;
  std::vector<int64_t> lines;                     // of each pair in its file, from 1
  std::vector<double> example_weight;             // empty, or one a pair
  bool weight_column = false;                     // that they stand in, in the text itself
  std::vector<std::vector<double>> token_weight;  // empty, or for each pair one a target unit and one for its end
  std::vector<std::vector<uint8_t>> mask;         // the same, 0 or 1
  Skipped skipped;
  OddText odd;                                // in the files
  std::string place(int64_t line) const;      // "train.en:3", or "train, line 3"
  void select(std::span<const size_t> rows);  // those pairs with what is known of them, in that order
};

struct TextFiles {
  std::string source, target;  // two files of equally many lines
  std::string tsv;             // or one: source, target and, in every line or in none, an example weight
};

struct WeightFiles {
  std::string example;  // one number a line
  std::string token;    // numbers separated by spaces: one a target unit, one for the end of the sentence
  std::string mask;     // the same, 0 or 1
};

// How many units a target line has, for the counts in token weight and mask files (TokenizerKind::length).
using UnitCount = std::function<int64_t(std::string_view)>;

// Every line of the files, blank ones too, in the form `form`. Refused, with file and line: line counts that differ,
// invalid UTF-8, columns that are not two or two and a weight, numbers that are not finite, and rows of another length
// than their target.
ParallelText read_parallel_text(const std::string& name, const TextFiles& files, const WeightFiles& weights,
                                const UnitCount& units, const TextForm& form = {});

// The lines of one file of text; what is odd in it is counted once, however many splits it is.
std::vector<std::string> read_text(const std::string& path, OddText& odd);

// Of two files that are read line by line together: throws InputError that names both.
[[noreturn]] void refuse_line_counts(const std::string& one, size_t lines, const std::string& other, size_t wanted);

ParallelText text_of_task(const std::string& name, const std::vector<Pair>& pairs, const TextForm& form = {});

// For training: drops blank pairs and, where max_length > 0, those with more units than that on a side. Nothing left is
// refused.
void drop_unusable(ParallelText& text, int64_t max_length, const UnitCount& source_units,
                   const UnitCount& target_units);

// For everything else, where each line is scored: refuses a text of which every pair is blank on a side.
void require_words(const ParallelText& text);

// Gives round(share·N) pairs the target of another one and multiplies their example weight (1 without one) by `weight`.
// Which pairs: a function of the seed.
void corrupt_targets(ParallelText& text, double share, double weight, uint64_t seed);

}  // namespace seqgrad
