// Reads TensorBoard's event files with nothing of the writer's: records, checksums and protobuf fields by hand.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/scratch.h"

struct ReadEvent {
  double wall_time = 0;
  int64_t step = 0;
  std::string version;
  bool session_start = false;
  std::vector<std::pair<std::string, float>> values;
};

namespace event_reader {

inline void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

template <class T>
T take(std::string_view& in) {
  require(in.size() >= sizeof(T), "cut off");
  T x;
  std::memcpy(&x, in.data(), sizeof x);
  in.remove_prefix(sizeof x);
  return x;
}

inline uint64_t varint(std::string_view& in) {
  uint64_t x = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<uint8_t>(in);
    x |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return x;
  }
}

struct Field {
  uint64_t number = 0, whole = 0;  // whole: a varint, or the bits of a fixed number
  std::string_view bytes;
};

inline std::vector<Field> fields(std::string_view in) {
  std::vector<Field> out;
  while (!in.empty()) {
    const uint64_t key = varint(in);
    Field f{key >> 3, 0, {}};
    if ((key & 7) == 0) f.whole = varint(in);
    if ((key & 7) == 1) f.whole = take<uint64_t>(in);
    if ((key & 7) == 5) f.whole = take<uint32_t>(in);
    if ((key & 7) == 2) {
      const uint64_t length = varint(in);
      require(length <= in.size(), "cut off");
      f.bytes = in.substr(0, length);
      in.remove_prefix(length);
    }
    out.push_back(f);
  }
  return out;
}

// Bit by bit, as the definition says.
inline uint32_t masked_crc(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78u);
  }
  crc ^= 0xFFFFFFFF;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

inline ReadEvent event(std::string_view bytes) {
  ReadEvent e;
  for (const Field& f : fields(bytes)) {
    if (f.number == 1) std::memcpy(&e.wall_time, &f.whole, sizeof e.wall_time);
    if (f.number == 2) e.step = static_cast<int64_t>(f.whole);
    if (f.number == 3) e.version = f.bytes;
    if (f.number == 7)
      for (const Field& status : fields(f.bytes)) e.session_start |= status.number == 1 && status.whole == 1;
    if (f.number != 5) continue;
    for (const Field& value : fields(f.bytes)) {
      require(value.number == 1, "not a Summary.Value");
      std::pair<std::string, float> v;
      for (const Field& part : fields(value.bytes)) {
        const auto bits = static_cast<uint32_t>(part.whole);
        if (part.number == 1) v.first = part.bytes;
        if (part.number == 2) std::memcpy(&v.second, &bits, sizeof bits);
      }
      e.values.push_back(v);
    }
  }
  return e;
}

}  // namespace event_reader

// The events of a file. With `torn`, half a record at the end is left out as readers do; else it throws, and so does a
// wrong checksum.
inline std::vector<ReadEvent> read_events(const std::filesystem::path& path, bool torn = false) {
  const std::string text = slurp(path);
  std::vector<ReadEvent> out;
  std::string_view in = text;
  while (!in.empty()) {
    uint64_t length = 0;
    if (in.size() >= 8) std::memcpy(&length, in.data(), 8);
    if (torn && (in.size() < 8 || in.size() < length + 16)) return out;
    const std::string_view head = in.substr(0, 8);
    length = event_reader::take<uint64_t>(in);
    event_reader::require(event_reader::take<uint32_t>(in) == event_reader::masked_crc(head), "checksum of the length");
    event_reader::require(length <= in.size(), "cut off");
    const std::string_view bytes = in.substr(0, length);
    in.remove_prefix(length);
    event_reader::require(event_reader::take<uint32_t>(in) == event_reader::masked_crc(bytes), "checksum of the bytes");
    out.push_back(event_reader::event(bytes));
  }
  return out;
}

// What TensorBoard shows of a directory: its files in the order of their names, without what a later start of session
// takes back.
inline std::vector<ReadEvent> shown_events(const std::filesystem::path& directory) {
  std::set<std::filesystem::path> files;
  if (std::filesystem::exists(directory))
    for (const auto& entry : std::filesystem::directory_iterator(directory)) files.insert(entry.path());
  std::vector<ReadEvent> out;
  for (const auto& file : files)
    for (const ReadEvent& e : read_events(file, true)) {
      if (e.session_start) std::erase_if(out, [&](const ReadEvent& old) { return old.step >= e.step; });
      if (!e.values.empty()) out.push_back(e);
    }
  return out;
}
