// The file is written here and not by write_safetensors: no checksums, which would be metadata to other readers.
#include "engine/conform/frame.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/io/half_floats.h"

namespace seqgrad {
namespace {

template <class T>
std::string raw(std::span<const T> x) {
  return {reinterpret_cast<const char*>(x.data()), x.size() * sizeof(T)};
}

std::string length_bytes(uint64_t length) {
  std::string out(frame_prefix, '\0');
  for (size_t i = 0; i < frame_prefix; ++i) out[i] = static_cast<char>(length >> (8 * i) & 0xff);
  return out;
}

std::string float_bytes(std::span<const double> x, FloatType type) {
  if (type == FloatType::f64) return raw(x);
  if (type == FloatType::f32) return raw(std::span<const float>(std::vector<float>(x.begin(), x.end())));
  const HalfKind kind = type == FloatType::f16 ? HalfKind::f16 : HalfKind::bf16;
  std::vector<uint16_t> half(x.size());
  std::transform(x.begin(), x.end(), half.begin(), [&](double value) { return to_half(value, kind); });
  return raw(std::span<const uint16_t>(half));
}

}  // namespace

const char* name_of(FloatType type) {
  constexpr const char* names[] = {"F64", "F32", "BF16", "F16"};
  return names[static_cast<int>(type)];
}

const char* word_for(FloatType type) {
  constexpr const char* words[] = {"float64", "float32", "bfloat16", "float16"};
  return words[static_cast<int>(type)];
}

double rounded(double x, FloatType type) {
  if (type == FloatType::f64) return x;
  if (type == FloatType::f32) return static_cast<float>(x);
  const HalfKind kind = type == FloatType::f16 ? HalfKind::f16 : HalfKind::bf16;
  return from_half(to_half(x, kind), kind);
}

WireTensor wire_floats(const std::string& name, std::vector<int64_t> shape, std::span<const double> x, FloatType type) {
  return {name, name_of(type), std::move(shape), float_bytes(x, type)};
}
WireTensor wire_ids(const std::string& name, std::vector<int64_t> shape, std::span<const int64_t> x) {
  return {name, "I64", std::move(shape), raw(x)};
}
WireTensor wire_mask(const std::string& name, std::vector<int64_t> shape, std::span<const uint8_t> x) {
  return {name, "U8", std::move(shape), raw(x)};
}

std::string encode_frame(const Metadata& metadata, std::span<const WireTensor> tensors) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const WireTensor& t : tensors) {
    header[t.name] = {{"dtype", t.type}, {"shape", t.shape}, {"data_offsets", {offset, offset + t.bytes.size()}}};
    offset += t.bytes.size();
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string out = length_bytes(8 + text.size() + offset) + length_bytes(text.size()) + text;
  for (const WireTensor& t : tensors) out += t.bytes;
  return out;
}

size_t text_in_front(std::string_view bytes) {
  const auto other = std::find_if(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x7F || (byte < 0x20 && (byte == 0 || !std::strchr("\n\r\t\x1b", c)));
  });
  return static_cast<size_t>(other - bytes.begin());
}

uint64_t frame_length(std::string_view prefix) {
  uint64_t length = 0;
  for (size_t i = 0; i < frame_prefix; ++i) length |= uint64_t{static_cast<unsigned char>(prefix[i])} << (8 * i);
  if (length <= most_frame_bytes) return length;
  if (const size_t text = text_in_front(prefix); text > 1)
    refuse("text instead of a frame: '{}'; nothing but frames may go to standard output, prints go to standard error",
           shown(prefix.substr(0, text)));
  refuse("the beginning of a frame of {} bytes; at most {} are read", length, most_frame_bytes);
}

SafetensorsFile decode_frame(std::string_view bytes) try {
  return parse_safetensors("frame", bytes, HalfFloats::widened);
} catch (const InputError& e) {
  const std::string_view text = e.what(), before = "frame: error: ";
  refuse("it is no safetensors file: {}", text.starts_with(before) ? text.substr(before.size()) : text);
}

}  // namespace seqgrad
