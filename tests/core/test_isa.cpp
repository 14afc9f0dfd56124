// Which instruction set is used: read from the system by other means than the engine's.
#include <fmt/format.h>
#include <test_paths.h>

#include <algorithm>
#include <fstream>

#include "engine/core/isa.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("the instruction set is the CPU's, or the lower one that SEQGRAD_ISA names") {
  Isa cpu = Isa::base;
#if defined(__x86_64__)
  std::ifstream info("/proc/cpuinfo");
  std::string flags;
  for (std::string line; flags.empty() && std::getline(info, line);)
    if (line.starts_with("flags")) flags = line + " ";
  const auto all = [&](std::initializer_list<const char*> words) {
    return std::all_of(words.begin(), words.end(),
                       [&](const char* w) { return flags.find(fmt::format(" {} ", w)) != std::string::npos; });
  };
  if (all({"avx2", "fma"})) cpu = Isa::avx2;
  if (all({"avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq"})) cpu = Isa::avx512;
  if (cpu == Isa::avx512 && all({"avx512_bf16"})) cpu = Isa::avx512_bf16;
#endif
  CHECK(cpu_isa() == cpu);
  const char* asked = std::getenv("SEQGRAD_ISA");
  CHECK(std::string(name_of(isa())) == (asked && *asked ? asked : name_of(cpu)));
  const Scratch dir;
  const std::string binary = "env SEQGRAD_ISA=";
  for (const char* name : {"base", "avx2", "avx512"}) {
    INFO(name);
    const std::string out =
        std::system((binary + name + " " + SEQGRAD_BINARY + " info > " + dir / "info 2>&1").c_str()) == 0
            ? slurp(dir / "info")
            : "";
    CHECK(has(out, std::string("isa      ") + name) == (cpu >= (name[0] == 'b'   ? Isa::base
                                                                : name[3] == '2' ? Isa::avx2
                                                                                 : Isa::avx512)));
  }
  CHECK(std::system((binary + "sse9 " + SEQGRAD_BINARY + " info > " + dir / "info 2>&1").c_str()) == 2 * 256);
  CHECK(slurp(dir / "info") == "error: SEQGRAD_ISA: expected base, avx2, avx512 or avx512_bf16, got 'sse9'\n");
}
