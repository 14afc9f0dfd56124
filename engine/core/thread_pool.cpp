// Workers spin for a short, bounded time before they sleep: a busy machine must not pay for waiting.
#include "engine/core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

constexpr int spins = 2000;  // some 10 us of pauses; waking a sleeping thread costs about 50

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

thread_local bool inside_block = false;

class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }

  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      generation_.fetch_add(1);
    }
    wake_.notify_all();
    for (std::thread& w : workers_) w.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int64_t count, void (*f)(const void*, int64_t), const void* context) {
    {
      const std::lock_guard lock(mutex_);
      run_ = f;
      context_ = context;
      count_ = count;
      next_.store(0);
      busy_.store(static_cast<int>(workers_.size()));
      generation_.fetch_add(1);
    }
    if (sleeping_.load() > 0) wake_.notify_all();
    take_blocks();
    for (int i = 0; busy_.load(std::memory_order_acquire) != 0; ++i) {
      if (i < spins)
        pause_briefly();
      else
        std::this_thread::yield();
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void take_blocks() {
    inside_block = true;
    for (int64_t i; (i = next_.fetch_add(1)) < count_;) {
      try {
        run_(context_, i);
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
    inside_block = false;
  }

  void work() {
    uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < spins && generation_.load(std::memory_order_acquire) == seen; ++i) pause_briefly();
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex_);
        sleeping_.fetch_add(1);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        sleeping_.fetch_sub(1);
      }
      {
        const std::lock_guard lock(mutex_);
        seen = generation_.load();
        if (stop_) return;
      }
      take_blocks();
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_, error_mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> busy_{0}, sleeping_{0};
  std::atomic<int64_t> next_{0};
  int64_t count_ = 0;
  void (*run_)(const void*, int64_t) = nullptr;
  const void* context_ = nullptr;
  std::exception_ptr error_;
  bool stop_ = false;
};

std::unique_ptr<Pool> pool;

}  // namespace

void set_threads(int count) {
  if (count < 1 || count > 1024) refuse("threads: expected 1 to 1024, got {}", count);
  if (count == threads()) return;
  pool.reset();
  if (count > 1) pool = std::make_unique<Pool>(count);
}

int threads() { return pool ? pool->threads() : 1; }

void detail::run_blocks(int64_t count, void (*run)(const void*, int64_t), const void* context) {
  if (!pool || count <= 1 || inside_block) {
    for (int64_t i = 0; i < count; ++i) run(context, i);
  } else {
    pool->run(count, run, context);
  }
}

}  // namespace seqgrad
