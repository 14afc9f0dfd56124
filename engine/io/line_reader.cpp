// A buffer of our own: stdio cannot say whether a line is there.
#include "engine/io/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/core/error.h"
#include "engine/io/system_calls.h"

namespace seqgrad {

bool LineReader::whole() {
  const size_t feed = buffer_.find('\n', std::max(begin_, seen_));
  seen_ = std::min(feed, buffer_.size());
  return end_ || feed != std::string::npos || buffer_.size() - begin_ > limit_;
}

void LineReader::read_more() {
  buffer_.erase(0, begin_);
  seen_ -= std::min(seen_, begin_);
  begin_ = 0;
  char chunk[1 << 16];
  ssize_t n = 0;
  do n = system_calls.read(fd_, chunk, sizeof(chunk));
  while (n < 0 && errno == EINTR);
  if (n < 0) system_failure("{}: cannot read ({})", name_, errno == EBADF ? "it is closed" : std::strerror(errno));
  end_ = n == 0;
  buffer_.append(chunk, static_cast<size_t>(n));
}

bool LineReader::ready() {
  while (!whole()) {
    pollfd p{fd_, POLLIN, 0};
    if (poll(&p, 1, 0) <= 0) return false;  // an interrupted call may be asked again
    read_more();
  }
  return true;
}

bool LineReader::next(std::string& line) {
  while (!whole()) read_more();
  const size_t size = std::min(seen_ - begin_, limit_ + 1);
  const bool feed = seen_ < buffer_.size() && size <= limit_;
  line.assign(buffer_, begin_, size);
  begin_ += size + (feed ? 1 : 0);
  return feed || size > 0;
}

void LineReader::skip_rest() {
  size_t feed = 0;
  while ((feed = buffer_.find('\n', begin_)) == std::string::npos && !end_) {
    begin_ = buffer_.size();
    read_more();
  }
  begin_ = feed == std::string::npos ? buffer_.size() : feed + 1;
}

}  // namespace seqgrad
