// The table of devices that this build has.
#include "engine/core/backend.h"

#include "engine/core/error.h"
#include "engine/core/registry.h"

namespace seqgrad {

static constinit const Backend* backends[device_count] = {};

const Backend& backend(Device device) {
  const Backend* found = backends[static_cast<int>(device)];
  if (!found) system_failure("device {}: this build has no support for it", name_of(device));
  return *found;
}

bool has_backend(Device device) { return backends[static_cast<int>(device)] != nullptr; }

bool install_backend(Device device, const Backend& backend, const char* file) {
  static constinit const char* files[device_count] = {};
  const int d = static_cast<int>(device);
  if (backends[d]) registered_twice("device", name_of(device), files[d], file);
  backends[d] = &backend;
  files[d] = file;
  return true;
}

}  // namespace seqgrad
