// One loop that writes, reads and drains standard error at once, so that neither side waits for the other for ever.
#include "engine/conform/connection.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "engine/conform/frame.h"
#include "engine/io/signals.h"
#include "engine/text/escape.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

constexpr size_t error_bytes_kept = 4096, error_lines_shown = 8;
constexpr int slice = 100;                // milliseconds between looks at the clock and at signals
constexpr double moment = 1;              // seconds that a program has to leave, or to say why it closed its pipe
constexpr size_t never_blocks = 4096;     // bytes that a pipe takes at once when it takes any (pipe(7), PIPE_BUF)
constexpr size_t read_at_once = 1 << 16;  // bytes

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string seconds_text(double seconds) { return fmt::format("{:g} second{}", seconds, seconds == 1 ? "" : "s"); }
std::string bytes_text(size_t n) { return counted(static_cast<int64_t>(n), "byte"); }

bool try_again(int error) { return error == EINTR || error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

const char* name_of(Fault fault) {
  constexpr const char* names[] = {"crashed", "hung", "closed", "garbage", "stopped"};
  return names[static_cast<int>(fault)];
}

// A write to a program that has left fails, and does not end this process.
static void ignore_broken_pipes() { std::signal(SIGPIPE, SIG_IGN); }

Connection::Connection(const std::vector<std::string>& command)
    : child_(std::make_unique<ChildProcess>(command)),
      in_(child_->from_output()),
      out_(child_->to_input()),
      errors_(child_->from_errors()) {
  ignore_broken_pipes();
}
Connection::Connection() : in_(STDIN_FILENO), out_(STDOUT_FILENO) { ignore_broken_pipes(); }
Connection::~Connection() = default;

std::string Connection::last_errors() const {
  const std::string tail = lines_for_terminal(error_tail_);
  size_t begin = tail.size();
  for (size_t lines = 0; begin > 0; --begin)
    if (tail[begin - 1] == '\n' && begin < tail.size() && ++lines == error_lines_shown) break;
  std::string out = tail.substr(begin);
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

void Connection::fail(Fault fault, const std::string& what) const {
  std::string message = (child_ ? "the program " : "the parent ") + what, errors = last_errors();
  if (!errors.empty()) {
    errors.pop_back();
    message += "; its last lines on standard error:";
    for (size_t at = 0; at <= errors.size();) {
      const size_t end = std::min(errors.find('\n', at), errors.size());
      message += "\n  " + errors.substr(at, end - at);
      at = end + 1;
    }
  }
  throw ProgramFault(fault, message);
}

// What it says on standard error stands there before it ends, or soon.
void Connection::fail_closed() {
  if (!child_) fail(Fault::closed, "closed its pipe");
  const bool ended = child_->wait(moment);
  read_errors();
  if (ended) fail(Fault::crashed, child_->ending());
  fail(Fault::closed, "closed its pipe and runs on");
}

void Connection::fail_late(double seconds) const {
  if (received_.empty())
    fail(Fault::hung, fmt::format("gave no answer in {} (--time gives it more)", seconds_text(seconds)));
  const size_t text = text_in_front(received_);
  const std::string words =
      text > 1 ? fmt::format(", which begin with the text '{}'", shown(received_.substr(0, text))) : "";
  fail(Fault::hung, fmt::format("sent {} of a frame and no more in {}{}", bytes_text(received_.size()),
                                seconds_text(seconds), words));
}

void Connection::wait_for_something(bool writing, double seconds) const {
  std::array<pollfd, 3> ends{{{in_, POLLIN, 0}, {errors_, POLLIN, 0}, {out_, POLLOUT, 0}}};
  const int most = std::clamp(static_cast<int>(seconds * 1000), 0, slice);
  poll(ends.data(), writing ? 3 : 2, most);  // a negative descriptor is left out
}

void Connection::write_some(std::string_view& rest) {
  pollfd end{out_, POLLOUT, 0};
  while (!rest.empty() && poll(&end, 1, 0) == 1) {
    if (!(end.revents & POLLOUT)) {  // closed: what there is to read says more
      rest = {};
      return;
    }
    const ssize_t n = write(out_, rest.data(), std::min(rest.size(), never_blocks));
    if (n < 0 && try_again(errno)) return;
    if (n < 0) rest = {};
    if (n > 0) rest.remove_prefix(static_cast<size_t>(n));
  }
}

Connection::Step Connection::read_answer() {
  pollfd end{in_, POLLIN, 0};
  if (poll(&end, 1, 0) != 1) return Step::more;
  std::array<char, read_at_once> bytes;
  const ssize_t n = read(in_, bytes.data(), bytes.size());
  if (n < 0 && try_again(errno)) return Step::more;
  if (n <= 0) return Step::closed;
  received_.append(bytes.data(), static_cast<size_t>(n));
  return Step::more;
}

void Connection::read_errors() {
  if (errors_ < 0) return;
  std::array<char, read_at_once> bytes;
  const ssize_t n = read(errors_, bytes.data(), bytes.size());
  if (n == 0 || (n < 0 && !try_again(errno))) errors_ = -1;  // the child's destructor closes it
  if (n <= 0) return;
  error_tail_.append(bytes.data(), static_cast<size_t>(n));
  if (error_tail_.size() > error_bytes_kept) error_tail_.erase(0, error_tail_.size() - error_bytes_kept);
}

std::optional<std::string> Connection::whole_frame() {
  if (received_.size() < frame_prefix) return std::nullopt;
  uint64_t length = 0;
  try {
    length = frame_length(received_);
  } catch (const InputError& e) {
    fail(Fault::garbage, std::string("sent ") + e.what());
  }
  if (received_.size() < frame_prefix + length) return std::nullopt;
  if (received_.size() > frame_prefix + length)
    fail(Fault::garbage,
         fmt::format("sent a frame and {} behind it", bytes_text(received_.size() - frame_prefix - length)));
  received_.erase(0, frame_prefix);
  return std::exchange(received_, {});
}

std::string Connection::exchange(std::string_view frame, double seconds) {
  if (!received_.empty())
    fail(Fault::garbage, fmt::format("sent {} that nobody asked for", bytes_text(received_.size())));
  const auto begin = Clock::now();
  bool has_ended = false;
  for (std::string_view rest = frame;;) {
    write_some(rest);
    read_errors();
    const Step step = read_answer();
    if (std::optional<std::string> answer = whole_frame()) return *std::move(answer);
    if (step == Step::closed) {
      if (!received_.empty() && received_.size() < frame_prefix)
        fail(Fault::garbage, fmt::format("sent '{}' and closed its pipe", shown(received_)));
      fail_closed();
    }
    if (stop_signal()) fail(Fault::stopped, "was stopped by a signal to seqgrad");
    // Whatever it started may hold its pipes open.
    if (has_ended) fail_closed();
    has_ended = child_ && child_->wait(0);  // what it wrote before is read first
    if (child_ && seconds_since(begin) > seconds) fail_late(seconds);
    wait_for_something(!rest.empty(), child_ ? seconds - seconds_since(begin) + 1e-3 : slice);
  }
}

void Connection::say_goodbye(std::string_view frame) {
  const auto begin = Clock::now();
  while (!frame.empty() && !stop_signal() && (!child_ || seconds_since(begin) < moment)) {
    write_some(frame);
    read_errors();
    if (!frame.empty()) wait_for_something(true, moment);
  }
  if (!child_) return;
  child_->close_input();
  out_ = -1;
  child_->wait(moment);
}

}  // namespace seqgrad
