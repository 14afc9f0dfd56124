// The numbers that a step reads on its device and that differ from step to step: ids, lengths, coefficients, rates.
#pragma once
#include <span>
#include <type_traits>
#include <vector>

#include "engine/core/tape.h"

namespace seqgrad {

// They are added one after the other, always in the same order, before the step runs, and copied to the device at once.
// A step of the same sizes on a tape that was just reset then finds them at the same addresses.
class StepInputs {
 public:
  struct Slot {
    void* data;  // in the current tape's memory of the device
    size_t bytes;
    Bounds bounds;  // of ids and lengths
  };

  explicit StepInputs(Device device) : device_(device) {}
  StepInputs(const StepInputs&) = delete;
  StepInputs& operator=(const StepInputs&) = delete;

  // Where the device will find a copy of `values` once upload() has run. The caller may change them at once.
  template <class T>
  const T* add(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return static_cast<const T*>(add(values.data(), values.size_bytes(), {}));
  }
  Tensor add(std::span<const int32_t> values, Shape shape);

  void upload();

  Device device() const { return device_; }
  const std::vector<Slot>& slots() const { return slots_; }

 private:
  void* add(const void* values, size_t bytes, Bounds bounds);

  Device device_;
  std::vector<Slot> slots_;
  std::vector<char> bytes_;  // of all slots, each rounded up to the arena's alignment
};

}  // namespace seqgrad
