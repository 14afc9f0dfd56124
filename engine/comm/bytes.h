// Values as the bytes that processes of one program hand each other.
#pragma once
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/core/error.h"

namespace seqgrad {

using Bytes = std::vector<std::byte>;

class ByteWriter {
 public:
  template <class T>
  void add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    add_bytes(std::as_bytes(std::span(&value, 1)));
  }
  // How many, then all of them.
  template <class T>
  void add_all(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    add(values.size());
    add_bytes(std::as_bytes(values));
  }
  template <class T>
  void add_all(const std::vector<T>& values) {
    add_all(std::span<const T>(values));
  }
  void add_all(std::string_view text) { add_all(std::span<const char>(text)); }
  Bytes take() { return std::move(out_); }

 private:
  void add_bytes(std::span<const std::byte> bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  Bytes out_;
};

// Reads what a ByteWriter wrote, in the same order; InputError where that is not there.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <class T>
  T next() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  template <class T>
  std::vector<T> next_all() {
    const auto count = next<size_t>();
    if (count > rest_.size() / sizeof(T)) refuse("a message of another process ends early");
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), take(count * sizeof(T)).data(), count * sizeof(T));
    return values;
  }
  std::string next_text() {
    const std::vector<char> text = next_all<char>();
    return {text.begin(), text.end()};
  }

 private:
  std::span<const std::byte> take(size_t size) {
    if (size > rest_.size()) refuse("a message of another process ends early");
    const auto out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }

  std::span<const std::byte> rest_;
};

}  // namespace seqgrad
