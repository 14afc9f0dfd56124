// Blocks are only ever added while a step runs; merging them is left to reset, when nothing points into them.
#include "engine/core/arena.h"

#include <algorithm>
#include <cstdint>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

constexpr size_t smallest_block = size_t{1} << 20;

}  // namespace

Arena::~Arena() {
  for (const Block& b : blocks_) backend(device_).release(b.memory, b.size);
}

void Arena::add_block(size_t bytes) {
  bytes = std::max<size_t>(1, (bytes + smallest_block - 1) / smallest_block) * smallest_block;
  blocks_.push_back({static_cast<char*>(backend(device_).allocate(bytes)), bytes});
  ++system_allocations_;
  for (const uint64_t x : {reinterpret_cast<uint64_t>(blocks_.back().memory), uint64_t{bytes}})
    layout_ = (layout_ ^ x) * 0x9E3779B97F4A7C15;
}

void* Arena::allocate(size_t bytes) {
  if (bytes > SIZE_MAX / 2) system_failure("out of memory: {} bytes asked of {}", bytes, name_of(device_));
  bytes = (bytes + alignment - 1) / alignment * alignment;
  while (block_ < blocks_.size() && blocks_[block_].size - offset_ < bytes) {
    if (block_ + 1 == blocks_.size()) add_block(std::max(bytes, capacity()));
    ++block_;
    offset_ = 0;
  }
  if (blocks_.empty()) add_block(bytes);
  char* at = blocks_[block_].memory + offset_;
  offset_ += bytes;
  high_water_ = std::max(high_water_, used());
  return at;
}

void Arena::reserve(size_t bytes) {
  if (used() != 0) refuse("arena: reserve({}) while {} bytes are in use", bytes, used());
  if (blocks_.size() == 1 && blocks_[0].size >= bytes) return;
  bytes = std::max(bytes, capacity());
  for (const Block& b : blocks_) backend(device_).release(b.memory, b.size);
  blocks_.clear();
  layout_ = 0;
  rewind();
  add_block(bytes);
}

void Arena::reset() {
  rewind();
  if (blocks_.size() > 1) reserve(capacity());
}

size_t Arena::used() const {
  size_t sum = offset_;
  for (size_t i = 0; i < block_; ++i) sum += blocks_[i].size;
  return sum;
}

size_t Arena::capacity() const {
  size_t sum = 0;
  for (const Block& b : blocks_) sum += b.size;
  return sum;
}

}  // namespace seqgrad
