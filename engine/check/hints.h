// What a difference looks like: a common factor, a shift, a sign, padding that was multiplied instead of left out.
#pragma once
#include "engine/check/compare.h"

namespace seqgrad {

std::vector<int64_t> index_of(const std::vector<int64_t>& shape, size_t place);

// ", all in sentence 2", ", all at step 3", or ", every one"; "" when nothing is common.
std::string place_of(const std::vector<int64_t>& shape, const std::vector<size_t>& failing,
                     const std::vector<std::string>& axes);

// want/got where it is the same, to 1e-5, at all failing elements, of which there are two at least; none when an
// element's want or got is 0 or not finite, or the ratio is 1.
std::optional<double> constant_ratio(const Values& got, const Values& want, const std::vector<size_t>& failing);

// All that fail are as near as numbers that float32 computed.
bool differ_as_floats(const Values& got, const Values& want, const std::vector<size_t>& failing);

// "recorded = 16/15 x seqgrad in all of them: another divisor?" and the like, or "". It says what the numbers are to
// each other, and which side has what; whose fault that is, it does not know.
std::string hint_of(const Values& got, const Values& want, const Comparison& comparison,
                    const std::vector<std::string>& axes, Sides sides = {});

}  // namespace seqgrad
