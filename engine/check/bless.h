// Current values frozen as gold, under the name of this program.
#pragma once
#include "engine/check/case.h"

namespace seqgrad {

// Writes gold and provenance ("seqgrad VERSION, REASON") into the case's folder. Refuses gold that a peer recorded, a
// case that expects an error, and tensors that stand in the YAML file.
void bless(const std::string& path, const std::string& version, const std::string& reason);

bool is_own(const std::string& provenance);  // written by bless()

}  // namespace seqgrad
