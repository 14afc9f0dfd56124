// What goes through the pipe between seqgrad and a program under test: a length in 8 bytes, little-endian, and a
// safetensors file of that length. README.md says what the frames of a conversation hold.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"

namespace seqgrad {

// The dtypes that a loss may be asked in.
enum class FloatType { f64, f32, bf16, f16 };
constexpr FloatType all_float_types[] = {FloatType::f64, FloatType::f32, FloatType::bf16, FloatType::f16};
const char* name_of(FloatType type);   // as safetensors has it: "F64"
const char* word_for(FloatType type);  // as people have it: "float64"
double rounded(double x, FloatType type);

// A tensor on its way out.
struct WireTensor {
  std::string name, type;  // "F64", "F32", "BF16", "F16", "I64" or "U8"
  std::vector<int64_t> shape;
  std::string bytes;
};
WireTensor wire_floats(const std::string& name, std::vector<int64_t> shape, std::span<const double> x, FloatType type);
WireTensor wire_ids(const std::string& name, std::vector<int64_t> shape, std::span<const int64_t> x);
WireTensor wire_mask(const std::string& name, std::vector<int64_t> shape, std::span<const uint8_t> x);

inline constexpr uint64_t most_frame_bytes = uint64_t{1} << 30;
inline constexpr size_t frame_prefix = 8;  // bytes that say how long the frame is

// With its length in front.
std::string encode_frame(const Metadata& metadata, std::span<const WireTensor> tensors);

// The length that the first 8 bytes announce. Throws InputError for more than most_frame_bytes, and says what it is
// where that is text that somebody printed.
uint64_t frame_length(std::string_view prefix);

// How many characters of plain text the bytes begin with: what somebody printed where a frame belongs.
size_t text_in_front(std::string_view bytes);

// Without its length; half floats are widened to float32. Throws InputError, which says what is wrong with "it".
SafetensorsFile decode_frame(std::string_view bytes);

}  // namespace seqgrad
