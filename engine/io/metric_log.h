// metrics.jsonl: one JSON object a line, in the order of steps.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace seqgrad {

class MetricLog {
 public:
  explicit MetricLog(std::string path) : path_(std::move(path)) {}

  // Appends {"kind": kind, "step": step, name: value, …}; a NaN or infinity is written as null.
  void append(const std::string& kind, int64_t step, const std::vector<std::pair<std::string, double>>& values);
  // Drops what was written after `step`, and half a line that a killed process left, so that a resumed run continues
  // the file of its checkpoint.
  void truncate_after(int64_t step);

 private:
  std::string path_;
};

}  // namespace seqgrad
