// Where the time of a step goes: a name for what is being done, kept by the tape for the way back.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seqgrad {

// A tape's: what is being done, and, while somebody measures, for how long.
class PhaseClock {
 public:
  const char* name() const { return name_; }  // "" outside all

  // Seconds of each phase between start and stop, in the order of first use: "encoder", "encoder backward", and "" for
  // what has no name. Without a start nothing is measured.
  void start();
  std::vector<std::pair<std::string, double>> stop();

 private:
  friend class Phase;
  struct Row {
    std::string_view name;
    bool backward;
    double seconds;
  };
  struct Times {
    std::vector<Row> rows;
    std::chrono::steady_clock::time_point since;
  };
  void charge();
  void change_to(const char* name, bool backward);

  const char* name_ = "";
  bool backward_ = false;
  std::optional<Times> times_;
};

// Names what the current tape does while it lives; an inner one takes over for its own life. Names are literals. What
// the tape records meanwhile runs backward under the same name.
class Phase {
 public:
  explicit Phase(const char* name, bool backward = false);
  ~Phase();
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

 private:
  PhaseClock& clock_;
  const char* outer_name_;
  bool outer_backward_;
};

}  // namespace seqgrad
