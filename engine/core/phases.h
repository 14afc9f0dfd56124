// Where the time of a step goes: a name for what is being done, kept by the tape for the way back.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace seqgrad {

// Names what is done while it lives; an inner one takes over for its own life. Names are literals. What the tape
// records meanwhile runs backward under the same name.
class Phase {
 public:
  explicit Phase(const char* name, bool backward = false);
  ~Phase();
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

  static const char* current();  // "" outside all

 private:
  const char* name_before_;
  bool backward_before_;
};

// Seconds of each phase of this thread between start and stop, in the order of first use: "encoder", "encoder
// backward", and "" for what has no name. Without a start nothing is measured.
void start_phase_times();
std::vector<std::pair<std::string, double>> stop_phase_times();

}  // namespace seqgrad
