// What a word of a command line may be.
#pragma once
#include <string>
#include <vector>

namespace seqgrad {

// What the last of `words` may be, as far as it was typed ("" where a new word begins): commands, options, and the
// values whose words a type name has (see Option::type_name). `words` begin with the program. Nothing where only a
// path, a number or a new name fits.
std::vector<std::string> candidates(const std::vector<std::string>& words);

}  // namespace seqgrad
