// How near two words are.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// The fewest insertions, deletions, replacements and swaps of neighbouring bytes that make `b` of `a`, where what was
// swapped is not touched again (optimal string alignment; Damerau 1964).
size_t edit_distance(std::string_view a, std::string_view b);

// A name without what spellings of it differ in: letters of ASCII in lower case, and no '_', '-', '.' or blank.
// learningRate, learning-rate and Learning_Rate are one.
std::string folded(std::string_view name);

// How far apart two folded names may be so that one is a slip of the other: 1 for short words, a third of long ones.
size_t largest_slip(size_t letters);

// The name that `word` is a slip of, or "": first one that differs in spelling only (`folded`), then the nearest by
// edit distance. Words of more than 60 bytes are nobody's slip.
std::string closest(const std::string& word, const std::vector<std::string>& names);

}  // namespace seqgrad
