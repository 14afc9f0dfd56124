// Look-ups in a parsed document.
#include "engine/config/node.h"

#include "engine/core/error.h"

namespace seqgrad {

std::string_view Source::line(int number) const {
  size_t begin = 0;
  for (int i = 1; i < number; ++i) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) return {};
    begin = end + 1;
  }
  return std::string_view(text).substr(begin, text.find('\n', begin) - begin);
}

const Node* Node::find(std::string_view key) const {
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i].name == key) return &items[i];
  return nullptr;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::null: return "nothing";
    case Kind::scalar: return "'" + shown(text) + "'";
    case Kind::sequence: return "a list";
    case Kind::map: return "a section";
  }
  return "";
}

}  // namespace seqgrad
