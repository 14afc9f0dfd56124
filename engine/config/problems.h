// All that is wrong with a config, collected and reported at once.
#pragma once
#include <string>
#include <vector>

#include "engine/config/node.h"
#include "engine/core/error.h"

namespace seqgrad {

class FieldBase;

// what() is the whole report, sorted by line.
struct ConfigError : InputError {
  using InputError::InputError;
};

class Problems {
 public:
  void add(const Location& at, std::string message, std::string hint = "");
  void add(const FieldBase& field, const std::string& message);  // at the field's own line, or at its default
  bool empty() const { return problems_.empty(); }
  void throw_if_any() const;

 private:
  struct Problem {
    Location at;
    std::string message, hint;
  };
  std::vector<Problem> problems_;
};

}  // namespace seqgrad
