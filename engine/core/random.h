// Counter-based random numbers: every draw is a function of (seed, stream, position), so resuming restores them.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include "engine/core/host_device.h"

namespace seqgrad {

// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
SEQGRAD_HD inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// A sequential reader of one stream; two streams of one seed never overlap.
class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  uint64_t next() {
    if (have_ == 0) {
      const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
      const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
      const auto r = philox({low(position_), high(position_), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
      words_ = {(uint64_t{r[1]} << 32) | r[0], (uint64_t{r[3]} << 32) | r[2]};
      have_ = 2;
      ++position_;
    }
    return words_[2 - have_--];
  }

  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)

  uint64_t below(uint64_t n) {  // [0, n), unbiased by rejection; n > 0
    const uint64_t limit = -n % n;
    for (;;) {
      const uint64_t x = next();
      if (x >= limit) return x % n;
    }
  }

  double normal() {  // Box-Muller; the second value is dropped to keep one draw a fixed number of words
    const double u = 1.0 - uniform(), v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

  template <class Container>
  void shuffle(Container& items) {  // Fisher-Yates
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  uint64_t seed_, stream_, position_ = 0;
  std::array<uint64_t, 2> words_{};
  int have_ = 0;
};

}  // namespace seqgrad
