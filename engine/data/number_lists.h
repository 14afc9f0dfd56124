// Lists of the numbers 0 to 49 as text: the sources of copy, reverse and sort.
#pragma once
#include <string>
#include <vector>

#include "engine/data/split.h"

namespace seqgrad {

constexpr int number_list_longest = 25;

std::vector<int> numbers_of(const std::string& text);  // "3 17 0" -> {3, 17, 0}
std::string text_of(const std::vector<int>& numbers);

// Splits of lists of 1 to 25 numbers, any of 0 to 49, with length and numbers uniform; lists of one number, of which
// there are only 50, are train only. `reported` adds sets of the lengths 30 and 50.
Splits number_list_splits(const char* name, const TaskOptions& options, std::vector<int> (*rewrite)(std::vector<int>),
                          bool reported);

}  // namespace seqgrad
