// `mpirun -n N seqgrad bench exchange`: the sum of gradients over processes, and beside it, in turn, the library's own
// sum of as many numbers, which has other bits with each N.
#include <dlfcn.h>

#include <algorithm>

#include "apps/bench/bench.h"
#include "apps/bench/measure.h"
#include "engine/comm/launched.h"
#include "engine/comm/mpi_object.h"
#include "engine/core/error.h"
#include "engine/core/thread_pool.h"
#include "engine/nn/process_sum.h"

namespace seqgrad {
namespace {

// Milliseconds of f, which all begin together: those of the last process to come through.
template <class F>
double slowest_ms(Processes& all, const F& f) {
  all.gather_all({});
  const double begin = now_ms();
  f();
  const double mine = now_ms() - begin;
  double most = 0;
  for (const auto& bytes : all.gather_all(std::as_bytes(std::span(&mine, 1)))) {
    double ms = 0;
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&ms));
    most = std::max(most, ms);
  }
  return most;
}

nlohmann::ordered_json bench_exchange(const BenchOptions& o) {
  Processes& all = launched_processes();
  set_threads(o.threads);
  // MPI's object lies among the symbols of the program once it is open.
  const auto allreduce =
      reinterpret_cast<decltype(&seqgrad_mpi_allreduce)>(dlsym(RTLD_DEFAULT, "seqgrad_mpi_allreduce"));
  ParameterStore store(DType::f32, Device::cpu);
  store.add("x", {o.megabytes * 250'000}, Init::uniform(1));
  store.allocate(1);
  std::vector<float> beside(static_cast<size_t>(store.size()), 1.0f);
  ProcessSum sum(all);
  std::vector<double> sum_ms, allreduce_ms, gather_us;
  for (int step = 0; step < o.warmup + o.steps; ++step) {
    store.zero_grad();
    const double ours = slowest_ms(all, [&] { sum(store, all.count()); });
    const double theirs = slowest_ms(all, [&] {
      if (allreduce) allreduce(beside.data(), beside.size());
    });
    const double small = slowest_ms(all, [&] {
      for (int i = 0; i < 100; ++i) all.gather_all(std::as_bytes(std::span(&ours, 1)));
    });
    if (step < o.warmup) continue;
    sum_ms.push_back(ours), allreduce_ms.push_back(theirs), gather_us.push_back(10 * small);
  }
  const double n = all.count(), ms = quartiles(sum_ms)["median"];
  const double bytes = 2 * (n - 1) / n * static_cast<double>(store.grads().bytes());
  nlohmann::ordered_json out = {
      {"what", "seqgrad_exchange"}, {"processes", all.count()},     {"library", all.library()},
      {"threads", threads()},       {"megabytes", o.megabytes},     {"sum_ms", quartiles(sum_ms)},
      {"bytes_out_of_each", bytes}, {"gb_per_s", bytes / ms / 1e6}, {"gather_us", quartiles(gather_us)}};
  if (allreduce) {
    out["allreduce_ms"] = quartiles(allreduce_ms);
    out["sum_over_allreduce"] = ms / quartiles(allreduce_ms)["median"].get<double>();
  }
  return out;
}

const bool exchange_registered = register_benchmark({"exchange", bench_exchange});

}  // namespace
}  // namespace seqgrad
