// Lines of a stream as they arrive.
#pragma once
#include <cstddef>
#include <string>

namespace seqgrad {

class LineReader {
 public:
  // `name` is for messages. A line of more than `limit` bytes is given up at limit + 1 bytes.
  LineReader(int fd, std::string name, size_t limit) : fd_(fd), name_(std::move(name)), limit_(limit) {}

  // The next line, without its line feed; waits for it. False at the end. SystemError when the stream cannot be read.
  bool next(std::string& line);

  // After a line that was given up: what is left of it, up to its line feed or the end, is read and dropped.
  void skip_rest();

  // Whether next() has an answer without waiting. Reads what is there.
  bool ready();

 private:
  bool whole();  // a line or the end is in the buffer
  void read_more();

  int fd_;
  std::string name_, buffer_;
  size_t limit_, begin_ = 0, seen_ = 0;  // where the next line begins; up to where no line feed was found
  bool end_ = false;
};

}  // namespace seqgrad
