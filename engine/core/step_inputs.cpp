// Slots that follow each other in memory, as an arena gives them, are one copy.
#include "engine/core/step_inputs.h"

#include <cstring>

namespace seqgrad {
namespace {

size_t rounded(size_t bytes) { return (bytes + Arena::alignment - 1) / Arena::alignment * Arena::alignment; }

}  // namespace

void* StepInputs::add(const void* values, size_t bytes, Bounds bounds) {
  void* data = Tape::current().scratch(bytes, device_);
  slots_.push_back({data, bytes, bounds});
  const size_t at = bytes_.size();
  bytes_.resize(at + rounded(bytes));
  if (bytes > 0) std::memcpy(bytes_.data() + at, values, bytes);
  return data;
}

Tensor StepInputs::add(std::span<const int32_t> values, Shape shape) {
  if (static_cast<int64_t>(values.size()) != shape.numel())
    refuse("{} values do not fill a tensor of shape {}", values.size(), shape.str());
  Tensor t = wrap(static_cast<int32_t*>(add(values.data(), values.size_bytes(), bounds_of(values))), shape, device_);
  t.epoch = Tape::current().epoch(device_);
  t.bounds = slots_.back().bounds;
  return t;
}

void StepInputs::upload() {
  size_t at = 0;  // in bytes_
  for (size_t i = 0; i < slots_.size();) {
    char* const first = static_cast<char*>(slots_[i].data);
    size_t bytes = 0;
    for (; i < slots_.size() && slots_[i].data == first + bytes; ++i) bytes += rounded(slots_[i].bytes);
    backend(device_).upload(first, bytes_.data() + at, bytes);
    at += bytes;
  }
}

}  // namespace seqgrad
