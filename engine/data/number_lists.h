// Lists of the numbers 0 to 49 as text: the pairs of copy, reverse and sort.
#pragma once
#include <vector>

#include "engine/data/task.h"

namespace seqgrad {

// Splits of lists of 1 to 25 numbers, any of 0 to 49, with length and numbers uniform, and what `rewrite` makes of
// them. Lists of one number, of which there are only 50, are train only. `reported` adds sets of the lengths 30 and 50.
Splits number_list_splits(const char* name, const TaskOptions& options, std::vector<int> (*rewrite)(std::vector<int>),
                          bool reported);

}  // namespace seqgrad
