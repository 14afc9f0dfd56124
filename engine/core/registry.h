// For things that files register by name before main runs: two of one name are an error of the program.
#pragma once
#include <string>
#include <utility>

namespace seqgrad {

// Says on standard error what was registered twice, and where if the files are known, and aborts.
[[noreturn]] void registered_twice(const char* what, const std::string& name, const char* first_file = nullptr,
                                   const char* second_file = nullptr);

template <class Map, class Value>
bool register_once(Map& all, const char* what, const std::string& name, Value&& value) {
  if (!all.emplace(name, std::forward<Value>(value)).second) registered_twice(what, name);
  return true;
}

}  // namespace seqgrad
