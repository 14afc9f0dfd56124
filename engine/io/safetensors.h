// The safetensors format: named tensors in one file that any reader opens. Ours reads strictly.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/core/dtype.h"
#include "engine/core/shape.h"

namespace seqgrad {

struct NamedArray {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::string bytes;     // row-major, little-endian
  std::string stored{};  // the dtype in the file that it was read from: "BF16", where it is float32 here

  int64_t numel() const;
  template <class T>
  const T* data() const {
    if (dtype != dtype_of<T>)
      refuse("tensor '{}': expected {}, got {}", shown(name), name_of(dtype_of<T>), name_of(dtype));
    return reinterpret_cast<const T*>(bytes.data());
  }
};

template <class T>
NamedArray named_array(const std::string& name, std::vector<int64_t> shape, const T* data) {
  NamedArray a{name, dtype_of<T>, std::move(shape), {}};
  a.bytes.assign(reinterpret_cast<const char*>(data), static_cast<size_t>(a.numel()) * sizeof(T));
  return a;
}

using Metadata = std::map<std::string, std::string>;

// Written atomically, in the given order, with checksums of each tensor's bytes and of the header in the metadata. The
// names are distinct.
void write_safetensors(const std::string& path, const std::vector<NamedArray>& tensors, Metadata metadata = {});

struct SafetensorsFile {
  std::string path;
  std::vector<NamedArray> tensors;  // in the order of their bytes
  Metadata metadata;
  const NamedArray* find(const std::string& name) const;
  const NamedArray& at(const std::string& name) const;  // throws "PATH: error: tensor 'x' is missing"
};

// Refuses, naming the tensor: truncation, appended bytes, a header that lies about lengths or has more than 16 MiB,
// offsets that overlap, leave holes or run out of range, duplicate names, unknown dtypes, shapes whose product
// overflows or disagrees with the bytes, and anything that differs from its checksum (files of other writers have
// none).
SafetensorsFile read_safetensors(const std::string& path, size_t limit = size_t{16} << 30);
// The same from memory; `path` is for messages. F16 and BF16, which no tensor here has, are refused or become float32.
enum class HalfFloats { refused, widened };
SafetensorsFile parse_safetensors(const std::string& path, std::string_view bytes,
                                  HalfFloats halves = HalfFloats::refused);

}  // namespace seqgrad
