// A message is a span of the sender's memory, which waits in a queue until the receiver has copied it.
#include "engine/comm/comm_threads.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

struct World {
  explicit World(int count)
      : queues(static_cast<size_t>(count) * static_cast<size_t>(count)), given(static_cast<size_t>(count)) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<int> abandoned;                                // by whom, the code
  std::vector<std::deque<std::span<const std::byte>>> queues;  // [from, to]
  std::vector<std::vector<std::byte>> given;                   // to gather_all
  int arrived = 0, rounds = 0;                                 // at the barrier; barriers passed

  // Waits until ready(), or throws Abandoned.
  template <class F>
  void wait(std::unique_lock<std::mutex>& lock, const F& ready) {
    // In slices, since wait() without an end asks for a newer libstdc++ than a wheel may.
    while (!abandoned && !ready()) changed.wait_for(lock, std::chrono::seconds(1));
    if (abandoned) throw Abandoned{*abandoned};
  }
  void barrier(std::unique_lock<std::mutex>& lock) {
    const int round = rounds;
    if (++arrived == static_cast<int>(given.size())) {
      arrived = 0;
      ++rounds;
      changed.notify_all();
    }
    wait(lock, [&] { return rounds != round; });
  }
  void abandon(int code) {
    const std::scoped_lock lock(mutex);
    if (!abandoned) abandoned = code;
    changed.notify_all();
  }
};

class ThreadProcess final : public Processes {
 public:
  ThreadProcess(World& world, int rank, int count) : Processes(rank, count, rank, "here", "threads"), world_(world) {}

  void exchange(std::span<const Outgoing> mine, std::span<const Incoming> wanted) override {
    std::unique_lock lock(world_.mutex);
    for (const Outgoing& m : mine) queue(rank(), m.to).push_back(m.bytes);
    world_.changed.notify_all();
    for (const Incoming& w : wanted) {
      auto& from = queue(w.from, rank());
      world_.wait(lock, [&] { return !from.empty(); });
      if (from.front().size() != w.bytes.size())
        refuse("exchange: process {} waits for {} bytes of process {}, which sends {}", rank(), w.bytes.size(), w.from,
               from.front().size());
      if (!w.bytes.empty()) std::memcpy(w.bytes.data(), from.front().data(), w.bytes.size());
      from.pop_front();
    }
    world_.changed.notify_all();
    world_.wait(lock, [&] {
      return std::all_of(mine.begin(), mine.end(), [&](const Outgoing& m) { return queue(rank(), m.to).empty(); });
    });
  }

  std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine) override {
    std::unique_lock lock(world_.mutex);
    world_.given[static_cast<size_t>(rank())].assign(mine.begin(), mine.end());
    world_.barrier(lock);
    auto out = world_.given;
    world_.barrier(lock);
    return out;
  }

  void leave() override {
    std::unique_lock lock(world_.mutex);
    world_.barrier(lock);
  }

  [[noreturn]] void abandon(int code) override {
    world_.abandon(code);
    throw Abandoned{code};
  }

 private:
  std::deque<std::span<const std::byte>>& queue(int from, int to) {
    return world_.queues[static_cast<size_t>(from) * static_cast<size_t>(count()) + static_cast<size_t>(to)];
  }

  World& world_;
};

}  // namespace

void run_as_processes(int count, const std::function<void(Processes&)>& f) {
  World world(count);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank)
    threads.emplace_back([&, rank] {
      ThreadProcess process(world, rank, count);
      try {
        f(process);
      } catch (const Abandoned&) {
      } catch (...) {
        errors[static_cast<size_t>(rank)] = std::current_exception();
        world.abandon(static_cast<int>(ExitCode::no));
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);
  if (world.abandoned) throw Abandoned{*world.abandoned};
}

}  // namespace seqgrad
