// The ops by name: what `info --ops` lists, and tests/ops has samples of.
#pragma once
#include <map>
#include <string>

namespace seqgrad {

struct OpInfo {
  std::string name, doc;
};

const std::map<std::string, OpInfo>& ops();
bool register_op(OpInfo info, const char* file = __builtin_FILE());  // aborts when there is an op of that name

}  // namespace seqgrad
