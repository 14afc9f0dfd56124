// What `seqgrad bench` measures with: clocks, quartiles, and the rates that this machine reaches in this process.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/core/backend.h"

namespace seqgrad {

double now_ms();
double cpu_ms();  // of all threads of this process: waiting for a core is not in it

nlohmann::ordered_json quartiles(std::vector<double> values);  // {median, p25, p75, min, n}; at least one value

int64_t peak_bytes();         // largest resident size so far
int64_t minor_page_faults();  // so far

struct GemmRate {
  double gflops = 0;      // per second of the clock
  double cpu_gflops = 0;  // per second of CPU time
  GemmRate best(const GemmRate& other) const;
};
GemmRate gemm_rate();  // float32, the best of several products that fill the caches

double copy_gb_per_s(size_t bytes, Device device = Device::cpu);  // read and written, the best of several copies

}  // namespace seqgrad
