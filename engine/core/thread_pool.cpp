// Whoever waits spins for a short, bounded time and then sleeps, and nobody waits for a thread that has taken no block:
// on a busy machine a worker that the system has not woken yet, or has taken the core from, must not hold up the
// others.
#include "engine/core/thread_pool.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Waits until `value` is no longer `old`: first awake, for as long as the serial parts between two regions mostly last
// (waking a sleeper costs as much), then asleep. The sleeper lets a thread that waits for a core, perhaps the one it
// waits for, have this one.
void wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
  constexpr auto longest = std::chrono::microseconds(100);
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 32; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() - start < longest);
  value.wait(old, std::memory_order_acquire);
}

class Pool {
 public:
  // Workers take no signals: a handler's frame must not land where a product keeps the stack pointer (io/signals.cpp).
  explicit Pool(int threads) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::string refused;
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& e) {
      refused = e.code().message();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (refused.empty()) return;
    const int got = this->threads();
    end();
    system_failure(
        "threads: the system gave {} of {} threads ({}); ask for fewer (threads: {}), or allow more "
        "processes (ulimit -u) or memory (ulimit -v)",
        got, threads, refused, got);
  }

  ~Pool() { end(); }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int64_t count, void (*f)(const void*, int64_t), const void* context) {
    run_ = f;
    context_ = context;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    inside_.store(0, std::memory_order_release);  // open
    announce();
    take_blocks();
    for (uint32_t left = inside_.fetch_or(closed) | closed; left != closed; left = inside_.load())
      wait_while(inside_, left);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void end() {
    stop_.store(true);
    announce();
    for (std::thread& w : workers_) w.join();
    workers_.clear();
  }

  static constexpr uint32_t closed = uint32_t{1} << 31;

  void announce() {
    round_.fetch_add(1);
    round_.notify_all();
  }

  void take_blocks() {
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      try {
        run_(context_, i);
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
  }

  // Counts this worker in, unless the caller has no block left to give away.
  bool enter() {
    uint32_t n = inside_.load();
    while (!(n & closed))
      if (inside_.compare_exchange_weak(n, n + 1)) return true;
    return false;
  }

  void work() {
    uint32_t seen = 0;
    for (;;) {
      wait_while(round_, seen);
      seen = round_.load();
      if (stop_.load()) return;
      if (!enter()) continue;
      take_blocks();
      if (inside_.fetch_sub(1) == closed + 1) inside_.notify_one();
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<uint32_t> round_{0};        // how many runs have been announced
  std::atomic<uint32_t> inside_{closed};  // workers that may be running a block; `closed`: no more may enter
  std::atomic<int64_t> next_{0};
  std::atomic<bool> stop_{false};
  int64_t count_ = 0;
  void (*run_)(const void*, int64_t) = nullptr;
  const void* context_ = nullptr;
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

struct Workers {
  std::mutex busy;  // held by the one caller that the pool works for
  std::atomic<std::thread::id> caller{};
  std::unique_ptr<Pool> pool;  // guarded by `busy`
  std::atomic<int> threads{1};
};
Workers workers;

}  // namespace

void set_threads(int count) {
  if (count < 1 || count > 1024) refuse("threads: expected 1 to 1024, got {}", count);
  const std::lock_guard lock(workers.busy);
  if (count == threads()) return;
  workers.pool.reset();
  workers.threads = 1;
  if (count > 1) workers.pool = std::make_unique<Pool>(count);
  workers.threads = count;
}

int threads() { return workers.threads; }

void detail::run_blocks(int64_t count, void (*run)(const void*, int64_t), const void* context) {
  const auto run_in_place = [&] {
    for (int64_t i = 0; i < count; ++i) run(context, i);
  };
  // From inside a block the pool is taken: by this thread, which must not ask for the mutex again, or by its caller.
  if (count <= 1 || threads() == 1 || workers.caller == std::this_thread::get_id()) return run_in_place();
  const std::unique_lock lock(workers.busy, std::try_to_lock);
  if (!lock || !workers.pool) return run_in_place();
  struct Calling {
    Calling() { workers.caller = std::this_thread::get_id(); }
    ~Calling() { workers.caller = std::thread::id(); }
  } const calling;
  workers.pool->run(count, run, context);
}

}  // namespace seqgrad
