// Round after round, so that memory is bounded and pieces of a round, which stand together, take like long.
#include "engine/comm/deal.h"

#include <algorithm>

namespace seqgrad {

void deal(Processes& processes, size_t count, const std::function<Bytes(size_t)>& compute,
          const std::function<void(size_t, const Bytes&)>& take) {
  const auto at_once = static_cast<size_t>(processes.count());
  for (size_t begin = 0; begin < count; begin += at_once) {
    const size_t end = std::min(count, begin + at_once), mine = begin + static_cast<size_t>(processes.rank());
    const auto round = gather_together(processes, [&] { return mine < end ? compute(mine) : Bytes(); });
    for (size_t i = begin; i < end; ++i) take(i, round[i - begin]);
  }
}

}  // namespace seqgrad
