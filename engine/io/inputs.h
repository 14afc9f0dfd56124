// The files that this process reads, so that no output that a person names replaces one of them.
#pragma once
#include <string>

namespace seqgrad {

// `path` need not be there, nor be a regular file: what is no file cannot be replaced.
void remember_input(const std::string& path);

// Throws InputError where `path` leads to the same regular file as one that was remembered: by its name, through a link
// of either kind, or as a descriptor of this process.
void refuse_input(const std::string& path);

}  // namespace seqgrad
