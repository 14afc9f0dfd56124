// Numbers of the random streams that data draws from, so that no two uses of one seed share draws.
#pragma once
#include <cstdint>

namespace seqgrad::streams {

constexpr uint64_t task = uint64_t{1} << 32;
constexpr uint64_t corrupt = uint64_t{2} << 32;
constexpr uint64_t shuffle = uint64_t{3} << 32;  // plus the epoch

}  // namespace seqgrad::streams
