#include "engine/train/stopwatch.h"

#include <chrono>

namespace seqgrad {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace seqgrad
