// Lower case, character by character, for the Latin, Greek and Cyrillic alphabets.
#pragma once
#include <string>
#include <string_view>

namespace seqgrad {

// Unicode's simple mapping for ASCII, Latin-1 Supplement, Latin Extended-A, Greek, Cyrillic and the capital sharp s;
// other characters, and bytes that are not UTF-8, stay as they are. A final sigma is not told from another.
std::string lowercase(std::string_view text);

}  // namespace seqgrad
