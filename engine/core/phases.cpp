// One clock a thread, read when the phase changes and only while somebody measures.
#include "engine/core/phases.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>

namespace seqgrad {
namespace {

using Clock = std::chrono::steady_clock;

struct Times {
  struct Row {
    std::string_view name;
    bool backward;
    double seconds;
  };
  std::vector<Row> rows;
  Clock::time_point since;

  void charge(std::string_view name, bool backward) {
    const auto now = Clock::now();
    auto row =
        std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name && r.backward == backward; });
    if (row == rows.end()) row = rows.insert(row, {name, backward, 0});
    row->seconds += std::chrono::duration<double>(now - since).count();
    since = now;
  }
};

thread_local const char* name = "";
thread_local bool is_backward = false;
thread_local std::optional<Times> times;

void change_to(const char* to, bool backward) {
  if (times) times->charge(name, is_backward);
  name = to;
  is_backward = backward;
}

}  // namespace

Phase::Phase(const char* to, bool backward) : name_before_(name), backward_before_(is_backward) {
  change_to(to, backward);
}

Phase::~Phase() { change_to(name_before_, backward_before_); }

const char* Phase::current() { return name; }

void start_phase_times() {
  times.emplace();
  times->since = Clock::now();
}

std::vector<std::pair<std::string, double>> stop_phase_times() {
  std::vector<std::pair<std::string, double>> out;
  if (!times) return out;
  times->charge(name, is_backward);
  for (const Times::Row& r : times->rows)
    out.emplace_back(std::string(r.name) + (r.backward ? " backward" : ""), r.seconds);
  times.reset();
  return out;
}

}  // namespace seqgrad
