#include "engine/train/work_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/train/progress.h"

namespace seqgrad {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static size_t index_of(Work work) { return static_cast<size_t>(work); }

double total_of(const WorkSeconds& seconds) { return std::accumulate(seconds.begin(), seconds.end(), 0.0); }

double training_of(const WorkSeconds& seconds) {
  return seconds[index_of(Work::batches)] + seconds[index_of(Work::steps)];
}

std::string outside_of_training(const WorkSeconds& seconds) {
  const double total = total_of(seconds), percent = 100 / std::max(1e-9, total);
  std::vector<size_t> kinds;
  for (size_t i = 0; i < seconds.size(); ++i)
    if (i != index_of(Work::batches) && i != index_of(Work::steps) && percent * seconds[i] >= 0.05) kinds.push_back(i);
  std::stable_sort(kinds.begin(), kinds.end(), [&](size_t a, size_t b) { return seconds[a] > seconds[b]; });
  std::string text = fmt::format("{:.1f} % of {} outside of training steps", percent * (total - training_of(seconds)),
                                 format_duration(total));
  for (const size_t i : kinds)
    text += fmt::format("{}{} {:.1f} %", i == kinds[0] ? ": " : ", ", work_names[i], percent * seconds[i]);
  return text;
}

Work WorkTimes::change_to(Work work) {
  const double now = now_();  // once: no moment is lost between two kinds
  seconds_[index_of(work_)] += now - since_;
  since_ = now;
  return std::exchange(work_, work);
}

void WorkTimes::add(Work work, double seconds) { seconds_[index_of(work)] += seconds; }

WorkSeconds WorkTimes::so_far() const {
  WorkSeconds seconds = seconds_;
  seconds[index_of(work_)] += now_() - since_;
  return seconds;
}

}  // namespace seqgrad
