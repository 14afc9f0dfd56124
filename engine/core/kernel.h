// A kernel is a slot with one function pointer per device, which each device's file fills.
#pragma once
#include "engine/core/backend.h"
#include "engine/core/error.h"
#include "engine/core/registry.h"

namespace seqgrad {

// What a device or its library could not do. The innermost kernel that it leaves puts its name behind `who`.
class DeviceError : public SystemError {
 public:
  DeviceError(const std::string& who, const std::string& what) : DeviceError(who, "", what) {}
  // The same with the name, unless an inner kernel has given its own.
  [[noreturn]] void rethrow_from(const char* kernel) const;

 private:
  DeviceError(const std::string& who, const std::string& kernel, const std::string& what)
      : SystemError(who + ": " + kernel + what), who_(who), what_(what), is_named_(!kernel.empty()) {}

  std::string who_, what_;
  bool is_named_;
};

// Declare slots `inline constinit`: then they exist before any static initialiser installs into them.
template <class Args>
struct Kernel {
  using Function = void (*)(const Args&);

  constexpr explicit Kernel(const char* name) : name(name) {}

  void operator()(Device device, const Args& args) const {
    const Function f = functions[static_cast<int>(device)];
    if (!f) system_failure("{}: no {} kernel in this build", name, name_of(device));
    try {
      f(args);
    } catch (const DeviceError& e) {
      e.rethrow_from(name);
    }
  }

  const char* name;
  Function functions[device_count] = {};
  const char* files[device_count] = {};  // that installed them
};

// Aborts, naming both files, when the slot is taken.
template <Device device, class Args>
bool install(Kernel<Args>& slot, void (*function)(const Args&), const char* file = __builtin_FILE()) {
  constexpr int d = static_cast<int>(device);
  if (slot.functions[d])
    registered_twice((std::string(name_of(device)) + " kernel").c_str(), slot.name, slot.files[d], file);
  slot.functions[d] = function;
  slot.files[d] = file;
  return true;
}

}  // namespace seqgrad
