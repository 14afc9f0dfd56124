// How an error of a device gets the name of the kernel that asked it.
#include "engine/core/kernel.h"

namespace seqgrad {

void DeviceError::rethrow_from(const char* kernel) const {
  if (is_named_) throw;
  throw DeviceError(who_, fmt::format("{}: ", kernel), what_);
}

}  // namespace seqgrad
