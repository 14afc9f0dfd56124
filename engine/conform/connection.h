// Frames there and back, with a deadline, whatever the other side does.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/conform/process.h"
#include "engine/core/error.h"

namespace seqgrad {

// Why the program gives no answer that can be used.
enum class Fault { crashed, hung, closed, garbage, stopped };
const char* name_of(Fault fault);  // "crashed"

// The program's fault: exit 3, or 2 where it has not said hello yet. The message holds its last lines on standard
// error.
struct ProgramFault : SystemError {
  ProgramFault(Fault f, const std::string& message) : SystemError(message), fault(f) {}
  Fault fault;
};

class Connection {
 public:
  // With a program that is started. Throws InputError when it cannot be.
  explicit Connection(const std::vector<std::string>& command);
  // With whoever started us, on our standard input and output. Nobody ends a parent's function: no deadline counts.
  Connection();
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends a frame (encode_frame) and returns the one that answers it, without its length. Throws ProgramFault: closed
  // or crashed, hung after `seconds`, garbage where no frame comes or more than one, stopped by a signal to us.
  std::string exchange(std::string_view frame, double seconds);
  // Sends the last frame and waits a moment for the program to leave; whatever happens is nobody's fault any more.
  void say_goodbye(std::string_view frame);
  std::string last_errors() const;  // the last lines that it wrote to standard error, each with a line feed

 private:
  enum class Step { more, closed };
  void write_some(std::string_view& rest);
  Step read_answer();
  void read_errors();
  void wait_for_something(bool writing, double seconds) const;
  std::optional<std::string> whole_frame();
  [[noreturn]] void fail(Fault fault, const std::string& what) const;
  [[noreturn]] void fail_closed();
  [[noreturn]] void fail_late(double seconds) const;

  std::unique_ptr<ChildProcess> child_;  // none: a parent started us
  int in_, out_, errors_ = -1;
  std::string received_, error_tail_;
};

}  // namespace seqgrad
