// English has a form for one and a form for all other numbers.
#include "engine/text/numbers.h"

namespace seqgrad {

std::string with_commas(int64_t count) {
  std::string text = std::to_string(count);
  const std::ptrdiff_t sign = text[0] == '-' ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > sign; at -= 3)
    text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string counted(int64_t count, std::string_view noun, std::string_view plural) {
  std::string out = with_commas(count) + " ";
  if (count == 1 || plural.empty())
    out += noun;
  else
    out += plural;
  return count != 1 && plural.empty() ? out + "s" : out;
}

}  // namespace seqgrad
