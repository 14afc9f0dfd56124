// All that is wrong with a config, collected and reported at once.
#pragma once
#include <string>
#include <vector>

#include "engine/config/node.h"
#include "engine/core/error.h"
#include "engine/text/edit_distance.h"

namespace seqgrad {

class FieldBase;
class Section;

// what() is the whole report, sorted by line; it is printed as it stands.
struct ConfigError : InputError {
  using InputError::InputError;
  std::vector<std::string> kinds;  // of the problems, as far as they have one
};

class Problems {
 public:
  // `kind` is for programs that expect a problem: "range" is a number out of its bounds, others a section's check
  // gives.
  void add(const Location& at, std::string message, std::string kind = "");
  // At the place where the field's value was written, which begins the message with the field's path.
  void add(const FieldBase& field, const std::string& message, const std::string& kind = "");
  // With the line of text under it, for what is misspelt or malformed, and a line "= hint".
  void add_excerpt(const Location& at, std::string message, std::string hint = "");

  // Between these, what is added about a field after an untrusted value was read is left out: it would be made up.
  void begin_check(const Section& root);
  void end_check() { checked_ = nullptr; }

  bool empty() const { return count_ == 0; }
  bool full() const { return problems_.size() < count_; }  // further ones are only counted
  size_t count() const { return count_; }
  void throw_if_any() const;

 private:
  struct Problem {
    Location at;
    std::string message, hint, kind;
    bool excerpt;
  };
  void keep(Problem problem);

  std::vector<Problem> problems_;  // the first of them: a file may hold more than anyone reads
  size_t count_ = 0;
  const Section* checked_ = nullptr;  // the root, between begin_check and end_check
};

}  // namespace seqgrad
