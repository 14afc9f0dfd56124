#include "engine/conform/properties/properties.h"

namespace seqgrad {

// clang-format off
constexpr Property table[] = {
    {"control",    "six faults planted into our own answers are found",              true,  check_control},
    {"value",      "the value is the one that is meant",                             false, check_value},
    {"gradient",   "the gradient is the one that is meant",                          false, check_gradient},
    {"derivative", "the gradient is that of the program's own value",                true,  check_derivative},
    {"poison",     "what stands in dead cells changes nothing",                      true,  check_poison},
    {"padding",    "more padding changes what it should, and nothing else",          false, check_padding},
    {"size",       "a large batch: no step and no example is left out",              false, check_size},
    {"order",      "the order of examples changes nothing",                          true,  check_order},
    {"micro",      "the gradients of micro-batches add up to that of the batch",     false, check_micro},
    {"upstream",   "an upstream gradient multiplies each entry's own rows",          true,  check_upstream},
    {"empty",      "a batch in which nothing counts",                                false, check_empty},
    {"extremes",   "large logits, and minus infinity at classes without mass",       true,  check_extremes},
    {"pure",       "the same question has the same answer, and no input changes",    true,  check_pure},
    {"dtype",      "other dtypes give the same within their arithmetic",             true,  check_dtype},
    {"extras",     "weights, smoothing, soft cap and z-loss where the program has them", false, check_extras},
};
// clang-format on

std::span<const Property> properties() { return table; }

}  // namespace seqgrad
