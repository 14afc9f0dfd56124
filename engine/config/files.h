// Whether the files that a config names can be read.
#pragma once
#include "engine/config/section.h"

namespace seqgrad {

// Adds a problem, at the place where the key was written, for each file of the config that is missing, is a directory
// or may not be read, but for that of the key `unread`. Opens none: a pipe can be read only once.
void check_files(const Section& root, Problems& problems, const FieldBase* unread = nullptr);

}  // namespace seqgrad
