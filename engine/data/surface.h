// Sentences as people type them, and as word-level models see them.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace seqgrad {

// "Die Frau liest das Buch." -> "die Frau liest das Buch .": . , ? ! ; : are cut off, and the first word keeps its
// capital only if it is known so and not known in lower case. Text that is in this form already comes back unchanged.
std::string normalise(std::string_view typed, const std::function<bool(std::string_view)>& known);

// The other way: "the woman reads the book ." -> "The woman reads the book."
std::string present(std::string_view tokens);

}  // namespace seqgrad
