// Gradients of a case's gold, where only its values are named.
#pragma once
#include "engine/check/case.h"

namespace seqgrad {

// What to say of them beside a name of gold.value: the first that is not the gradient of the case's own loss, or that
// they were not compared, where the value is another loss's; "" where they agree, or there are none.
std::string gold_gradients_note(const LossCase& c);

}  // namespace seqgrad
