// What a run measured: metrics.jsonl (one JSON object a line, in the order of steps), the same as a table in
// metrics.csv, and for TensorBoard under tb/.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/io/event_log.h"

namespace seqgrad {

using Metrics = std::vector<std::pair<std::string, double>>;

struct MetricRow {
  std::string kind;  // "train", "dev", or a split that was looked at after training
  int64_t step = 0;
  Metrics values;  // NaN where the file says null
};

class MetricLog {
 public:
  explicit MetricLog(const std::string& run);  // the run directory; what it holds is read now and kept

  // Appends {"kind": kind, "step": step, name: value, …}, where a NaN or infinity is written as null, and to the table
  // a row whose cell it leaves empty. TensorBoard has a run of the kind's name.
  void append(const std::string& kind, int64_t step, const Metrics& values);
  // Drops what was written after `step`, all kinds but train and dev, which come after training, and half a line that a
  // killed process left, so that a resumed run continues the files of its checkpoint.
  void truncate_after(int64_t step);
  // What was appended is on the disk when this returns: a checkpoint must not be older than what it goes on from.
  void sync();
  const std::vector<MetricRow>& rows() const { return rows_; }  // all that metrics.jsonl holds
  int64_t damaged() const { return damaged_; }                  // lines between them that are no rows

 private:
  void read(int64_t last_step, bool (*wanted)(const std::string& kind));
  bool add_columns(const MetricRow& row);
  void rewrite_table();
  EventLog& events(const std::string& kind);

  std::string path_, table_, tensorboard_;
  std::vector<MetricRow> rows_;
  std::vector<std::string> columns_;  // of rows_
  uintmax_t kept_ = 0;                // bytes of metrics.jsonl up to the end of its last row
  int64_t damaged_ = 0;
  bool torn_ = false;                   // that row has no line feed
  bool synced_ = true, named_ = false;  // the files' names are on the disk
  std::map<std::string, EventLog> events_;
};

}  // namespace seqgrad
