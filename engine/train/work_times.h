// Where the seconds of a run go. Each moment counts for one kind of work, so that the kinds add up to the whole.
#pragma once
#include <array>
#include <cstddef>
#include <string>

namespace seqgrad {

using Clock = double (*)();  // seconds since some moment
double steady_seconds();     // std::chrono::steady_clock

// start: from the command line to the first step, data and model included; test: of the weights that were best;
// other: progress, records, and what is not known, of a process that was killed.
enum class Work { start, batches, steps, validation, samples, checkpoints, report, test, other };
inline constexpr std::array work_names = {"start",       "batches", "steps", "validation", "samples",
                                          "checkpoints", "report",  "test",  "other"};

using WorkSeconds = std::array<double, work_names.size()>;
double total_of(const WorkSeconds& seconds);
double training_of(const WorkSeconds& seconds);  // steps and their batches
// "6.5 % of 2:10 outside of training steps: validation 4.4 %, test 1.2 %, report 0.9 %"; what rounds to 0 is left out.
std::string outside_of_training(const WorkSeconds& seconds);

class WorkTimes {
 public:
  WorkTimes(Clock now, double began) : now_(now), since_(began) {}
  Work change_to(Work work);            // from now on; what it was before
  void add(Work work, double seconds);  // of earlier processes of the run
  WorkSeconds so_far() const;
  double total() const { return total_of(so_far()); }
  double training() const { return training_of(so_far()); }

 private:
  Clock now_;
  double since_;
  Work work_ = Work::start;
  WorkSeconds seconds_{};
};

// Time counts for `work` while this lives, then again for what it counted for before.
class During {
 public:
  During(WorkTimes& times, Work work) : times_(times), before_(times.change_to(work)) {}
  ~During() { times_.change_to(before_); }
  During(const During&) = delete;
  During& operator=(const During&) = delete;

 private:
  WorkTimes& times_;
  Work before_;
};

}  // namespace seqgrad
