// An explanation as one self-contained page: its batch can be edited, and every number follows.
#pragma once
#include <string>

#include "engine/teach/explain.h"

namespace seqgrad {

// A whole HTML document. It opens from disk, asks the network for nothing, and holds the explanation's JSON; its script
// recomputes the loss after edits and checks itself against that JSON when it loads.
std::string explain_page(const Explanation& e);

}  // namespace seqgrad
