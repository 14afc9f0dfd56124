// Processes over each MPI that was found: the same conversation as between threads, and how all end when one does.
#include <chrono>
#include <csignal>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace {

struct Mpi {
  std::string family, mpirun;
  std::string object() const {
    return (std::filesystem::path(SEQGRAD_BINARY).parent_path() / ("libseqgrad_" + family + ".so")).string();
  }
};

std::vector<Mpi> found_mpis() {
  std::ifstream in(std::filesystem::path(SEQGRAD_BINARY).parent_path() / "mpiruns.txt");
  std::vector<Mpi> out;
  for (Mpi m; in >> m.family >> m.mpirun;)
    if (std::filesystem::exists(m.mpirun)) out.push_back(m);
  if (out.empty()) WARN("skipped: no MPI was found");
  return out;
}

// mpirun as any user and on any number of cores. MPIs do not free all that they take.
Result run_processes(const Mpi& mpi, int count, const std::string& command) {
  const Scratch dir;
  const std::string line = fmt::format(
      "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 60 "
      "{} --map-by :OVERSUBSCRIBE --bind-to none -n {} {} > {} 2> {}",
      mpi.mpirun, count, command, dir / "out", dir / "err");
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), slurp(dir / "out"), slurp(dir / "err")};
}

std::string process(const Mpi& mpi, int64_t longest, const std::string& what) {
  return fmt::format("{} {} {} {}", SEQGRAD_MPI_PROCESS, mpi.object(), longest, what);
}

std::set<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> out;
  for (std::string line; std::getline(in, line);) out.insert(line);
  return out;
}

}  // namespace

TEST_CASE("processes of an MPI get what each has for it, in messages of one part and of many") {
  for (const Mpi& mpi : found_mpis())
    for (int count = 1; count <= 4; ++count)
      for (const int64_t longest :
           {int64_t{1} << 40, int64_t{50'000}}) {  // more than MPI takes, and less than a message
        const Result r = run_processes(mpi, count, process(mpi, longest, "talk"));
        INFO(mpi.mpirun << " " << r.out << r.err);
        CHECK(r.code == 0);
        const std::set<std::string> said = lines_of(r.out);
        CHECK(static_cast<int>(said.size()) == count);
        for (const std::string& line : said) {
          CHECK_THAT(line, Catch::Matchers::Contains(
                               fmt::format("of {} {}", count, mpi.family == "mpich" ? "MPICH " : "Open MPI ")));
          CHECK_THAT(line, Catch::Matchers::EndsWith(" right"));
        }
      }
}

TEST_CASE("when a process of an MPI abandons, vanishes or is misunderstood, all end") {
  for (const Mpi& mpi : found_mpis())
    for (const std::string what : {"abandon", "vanish", "short"}) {
      const auto begin = std::chrono::steady_clock::now();
      const Result r = run_processes(mpi, 3, process(mpi, 1 << 20, what));
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      INFO(mpi.mpirun << " " << what << " " << r.out << r.err);
      const int code = what == "short" ? 3 : 7;
      if (mpi.family == "openmpi" || what == "abandon")
        CHECK(r.code == code);
      else  // that of the first process which MPICH's mpirun sees end: it may have killed that one
        CHECK((r.code == code || r.code == SIGKILL));
      CHECK(took.count() < 50);  // where they do not, `timeout` ends them after 60 s
      if (what == "short") CHECK_THAT(r.err, Catch::Matchers::Contains("waits for 3 bytes of process"));
    }
}

// Lines that say an error, whoever wrote them; mpirun adds words of its own.
std::vector<std::string> errors_of(const Result& r) {
  std::istringstream in(r.err);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);)
    if (line.find("error: ") != std::string::npos) out.push_back(line);
  return out;
}

TEST_CASE("what is mistyped in all processes is said once, what is in one alone with its rank") {
  const std::string seqgrad = SEQGRAD_BINARY,
                    good = seqgrad + " train /dev/null --set data.task=copy --set train.batch.shards=4 --dry-run";
  for (const Mpi& mpi : found_mpis())
    for (const auto& [command, words] : std::vector<std::pair<std::string, std::string>>{
             {seqgrad + " train /dev/null --step 3", "error: train: unknown option '--step'"},
             {seqgrad + " trian /dev/null", "error: unknown command 'trian'"},
             {seqgrad + " bench steps", "error: bench: expected "},
             {good + " --set optim.lrr=1", "--set optim.lrr=1: error: unknown key 'lrr'"},
             {good + " : -n 1 " + seqgrad + " train /dev/null --step 3", "rank 2 (host "},
             {good + " : -n 1 " + good + " --set optim.lrr=1", "rank 2 (host "}}) {
      const Result r = run_processes(mpi, 2, command);
      INFO(mpi.mpirun << " " << command << " " << r.out << r.err);
      CHECK((r.code == 2 || (mpi.family == "mpich" && r.code == SIGKILL)));
      const std::vector<std::string> errors = errors_of(r);
      REQUIRE(errors.size() == 1);
      CHECK_THAT(errors[0], Catch::Matchers::Contains(words));
    }
}

TEST_CASE("a program that another MPI's mpirun starts says the names of both") {
  for (const Mpi& mpi : found_mpis()) {
    const Scratch dir;  // as where seqgrad was built for one MPI alone
    std::filesystem::copy(SEQGRAD_BINARY, dir.path / "seqgrad");
    std::filesystem::copy(mpi.object(), dir.path / std::filesystem::path(mpi.object()).filename());
    const bool mpich = mpi.family == "mpich";
    const std::string variable = mpich ? "OMPI_COMM_WORLD_SIZE=2" : "PMI_SIZE=2";
    const int status = std::system(
        fmt::format("{} {} bench exchange > {} 2> {}", variable, dir / "seqgrad", dir / "out", dir / "err").c_str());
    CHECK(WEXITSTATUS(status) == 2);
    CHECK_THAT(slurp(dir / "err"), Catch::Matchers::StartsWith(
                                       mpich ? "error: started by Open MPI's mpirun as one of 2 processes, but seqgrad "
                                               "was built with MPICH "
                                             : "error: started by MPICH's mpirun as one of 2 processes, but seqgrad "
                                               "was built with Open MPI "));
  }
}

TEST_CASE("a program without MPI that a launcher starts as one of several says so") {
  const Scratch dir;
  std::filesystem::copy(SEQGRAD_BINARY, dir.path / "seqgrad");
  const std::string command =
      dir / "seqgrad" + " bench exchange --megabytes 1 --steps 1 > /dev/null 2> " + (dir / "err");
  CHECK(WEXITSTATUS(std::system(("OMPI_COMM_WORLD_SIZE=2 " + command).c_str())) == 2);
  CHECK_THAT(slurp(dir / "err"),
             Catch::Matchers::StartsWith(
                 "error: started by Open MPI's mpirun as one of 2 processes, but seqgrad was built without MPI"));
  CHECK(WEXITSTATUS(std::system(("SLURM_STEP_NUM_TASKS=2 " + command).c_str())) == 2);
  CHECK_THAT(slurp(dir / "err"), Catch::Matchers::Contains("which nothing connects: each would work alone"));
  CHECK(WEXITSTATUS(std::system(("OMPI_COMM_WORLD_SIZE=1 " + command).c_str())) == 0);  // needs none
}
