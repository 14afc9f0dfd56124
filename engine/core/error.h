// Typed errors, each with the exit code that the process ends in.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace seqgrad {

enum class ExitCode { done = 0, no = 1, refused = 2, system = 3 };

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// An input (file, option, checkpoint, tensor) was refused: exit 2, and nothing ran.
struct InputError : Error {
  explicit InputError(const std::string& message) : Error(ExitCode::refused, message) {}
};

// Device or system failed (I/O, memory, GPU): exit 3.
struct SystemError : Error {
  explicit SystemError(const std::string& message) : Error(ExitCode::system, message) {}
};

template <class... A>
[[noreturn]] void refuse(fmt::format_string<A...> format, A&&... args) {
  throw InputError(fmt::format(format, std::forward<A>(args)...));
}

template <class... A>
[[noreturn]] void system_failure(fmt::format_string<A...> format, A&&... args) {
  throw SystemError(fmt::format(format, std::forward<A>(args)...));
}

// A value from outside as an error message may print it: at most 60 characters, control and non-UTF-8 bytes escaped.
std::string shown(std::string_view value);

// A file's name, safe in the same way: at most 200 bytes of it, its end rather than its beginning.
std::string shown_path(std::string_view path);

}  // namespace seqgrad
