// One way to write JSON.
#include "engine/io/json_text.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/io/terminal.h"

namespace seqgrad {

using Json = nlohmann::ordered_json;

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string printed_json(const Json& value, int indent) {
  return value.dump(indent, ' ', is_terminal(STDOUT_FILENO), Json::error_handler_t::replace);
}

}  // namespace seqgrad
