// TensorBoard's event files: scalars in checksummed records, under the names that its readers look for.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seqgrad {

uint32_t crc32c(std::string_view bytes);  // Castagnoli's polynomial (RFC 3720, B.4)

// One record of TensorFlow's format (tensorflow/core/lib/io/record_writer.h): the length, its masked checksum, the
// bytes, their masked checksum.
std::string framed_record(std::string_view bytes);

// Whole records; times are seconds since 1970.
std::string version_record(double wall_time);  // the first of each file
std::string restart_record(double wall_time,
                           int64_t step);  // readers forget what earlier files of the directory hold from `step` on
// Values are float32 in the file.
std::string scalars_record(double wall_time, int64_t step, const std::vector<std::pair<std::string, double>>& values);

// A directory that TensorBoard shows as one run.
class EventLog {
 public:
  explicit EventLog(std::string directory) : directory_(std::move(directory)) {}

  // Appends one event: a float32 value for each name. The process's first one makes a file that sorts after all others
  // there.
  void append(int64_t step, const std::vector<std::pair<std::string, double>>& values);
  // Readers are to forget what older files hold after `step`: PyTorch's purge_step. Half a record at an older file's
  // end, which a killed process left, is no harm to them.
  void resume_after(int64_t step) { purge_step_ = step + 1; }
  void sync();  // what was appended is on the disk when this returns

 private:
  void begin();
  std::string directory_, file_;
  int64_t purge_step_ = -1;  // below 0: nothing to forget
  bool named_ = false;       // the file's name is on the disk
};

}  // namespace seqgrad
