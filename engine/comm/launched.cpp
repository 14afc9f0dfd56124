// MPI's objects lie beside the program, or in lib beside its folder where it is installed.
#include "engine/comm/launched.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "engine/comm/mpi_object.h"
#include "engine/core/error.h"

namespace seqgrad {
namespace {

constexpr const char* families[] = {"openmpi", "mpich"};

std::string family_name(const std::string& family) { return family == "mpich" ? "MPICH" : "Open MPI"; }

std::filesystem::path object_of(const std::string& family) {
  std::error_code none;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
  const std::string name = "libseqgrad_" + family + ".so";
  for (const char* place : {".", "../" SEQGRAD_LIBDIR})
    if (const auto path = folder / place / name; std::filesystem::exists(path, none)) return path;
  return {};
}

struct Object {
  decltype(&seqgrad_mpi_name) name;
  decltype(&seqgrad_mpi_start) start;
};

Object open_object(const std::filesystem::path& path) {
  // Open MPI's plug-ins look for its symbols among those of the program.
  void* const object = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!object) system_failure("{}", dlerror());
  return {reinterpret_cast<decltype(&seqgrad_mpi_name)>(dlsym(object, "seqgrad_mpi_name")),
          reinterpret_cast<decltype(&seqgrad_mpi_start)>(dlsym(object, "seqgrad_mpi_start"))};
}

std::string processes_of(const Launcher& from) {
  return from.count ? fmt::format("one of {} processes", *from.count) : "one of several processes";
}

[[noreturn]] void refuse_foreign(const Launcher& from) {
  if (from.of.empty())
    refuse(
        "started by {} as {}, which nothing connects: each would work alone; write srun --mpi=pmix for Open MPI, "
        "--mpi=pmi2 for MPICH, or mpirun in a script of sbatch",
        from.name, processes_of(from));
  for (const std::string family : families)
    if (const auto path = object_of(family); !path.empty()) {
      std::string name;
      open_object(path).name(name);
      refuse(
          "started by {} as {}, but seqgrad was built with {}: each would work alone; start it with the mpirun of "
          "{}, or build seqgrad with {} too (-DSEQGRAD_MPICXX=mpicxx.{})",
          from.name, processes_of(from), name, family_name(family), family_name(from.of.front()), from.of.front());
    }
  refuse(
      "started by {} as {}, but seqgrad was built without MPI: each would work alone; install an MPI "
      "(scripts/setup.sh processes) and build again",
      from.name, processes_of(from));
}

Processes* start(const Launcher& from) {
  for (const std::string& family : from.of) {
    const auto path = object_of(family);
    if (path.empty()) continue;
    const Object object = open_object(path);
    std::string why;
    Processes* const all = object.start(std::numeric_limits<int>::max(), why);
    if (!all) system_failure("{}: {}", family_name(family), why);
    if (from.count && all->count() != *from.count)
      refuse(
          "started by {} as {}, of which {} sees {}: they do not belong together; start seqgrad with the mpirun of {}",
          from.name, processes_of(from), all->library(), all->count(), family_name(family));
    return all;
  }
  refuse_foreign(from);
}

// A process without others, so that what may be shared is written once.
class Alone final : public Processes {
 public:
  Alone() : Processes(0, 1, 0, "", "") {}

  void exchange(std::span<const Outgoing>, std::span<const Incoming>) override {}
  std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine) override {
    return {{mine.begin(), mine.end()}};
  }
  void leave() override {}
  [[noreturn]] void abandon(int code) override { std::exit(code); }
};

// That this one is among.
auto& all_processes() {
  static struct {
    Alone alone;
    Processes* opened = nullptr;  // as long as the program lives: MPI starts once
  } processes;
  return processes;
}

}  // namespace

Processes& alone() { return all_processes().alone; }

std::optional<Launcher> launcher(const Environment& environment) {
  const auto number = [&](const char* name) -> std::optional<int> {
    const char* const text = environment(name);
    return text ? std::optional(std::atoi(text)) : std::nullopt;
  };
  if (const auto n = number("OMPI_COMM_WORLD_SIZE")) return Launcher{"Open MPI's mpirun", n, {"openmpi"}};
  const auto tasks = number("SLURM_STEP_NUM_TASKS"), pmi = number("PMI_SIZE");
  if (pmi && pmi != tasks) return Launcher{"MPICH's mpirun", pmi, {"mpich"}};
  if (tasks && *tasks > 1) {
    if (pmi || environment("PMI_JOBID")) return Launcher{"srun", tasks, {"mpich", "openmpi"}};
    if (environment("PMIX_RANK")) return Launcher{"srun", tasks, {"openmpi", "mpich"}};
    return Launcher{"srun", tasks, {}};
  }
  if (!tasks && environment("PMIX_RANK")) return Launcher{"a launcher with PMIx", std::nullopt, {"openmpi", "mpich"}};
  return std::nullopt;
}

Processes& launched_processes() {
  Processes*& opened = all_processes().opened;
  if (!opened) {
    const auto from = launcher([](const char* name) -> const char* { return std::getenv(name); });
    opened = !from || from->count == 1 ? &alone() : start(*from);
  }
  return *opened;
}

Processes& opened_processes() {
  Processes* const opened = all_processes().opened;
  return opened ? *opened : alone();
}

}  // namespace seqgrad
