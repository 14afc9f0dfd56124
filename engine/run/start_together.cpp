// All of it is gathered the same way, so that a process that failed before tells the others in any place.
#include "engine/run/start_together.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <thread>

#include "engine/comm/together.h"
#include "engine/core/isa.h"
#include "engine/core/thread_pool.h"
#include "engine/device/onednn_start.h"
#include "engine/ops/row_passes.h"
#include "engine/run/fingerprint.h"
#include "engine/text/numbers.h"

namespace seqgrad {

std::string agree_on_isa(Processes& processes) {
  if (processes.count() == 1) return "";
  const std::vector<Isa> all = together(processes, [] { return allowed_isa(); });
  const Isa lowest = *std::min_element(all.begin(), all.end()), highest = *std::max_element(all.begin(), all.end());
  if (lowest == highest) return "";
  setenv("SEQGRAD_ISA", name_of(lowest), 1);
  const std::vector<std::string> hosts = hosts_of(processes);
  const auto rank = static_cast<size_t>(std::find(all.begin(), all.end(), lowest) - all.begin());
  return fmt::format("instruction set: {}, for equal bits everywhere: rank {} (host {}) has no more, others have {}",
                     name_of(lowest), rank, hosts[rank], name_of(highest));
}

void require_parts(const Config& config, const Processes& processes, bool goes_on) {
  const int64_t shards = config.train.batch.shards(), accumulation = config.train.accumulation(),
                parts = shards * accumulation, count = processes.count();
  if (count <= parts) return;
  const std::string what =
      fmt::format("{} processes, but a step has {} (train.batch.shards {} x train.accumulation {})", count,
                  counted(parts, "part"), shards, accumulation);
  constexpr int64_t most_shards = 64;
  const int64_t wanted = (count + accumulation - 1) / accumulation;
  if (goes_on) refuse("{}, which are those that the run began with; start {} at the most", what, parts);
  if (wanted > most_shards) refuse("{}; start {} at the most", what, most_shards * accumulation);
  refuse("{}; write train.batch.shards: {}", what, wanted);
}

RunValues decisive(const Config& config, Device device, const Processes& processes) {
  static const std::set<std::string> free = {"threads", "device", "graphs", "logits_mib", "name"};
  RunValues out = {{"version", SEQGRAD_VERSION},
                   {"instruction set", row_passes<float>().isa},
                   {"oneDNN", onednn_version()},
                   {"MPI", processes.library()},
                   {"device", device == Device::cpu ? "cpu" : backend(device).describe()}};
  config.for_each_field([&](const FieldBase& field) {
    if (!free.contains(field.path())) out.emplace_back(field.path(), field.yaml());
  });
  return out;
}

void add_data(RunValues& values, const Data& data, const LossSetup& loss) {
  for (const Content& c : contents_of(data, loss)) values.emplace_back("data, " + c.name, c.text());
  values.emplace_back("source vocabulary", data.source->fingerprint());
  values.emplace_back("target vocabulary", data.target->fingerprint());
}

void require_same(Processes& processes, const RunValues& mine) {
  if (processes.count() == 1) return;
  const auto all = gather_together(processes, [&] {
    ByteWriter out;
    out.add(mine.size());
    for (const auto& [name, value] : mine) out.add_all(name), out.add_all(value);
    return out.take();
  });
  std::vector<RunValues> of(all.size());
  for (size_t rank = 0; rank < all.size(); ++rank) {
    ByteReader in(all[rank]);
    for (auto count = in.next<size_t>(); count > 0; --count) {
      std::string name = in.next_text();
      of[rank].emplace_back(std::move(name), in.next_text());
    }
  }
  const auto other = std::find_if(of.begin(), of.end(), [&](const RunValues& v) { return v != of[0]; });
  if (other == of.end()) return;
  const std::vector<std::string> hosts = hosts_of(processes);
  const auto rank = static_cast<size_t>(other - of.begin());
  const auto [first, second] = std::mismatch(of[0].begin(), of[0].end(), other->begin(), other->end());
  const auto shown_of = [](const RunValues& all_values, RunValues::const_iterator at) {
    return at == all_values.end() ? "nothing" : at->first + ": " + at->second;
  };
  throw AgreedError(ExitCode::refused,
                    fmt::format("rank {} (host {}) has {}; rank 0 (host {}) has {}", rank, hosts[rank],
                                shown_of(*other, second), hosts[0], shown_of(of[0], first)));
}

// The numbers of the cores that this process may run on.
static std::vector<int32_t> allowed_cores() {
  std::vector<int32_t> out;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) out.push_back(i);
  } else {  // more than fit in a set: none of them is bound
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) out.push_back(static_cast<int32_t>(i));
  }
  return out;
}

Cores cores_of(Processes& processes) {
  const std::vector<int32_t> mine = allowed_cores();
  const auto all = gather_together(processes, [&] {
    ByteWriter out;
    out.add_all(processes.host());
    out.add_all(mine);
    return out.take();
  });
  int64_t here = 0;                        // processes of this host
  std::vector<int> users(mine.size(), 0);  // of each core
  std::vector<std::string> hosts;
  for (const Bytes& one : all) {
    ByteReader in(one);
    if (hosts.emplace_back(in.next_text()) != processes.host()) continue;
    ++here;
    const std::vector<int32_t> cores = in.next_all<int32_t>();
    for (size_t i = 0; i < mine.size(); ++i) users[i] += std::binary_search(cores.begin(), cores.end(), mine[i]);
  }
  double own = 1e-9;
  for (const int n : users) own += 1.0 / n;
  const int64_t online = std::max<int64_t>(std::ssize(mine), sysconf(_SC_NPROCESSORS_ONLN));
  return {std::max<int64_t>(1, static_cast<int64_t>(own)), std::max<int64_t>(1, online / here), hosts};
}

std::string cores_note(const Cores& cores, int64_t threads) {
  if (threads > cores.own)
    return fmt::format(
        "warning: {} on {} in each process (mpirun binds processes to cores; --bind-to none leaves them "
        "free)",
        counted(threads, "thread"), counted(cores.own, "core"));
  if (threads == cores.own && cores.share >= 2 * cores.own)
    return fmt::format("note: each process is bound to {}; mpirun --bind-to none would let it use {}",
                       counted(cores.own, "core"), cores.share);
  return "";
}

ProcessSettings apply_process_settings(const Config& config, Processes& processes) {
  if (processes.count() == 1) return apply_process_settings(config);
  const Cores cores = cores_of(processes);
  if (has_backend(Device::cuda)) backend(Device::cuda).choose(processes.local_rank());
  ProcessSettings settings = apply_process_settings(config, cores.own);
  settings.hosts = cores.hosts;
  settings.mpi = processes.library();
  const std::set<std::string> hosts(settings.hosts.begin(), settings.hosts.end());
  settings.shared =
      fmt::format("{} on {}", counted(processes.count(), "process", "processes"), counted(std::ssize(hosts), "host"));
  if (const std::string note = cores_note(cores, threads()); !note.empty()) settings.shared += "\n" + note;
  return settings;
}

}  // namespace seqgrad
