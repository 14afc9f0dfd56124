// Several threads of a user at once: each has a tape of its own, and all have the same bits as alone.
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/loss/loss_tile.h"
#include "engine/ops/elementwise.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step_queue.h"
#include "tests/support/devices.h"
#include "tests/support/process.h"
#include "tests/support/random_batch.h"

using namespace seqgrad;

namespace {

// Threads back to one, whatever was thrown.
struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(1); }
};

void at_once(const std::vector<std::function<void()>>& calls) {
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> errors(calls.size());
  for (size_t i = 0; i < calls.size(); ++i)
    threads.emplace_back([&, i] {
      try {
        calls[i]();
      } catch (...) {
        errors[i] = std::current_exception();
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);
}

// A fused loss with products that are worth sharing among threads.
std::vector<float> loss_and_gradients(uint64_t seed, Device device) {
  constexpr int64_t rows = 300, classes = 700, width = 24;
  Random random(seed, 0);
  const auto drawn = [&](Shape shape) {
    std::vector<float> x;
    for (int64_t i = 0; i < shape.numel(); ++i) x.push_back(static_cast<float>(random.normal()));
    return variable(from_host(x, shape, device));
  };
  Tape::current().reset();
  LossInputs in;
  in.batch = rows, in.steps = 1, in.classes = classes;
  for (int64_t i = 0; i < rows; ++i) in.targets.push_back(static_cast<int64_t>(random.below(classes)));
  const Tensor h = drawn({rows, 1, width}), w = drawn({classes, width}), b = drawn({classes});
  const LossResult r = linear_sequence_loss(tanh(h), w, b, in, LossOptions{});
  Tape::current().backward(r.value);
  std::vector<float> out(r.row_loss.begin(), r.row_loss.end());
  for (const Tensor& x : {h, w, b})
    for (const float g : to_host<float>(grad(x))) out.push_back(g);
  return out;
}

struct Trained {
  uint64_t digest;
  std::vector<double> losses;
  bool operator==(const Trained&) const = default;
};

Trained train(uint64_t seed, Device device) {
  Config config;
  load(config, "",
       {"data.task=copy", "model.embedding=5", "model.encoder.hidden=4", "model.decoder.hidden=8",
        "model.dropout.hidden=0.2", "seed=" + std::to_string(seed)});
  const LossSetup loss = make_loss_setup(config.loss, 17);
  const auto model = make_model(config, {17, 17}, device);
  Trained out{};
  {
    StepQueue queue(*model, loss, config.optim);
    for (int64_t step = 1; step <= 4; ++step) {
      const ForwardContext context{true, seed, static_cast<uint64_t>(step), 0, 1};
      queue.run({random_batch(seed + static_cast<uint64_t>(step), 6, 7, 5)}, context, 0.01, step);
    }
    for (const StepResult& r : queue.collect()) out.losses.push_back(r.loss.numerator);
  }
  out.digest = model->store().digest();
  return out;
}

}  // namespace

TEST_CASE("losses of threads at once have the bits of each alone, on one pool") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    std::vector<std::vector<float>> alone;
    for (uint64_t seed = 0; seed < 3; ++seed) alone.push_back(loss_and_gradients(seed, device));
    const Threads pool(3);
    std::vector<std::function<void()>> calls;
    std::atomic<int> differences = 0;
    for (uint64_t seed = 0; seed < 3; ++seed)
      calls.push_back([&, seed] {
        for (int i = 0; i < 4; ++i) differences += loss_and_gradients(seed, device) != alone[seed];
      });
    at_once(calls);
    CHECK(differences == 0);
  }
}

TEST_CASE("models that threads train at once become what each becomes alone") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    const Trained first = train(1, device), second = train(2, device);
    CHECK(first.losses.size() == 4);
    const Threads pool(2);
    Trained got[2];
    at_once({[&] { got[0] = train(1, device); }, [&] { got[1] = train(2, device); }});
    CHECK(got[0] == first);
    CHECK(got[1] == second);
  }
}

TEST_CASE("settings of the process may be changed while another thread works") {
  const Threads pool(2);
  const std::vector<float> alone = loss_and_gradients(5, Device::cpu);
  std::atomic<bool> done = false;
  std::atomic<int> differences = 0;
  at_once({[&] {
             for (int i = 0; i < 6; ++i) differences += loss_and_gradients(5, Device::cpu) != alone;
             done = true;
           },
           [&] {
             while (!done) {
               for (const int n : {1, 3, 2}) set_threads(n);
               set_loss_tile_mib(1);
             }
           }});
  CHECK(differences == 0);
}

TEST_CASE("a busy pool runs a second caller's blocks on its own thread, what they call included") {
  const Threads pool(2);
  std::atomic<bool> begun = false, done = false;
  at_once({[&] {
             parallel_blocks(2, [&](int64_t) {
               begun = true;
               while (!done) std::this_thread::yield();
             });
           },
           [&] {
             while (!begun) std::this_thread::yield();
             const auto self = std::this_thread::get_id();
             int elsewhere = 0, ran = 0;
             parallel_blocks(8, [&](int64_t) {
               parallel_blocks(3, [&](int64_t) {
                 elsewhere += std::this_thread::get_id() != self;
                 ++ran;
               });
             });
             done = true;
             CHECK(elsewhere == 0);
             CHECK(ran == 24);
           }});
}

TEST_CASE("threads that the system refuses are an error of the system that says how many there were, and one is left") {
  set_threads(1);
  const Result r = in_a_process([] {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlim_t most = pages * 4096 + (40 << 20);  // room for the stacks of a few threads
    const rlimit limit{most, most};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(98);
    try {
      set_threads(500);
    } catch (...) {
      if (threads() != 1) _exit(97);
      int sum = 0;
      parallel_blocks(5, [&](int64_t i) { sum += static_cast<int>(i); });
      if (sum != 10) _exit(96);
      throw;
    }
  });
  CAPTURE(r.err);
  CHECK(r.code == 3);
  CHECK_THAT(r.err, Catch::Matchers::StartsWith("threads: the system gave ") &&
                        Catch::Matchers::Contains(" of 500 threads ("));
}
