// What the engine asks of a device: memory and copies. Kernels do not pass through here, they fill slots (kernel.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace seqgrad {

enum class Device : uint8_t { cpu, cuda };
inline constexpr const char* device_names[] = {"cpu", "cuda"};
inline constexpr int device_count = std::size(device_names);

constexpr const char* name_of(Device d) { return device_names[static_cast<int>(d)]; }

class Backend {
 public:
  // Zero-filled, aligned to 64, never null, even for no bytes; throws SystemError naming the bytes.
  virtual void* allocate(size_t bytes) const = 0;
  virtual void release(void* memory, size_t bytes) const noexcept = 0;
  virtual void zero(void* memory, size_t bytes) const = 0;
  virtual void copy(void* to, const void* from, size_t bytes) const = 0;        // within the device
  virtual void upload(void* to, const void* host, size_t bytes) const = 0;      // the caller may then change `host`
  virtual void download(void* host, const void* from, size_t bytes) const = 0;  // done when it returns
  virtual void synchronise() const = 0;
  virtual std::string describe() const = 0;
  virtual size_t memory_bytes() const = 0;  // that the device has in all
  // Which of several such devices this process uses, modulo their number; 0 from the start. Once it has been used, the
  // choice stands.
  virtual void choose(int) const {}

 protected:
  ~Backend() = default;
};

// Throws SystemError with the reason when this build or machine has no such device.
const Backend& backend(Device device);
bool has_backend(Device device);  // in this build; the machine may still lack it

// Each device's file installs itself, once; the table is constant-initialised, so the order of static initialisers is
// no matter.
bool install_backend(Device device, const Backend& backend, const char* file = __builtin_FILE());

}  // namespace seqgrad
