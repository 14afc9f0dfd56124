// Which of several GPUs a process takes. It takes one for good, so that each choice is made in a program of its own.
#include <thread>

#include "engine/core/tape.h"
#include "engine/ops/elementwise.h"
#include "engine/run/start_together.h"
#include "tests/emulate/gpu_emulator.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

// The process of a number on its host, the others of which do what it does.
class OneOfMany final : public Processes {
 public:
  explicit OneOfMany(int local_rank) : Processes(8 + local_rank, 16, local_rank, "host", "") {}
  void exchange(std::span<const Outgoing>, std::span<const Incoming>) override {}
  std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine) override {
    return std::vector<std::vector<std::byte>>(static_cast<size_t>(count()), {mine.begin(), mine.end()});
  }
  void leave() override {}
  [[noreturn]] void abandon(int code) override { std::exit(code); }
};

// The GPU that all threads of a process of this number use, of so many.
int gpu_of(int local_rank, int gpus) {
  emulate::set_devices(gpus);
  Config config;
  load(config, "", {"data.task=copy", "device=cuda"});
  OneOfMany process(local_rank);
  apply_process_settings(config, process);
  std::vector<int> used;
  for (int i = 0; i < 2; ++i)
    std::thread([&] {
      const Tensor x = from_host(std::vector<float>{1, 2}, {2}, Device::cuda);
      CHECK(to_host<float>(add(x, x)) == std::vector<float>{2, 4});
      used.push_back(emulate::current_device());
      backend(Device::cuda).choose(0);  // too late
    }).join();
  CHECK(used[0] == used[1]);
  return used[0];
}

}  // namespace

TEST_CASE("processes of a host take its GPUs in turn, and all threads of one use the same") {
  constexpr const char* asked = "SEQGRAD_TEST_GPU_OF";  // "4 3": what the program of its own is to find out
  if (const char* numbers = std::getenv(asked)) {
    int local_rank = 0, gpus = 0;
    REQUIRE(std::sscanf(numbers, "%d %d", &local_rank, &gpus) == 2);
    CHECK(gpu_of(local_rank, gpus) == local_rank % gpus);
    return;
  }
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  for (const char* numbers : {"0 3", "2 3", "4 3", "5 1"}) {
    const Scratch dir;
    const int status = std::system(
        fmt::format("{}='{}' '{}' -# '[#test_gpu_of_process]' > {} 2>&1", asked, numbers, self, dir / "out").c_str());
    INFO(numbers << " " << slurp(dir / "out"));
    CHECK(status == 0);
    CHECK_THAT(slurp(dir / "out"), Catch::Matchers::Contains("All tests passed"));
  }
}
