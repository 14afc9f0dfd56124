// What threads that stand for processes settle before they compute anything together.
#include <sched.h>

#include "engine/comm/comm_threads.h"
#include "engine/run/start_together.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

// The error that all of so many processes throw.
std::string error_of_all(int count, const std::function<void(Processes&)>& f) {
  std::vector<std::string> errors(static_cast<size_t>(count));
  run_as_processes(count, [&](Processes& p) { errors[static_cast<size_t>(p.rank())] = error_of([&] { f(p); }); });
  CHECK(errors == std::vector<std::string>(errors.size(), errors[0]));
  return errors[0];
}

}  // namespace

TEST_CASE("a process that would compute something else is named, with both values") {
  const auto differing = [](const std::string& one, const std::string& other) {
    return error_of_all(3, [&](Processes& p) {
      Config config;
      load(config, "", {"data.task=copy", p.rank() == 1 ? other : one});
      require_same(p, decisive(config, Device::cpu, p));
    });
  };
  CHECK(differing("optim.lr=0.1", "optim.lr=0.1").empty());
  CHECK(differing("threads=1", "threads=2").empty());
  CHECK(differing("optim.lr=0.1", "optim.lr=0.2") ==
        "2 rank 1 (host here) has optim.lr: 0.2; rank 0 (host here) has optim.lr: 0.1");
  CHECK(differing("model.attention=dot", "model.attention=none") ==
        "2 rank 1 (host here) has model.attention: none; rank 0 (host here) has model.attention: dot");
  const auto of_data = [](const std::string& other) {
    return error_of_all(2, [&](Processes& p) {
      Config config;
      load(config, "", {"data={task: copy, sizes: {train: 9, dev: 2, test: 2}}", p.rank() == 1 ? other : "seed=1"});
      RunValues values;
      add_data(values, load_data(config.data, static_cast<uint64_t>(config.seed())), {});
      require_same(p, values);
    });
  };
  CHECK(of_data("seed=1").empty());
  CHECK(has(of_data("seed=2"), "2 rank 1 (host here) has data, train: 9 pairs, content "));
  CHECK(error_of_all(2, [](Processes& p) {
          require_same(p, p.rank() == 0 ? RunValues{{"a", "1"}} : RunValues{{"a", "1"}, {"b", "2"}});
        }) == "2 rank 1 (host here) has b: 2; rank 0 (host here) has nothing");
}

TEST_CASE("more processes than a step has parts are refused with the line that gives each a part") {
  const auto said = [](int count, const std::vector<std::string>& set, bool goes_on = false) {
    std::vector<std::string> all = {"data.task=copy"};
    all.insert(all.end(), set.begin(), set.end());
    return error_of_all(count, [&](Processes& p) {
      Config config;
      load(config, "", all);
      require_parts(config, p, goes_on);
    });
  };
  CHECK(said(1, {}).empty());
  CHECK(said(4, {"train.batch.shards=2", "train.accumulation=2"}).empty());
  CHECK(said(4, {"train.batch.shards=2"}) ==
        "2 4 processes, but a step has 2 parts (train.batch.shards 2 x train.accumulation 1); write "
        "train.batch.shards: 4");
  CHECK(said(5, {"train.accumulation=2"}) ==
        "2 5 processes, but a step has 2 parts (train.batch.shards 1 x train.accumulation 2); write "
        "train.batch.shards: 3");
  CHECK(said(2, {}, true) ==
        "2 2 processes, but a step has 1 part (train.batch.shards 1 x train.accumulation 1), which are those that the "
        "run began with; start 1 at the most");
}

TEST_CASE("processes share the cores that they may all run on, and have for themselves those that only they may") {
  cpu_set_t all;
  REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
  const int cores = CPU_COUNT(&all);
  for (int count = 1; count <= 3; ++count)
    run_as_processes(count, [&](Processes& p) {
      const Cores c = cores_of(p);
      if (c.own != std::max(1, cores / count)) refuse("{} of {} have {} cores", count, cores, c.own);
    });
  if (cores < 2) return;
  run_as_processes(2, [&](Processes& p) {  // one core each, as mpirun -n 2 binds them
    int core = -1;
    for (int left = p.rank() + 1; left > 0; ++core) left -= CPU_ISSET(core + 1, &all) ? 1 : 0;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);  // of this thread
    const Cores c = cores_of(p);
    if (c.own != 1 || c.share != std::max(1L, sysconf(_SC_NPROCESSORS_ONLN) / 2))
      refuse("{} cores, {} of all", c.own, c.share);
  });
  CHECK(cores_note({2, 2}, 2).empty());
  CHECK(cores_note({1, 1}, 2).starts_with("warning: 2 threads on 1 core in each process (mpirun binds"));
  CHECK(cores_note({1, 32}, 1) == "note: each process is bound to 1 core; mpirun --bind-to none would let it use 32");
}
