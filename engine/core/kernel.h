// A kernel is a slot with one function pointer per device, which each device's file fills.
#pragma once
#include "engine/core/backend.h"
#include "engine/core/error.h"
#include "engine/core/registry.h"

namespace seqgrad {

namespace detail {
inline constinit thread_local const char* running_kernel = "";
}  // namespace detail

// The innermost kernel that this thread is in, for messages; "" outside all.
inline const char* running_kernel() { return detail::running_kernel; }

// Declare slots `inline constinit`: then they exist before any static initialiser installs into them.
template <class Args>
struct Kernel {
  using Function = void (*)(const Args&);

  constexpr explicit Kernel(const char* name) : name(name) {}

  void operator()(Device device, const Args& args) const {
    const Function f = functions[static_cast<int>(device)];
    if (!f) system_failure("{}: no {} kernel in this build", name, name_of(device));
    const Running while_it_runs(name);
    f(args);
  }

  const char* name;
  Function functions[device_count] = {};
  const char* files[device_count] = {};  // that installed them

 private:
  struct Running {
    explicit Running(const char* kernel) : before(detail::running_kernel) { detail::running_kernel = kernel; }
    ~Running() { detail::running_kernel = before; }
    const char* before;
  };
};

// Aborts, naming both files, when the slot is taken.
template <Device device, class Args>
bool install(Kernel<Args>& slot, void (*function)(const Args&), const char* file = __builtin_FILE()) {
  constexpr int d = static_cast<int>(device);
  if (slot.functions[d])
    registered_twice(device == Device::cpu ? "cpu kernel" : "cuda kernel", slot.name, slot.files[d], file);
  slot.functions[d] = function;
  slot.files[d] = file;
  return true;
}

}  // namespace seqgrad
