// Tensors that stand in a YAML file: {logits: [[[0.5, .nan]]], targets: [[1]], gold.value: 2.5}.
#pragma once
#include <vector>

#include "engine/config/node.h"
#include "engine/io/safetensors.h"

namespace seqgrad {

// At most 10^4 numbers. targets and lengths are int64 (targets of `dense` float64), mask uint8, all others float64.
// Throws InputError with the place for lists of unequal length and for what is no number.
std::vector<NamedArray> inline_tensors(const Node& node, bool dense_targets);

}  // namespace seqgrad
