// What a file is by its first bytes, for messages about a file that is not what it should be.
#pragma once
#include <string>
#include <string_view>

namespace seqgrad {

// "a zip archive; unpack it", "a Git LFS pointer, not the file itself; `git lfs pull` fetches it": what the bytes of a
// file are, and what to do about it; "" where they have no sign that is known here. Only for bytes that were found
// wrong already: a good file may begin with the same ones.
std::string kind_of_file(std::string_view bytes);

// The same, of what nobody means as lines of text: archives, compressed and binary files, pointers to files that are
// elsewhere.
std::string kind_of_non_text(std::string_view bytes);

}  // namespace seqgrad
