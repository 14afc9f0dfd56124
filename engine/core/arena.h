// A bump allocator over device memory: rewound each step, it gives the same address to the same tensor every step.
#pragma once
#include <vector>

#include "engine/core/backend.h"

namespace seqgrad {

class Arena {
 public:
  static constexpr size_t alignment = 64;

  explicit Arena(Device device) : device_(device) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Aligned, never null, even for no bytes; contents unspecified.
  void* allocate(size_t bytes);
  void reserve(size_t bytes);  // makes sure that `bytes` fit in one block; only valid while nothing is allocated

  // A position to which the arena can be rewound; everything allocated later is gone.
  struct Mark {
    size_t block = 0, offset = 0;
    bool operator==(const Mark&) const = default;
  };
  Mark mark() const { return {block_, offset_}; }
  void rewind() { rewind(Mark{0, 0}); }
  void rewind(Mark mark) {
    block_ = mark.block;
    offset_ = mark.offset;
  }

  // Rewinds to empty and merges several blocks into one as large as all, so that the next step finds one block.
  void reset();

  size_t used() const;
  size_t capacity() const;
  size_t high_water() const { return high_water_; }
  int64_t system_allocations() const { return system_allocations_; }  // how often memory was asked of the device
  // Where its blocks lie, as a number: where that is the same, a mark is at the same address.
  uint64_t layout() const { return layout_; }

 private:
  struct Block {
    char* memory;
    size_t size;
  };
  void add_block(size_t bytes);

  Device device_;
  std::vector<Block> blocks_;
  size_t block_ = 0, offset_ = 0, high_water_ = 0;
  int64_t system_allocations_ = 0;
  uint64_t layout_ = 0;  // 0: no memory yet
};

}  // namespace seqgrad
