// CPUID by the compiler's own reading of it, which knows what the system saves of a thread's registers.
#include "engine/core/isa.h"

#include <cstdlib>
#include <string_view>

#include "engine/core/error.h"

namespace seqgrad {

Isa cpu_isa() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::base;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq"))
    return Isa::avx2;
  return __builtin_cpu_supports("avx512bf16") ? Isa::avx512_bf16 : Isa::avx512;
#else
  return Isa::base;
#endif
}

Isa allowed_isa() {
  const char* asked = std::getenv("SEQGRAD_ISA");
  if (!asked || !*asked) return cpu_isa();
  for (const Isa one : {Isa::base, Isa::avx2, Isa::avx512, Isa::avx512_bf16}) {
    if (std::string_view(asked) != name_of(one)) continue;
    if (one > cpu_isa()) refuse("SEQGRAD_ISA: this CPU has {} at most, not {}", name_of(cpu_isa()), asked);
    return one;
  }
  refuse("SEQGRAD_ISA: expected base, avx2, avx512 or avx512_bf16, got '{:.60}'", asked);
}

Isa isa() {
  static const Isa used = allowed_isa();
  return used;
}

}  // namespace seqgrad
