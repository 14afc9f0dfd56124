// The clock is read when the phase changes, and only while somebody measures.
#include "engine/core/phases.h"

#include <algorithm>

#include "engine/core/tape.h"

namespace seqgrad {

using Clock = std::chrono::steady_clock;

void PhaseClock::charge() {
  const auto now = Clock::now();
  auto& rows = times_->rows;
  auto row =
      std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name_ && r.backward == backward_; });
  if (row == rows.end()) row = rows.insert(row, {name_, backward_, 0});
  row->seconds += std::chrono::duration<double>(now - times_->since).count();
  times_->since = now;
}

void PhaseClock::change_to(const char* name, bool backward) {
  if (times_) charge();
  name_ = name;
  backward_ = backward;
}

void PhaseClock::start() { times_.emplace().since = Clock::now(); }

std::vector<std::pair<std::string, double>> PhaseClock::stop() {
  std::vector<std::pair<std::string, double>> out;
  if (!times_) return out;
  charge();
  for (const Row& r : times_->rows) out.emplace_back(std::string(r.name) + (r.backward ? " backward" : ""), r.seconds);
  times_.reset();
  return out;
}

Phase::Phase(const char* name, bool backward)
    : clock_(Tape::current().phases()), outer_name_(clock_.name_), outer_backward_(clock_.backward_) {
  clock_.change_to(name, backward);
}

Phase::~Phase() { clock_.change_to(outer_name_, outer_backward_); }

}  // namespace seqgrad
