// The properties, one a file.
#pragma once
#include "engine/conform/trial.h"

namespace seqgrad {

PropertyResult check_control(Trial& trial);
PropertyResult check_value(Trial& trial);
PropertyResult check_gradient(Trial& trial);
PropertyResult check_derivative(Trial& trial);
PropertyResult check_poison(Trial& trial);
PropertyResult check_padding(Trial& trial);
PropertyResult check_size(Trial& trial);
PropertyResult check_order(Trial& trial);
PropertyResult check_micro(Trial& trial);
PropertyResult check_upstream(Trial& trial);
PropertyResult check_empty(Trial& trial);
PropertyResult check_extremes(Trial& trial);
PropertyResult check_pure(Trial& trial);
PropertyResult check_dtype(Trial& trial);
PropertyResult check_extras(Trial& trial);

}  // namespace seqgrad
