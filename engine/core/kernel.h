// A kernel is a slot with one function pointer per device, which each device's file fills.
#pragma once
#include "engine/core/backend.h"
#include "engine/core/error.h"

namespace seqgrad {

// Declare slots `inline constinit`: then they exist before any static initialiser installs into them.
template <class Args>
struct Kernel {
  using Function = void (*)(const Args&);

  constexpr explicit Kernel(const char* name) : name(name) {}

  void operator()(Device device, const Args& args) const {
    const Function f = functions[static_cast<int>(device)];
    if (!f) system_failure("{}: no {} kernel in this build", name, name_of(device));
    f(args);
  }

  const char* name;
  Function functions[device_count] = {};
};

template <Device device, class Args>
bool install(Kernel<Args>& slot, void (*function)(const Args&)) {
  slot.functions[static_cast<int>(device)] = function;
  return true;
}

}  // namespace seqgrad
