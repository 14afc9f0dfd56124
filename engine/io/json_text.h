// JSON as text, whatever bytes its texts hold.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace seqgrad {

// As nlohmann's dump, but bytes that are not UTF-8 (of a file's name, say) become U+FFFD instead of an exception.
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

// The same for standard output: on a terminal all that is not ASCII is written as \uXXXX, so that nothing in it moves
// the cursor or reorders the line.
std::string printed_json(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace seqgrad
