// The messages Event, Summary and SessionLog of tensorflow/core/util/event.proto and framework/summary.proto, written
// field by field.
#include "engine/io/event_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <protozero/pbf_builder.hpp>

#include "engine/core/error.h"
#include "engine/io/directories.h"
#include "engine/io/files.h"

namespace seqgrad {
namespace {

enum class Event : protozero::pbf_tag_type {
  double_wall_time = 1,
  int64_step = 2,
  string_file_version = 3,
  Summary_summary = 5,
  SessionLog_session_log = 7,
};
enum class Summary : protozero::pbf_tag_type { repeated_Value_value = 1 };
enum class Value : protozero::pbf_tag_type { string_tag = 1, float_simple_value = 2 };
enum class SessionLog : protozero::pbf_tag_type { enum_status = 1 };
constexpr int32_t session_start = 1;

constexpr std::string_view prefix = "events.out.tfevents.";

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

template <class Fill>
std::string event(double wall_time, int64_t step, const Fill& fill) {
  std::string bytes;
  protozero::pbf_builder<Event> e(bytes);
  e.add_double(Event::double_wall_time, wall_time);
  if (step != 0) e.add_int64(Event::int64_step, step);
  fill(e);
  return framed_record(bytes);
}

std::string little_endian(uint64_t x, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(x >> (8 * i) & 0xFF);
  return out;
}

std::string masked_checksum(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return little_endian(uint32_t{(crc >> 15 | crc << 17) + 0xA282EAD8u}, 4);
}

// The second in which a file was begun, as its name says; 0 for other names.
int64_t begun(std::string_view name) {
  int64_t second = 0;
  if (name.starts_with(prefix)) std::from_chars(name.data() + prefix.size(), name.data() + name.size(), second);
  return second;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82F63B78u : 0);
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::string framed_record(std::string_view bytes) {
  const std::string length = little_endian(bytes.size(), 8);
  return length + masked_checksum(length) + std::string(bytes) + masked_checksum(bytes);
}

std::string version_record(double wall_time) {
  return event(wall_time, 0, [](auto& e) { e.add_string(Event::string_file_version, "brain.Event:2"); });
}

std::string restart_record(double wall_time, int64_t step) {
  return event(wall_time, step, [](auto& e) {
    protozero::pbf_builder<SessionLog>(e, Event::SessionLog_session_log)
        .add_enum(SessionLog::enum_status, session_start);
  });
}

std::string scalars_record(double wall_time, int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  return event(wall_time, step, [&](auto& e) {
    protozero::pbf_builder<Summary> summary(e, Event::Summary_summary);
    for (const auto& [name, value] : values) {
      protozero::pbf_builder<Value> v(summary, Summary::repeated_Value_value);
      v.add_string(Value::string_tag, name);
      v.add_float(Value::float_simple_value, static_cast<float>(value));
    }
  });
}

void EventLog::begin() {
  make_directories(directory_);
  // Readers take files in the order of their names.
  auto second = static_cast<int64_t>(now());
  bool older = false;
  for (const std::string& name : list_directory(directory_)) {
    second = std::max(second, begun(name) + 1);
    older |= begun(name) > 0;
  }
  file_ = fmt::format("{}/{}{:010}.seqgrad", directory_, prefix, second);
  append_bytes(file_, version_record(now()) + (older && purge_step_ >= 0 ? restart_record(now(), purge_step_) : ""));
}

void EventLog::append(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  if (file_.empty()) begin();
  append_bytes(file_, scalars_record(now(), step, values));
}

void EventLog::sync() {
  if (file_.empty()) return;
  sync_file(file_);
  if (!named_) sync_file(directory_);
  named_ = true;
}

}  // namespace seqgrad
