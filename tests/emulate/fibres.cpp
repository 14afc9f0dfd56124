// Threads of a block as fibres. One that meets no barrier ends in the fibre that began it, and the next thread goes on
// there: kernels without barriers run as a plain loop.
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/emulate/gpu_emulator.h"

// Present in builds with the address sanitizer, which has to know the stack that is in use.
extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** save, const void* bottom, size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* saved, const void** bottom, size_t* size);
}

namespace emulate {
namespace {

constexpr size_t stack_bytes = 256 << 10;
constexpr int warp = 32;

enum class State : uint8_t { not_begun, runs, at_block_barrier, at_warp_barrier, done };

struct Fibre {
  jmp_buf at;
  ucontext_t first;
  void* stack;
  void* saved = nullptr;  // the sanitizer's
  int thread = -1;
  bool entered = false;

  Fibre() {
    stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) throw std::bad_alloc();
  }
  ~Fibre() { munmap(stack, stack_bytes); }
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;
};

struct Thread {
  State state;
  Fibre* fibre;
  uint8_t parity;  // of its shuffles: two slots suffice, a barrier lies between any two
};

struct Machine {
  jmp_buf home;
  void* home_saved = nullptr;
  const void* home_bottom = nullptr;
  size_t home_size = 0;
  std::vector<std::unique_ptr<Fibre>> fibres;
  std::vector<Fibre*> idle;
  Fibre* running = nullptr;

  bool reverse = false;
  int64_t launches = 0;
  void (*call)(const void*) = nullptr;
  const void* context = nullptr;
  int block = 0, begun = 0;
  std::vector<Thread> threads;
  std::vector<unsigned char> slots;  // [warps][2][32] of 8 bytes
  std::vector<double> shared;

  int thread_at(int i) const { return reverse ? block - 1 - i : i; }
};
Machine& machine() {
  static Machine& m = *new Machine;
  return m;
}

// The jumps go from stack to stack, so nothing with a destructor may live in these functions.
void leave(Fibre* f) {  // to the scheduler, and back when it resumes
  if (_setjmp(f->at) != 0) {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(f->saved, nullptr, nullptr);
    return;
  }
  if (__sanitizer_start_switch_fiber)
    __sanitizer_start_switch_fiber(&f->saved, machine().home_bottom, machine().home_size);
  _longjmp(machine().home, 1);
}

void fibre_main() {
  Machine& m = machine();
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, &m.home_bottom, &m.home_size);
  Fibre* self = m.running;
  for (;;) {
    while (m.begun < m.block) {
      self->thread = m.thread_at(m.begun++);
      Thread& t = m.threads[static_cast<size_t>(self->thread)];
      t = {State::runs, self, 0};
      threadIdx.x = static_cast<unsigned>(self->thread);
      m.call(m.context);
      m.threads[static_cast<size_t>(self->thread)].state = State::done;
    }
    m.idle.push_back(self);
    leave(self);
  }
}

void resume(Fibre* f) {
  Machine& m = machine();
  m.running = f;
  if (_setjmp(m.home) == 0) {
    if (f->thread >= 0) threadIdx.x = static_cast<unsigned>(f->thread);
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&m.home_saved, f->stack, stack_bytes);
    if (f->entered) _longjmp(f->at, 1);
    f->entered = true;
    setcontext(&f->first);
  }
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(m.home_saved, nullptr, nullptr);
}

Fibre* new_fibre() {
  Machine& m = machine();
  m.fibres.push_back(std::make_unique<Fibre>());
  Fibre* f = m.fibres.back().get();
  getcontext(&f->first);
  f->first.uc_stack.ss_sp = f->stack;
  f->first.uc_stack.ss_size = stack_bytes;
  f->first.uc_link = nullptr;
  makecontext(&f->first, fibre_main, 0);
  return f;
}

[[noreturn]] void fault(const std::string& what) {
  Machine& m = machine();
  m.idle.clear();
  m.fibres.clear();  // their threads end here, wherever they are
  throw std::logic_error("kernel: " + what);
}

void wait_at(State barrier) {
  Machine& m = machine();
  Fibre* self = m.running;
  m.threads[static_cast<size_t>(self->thread)].state = barrier;
  leave(self);
}

// Opens barriers that all their threads have reached. Whether any opened.
bool open_barriers() {
  Machine& m = machine();
  bool opened = false;
  const auto open = [&](int begin, int end, State barrier) {
    for (int i = begin; i < end; ++i)
      if (m.threads[static_cast<size_t>(i)].state != barrier) return;
    for (int i = begin; i < end; ++i) m.threads[static_cast<size_t>(i)].state = State::runs;
    opened = true;
  };
  open(0, m.block, State::at_block_barrier);
  for (int w = 0; w < m.block; w += warp) open(w, w + warp, State::at_warp_barrier);
  return opened;
}

void run_block() {
  Machine& m = machine();
  m.begun = 0;
  m.threads.assign(static_cast<size_t>(m.block), {State::not_begun, nullptr, 0});
  while (m.begun < m.block) {
    Fibre* f = nullptr;
    if (m.idle.empty()) {
      f = new_fibre();
    } else {
      f = m.idle.back();
      m.idle.pop_back();
    }
    f->thread = -1;
    resume(f);
  }
  while (open_barriers())
    for (int i = 0; i < m.block; ++i)
      if (Thread& t = m.threads[static_cast<size_t>(m.thread_at(i))]; t.state == State::runs) resume(t.fibre);
  int waiting = 0;
  for (const Thread& t : m.threads) waiting += t.state != State::done;
  if (waiting > 0)
    fault(std::to_string(waiting) + " of " + std::to_string(m.block) +
          " threads of a block wait at a barrier or shuffle that the others do not reach");
}

}  // namespace

cudaError_t injected(const char* function);

void run(int64_t grid, int block, size_t shared, void (*call)(const void*), const void* context) {
  Machine& m = machine();
  if (injected("launch") != cudaSuccess) return;
  if (grid < 0 || grid > INT32_MAX || block <= 0 || block > 1024 || shared > most_shared)
    fault("no GPU runs " + std::to_string(grid) + " blocks of " + std::to_string(block) + " threads and " +
          std::to_string(shared) + " bytes of shared memory");
  if (block % warp != 0) fault("a block of " + std::to_string(block) + " threads is not made of whole warps");
  ++m.launches;
  m.call = call;
  m.context = context;
  m.block = block;
  m.slots.resize(static_cast<size_t>(block) * 2 * 8);
  blockDim = {static_cast<unsigned>(block), 1, 1};
  gridDim = {static_cast<unsigned>(grid), 1, 1};
  const DeviceAccess access;
  for (int64_t b = 0; b < grid; ++b) {
    blockIdx.x = static_cast<unsigned>(m.reverse ? grid - 1 - b : b);
    m.shared.assign((shared + 7) / 8, std::nan(""));  // whatever was there before
    run_block();
  }
}

void set_reverse_order(bool reverse) { machine().reverse = reverse; }
int64_t launches() { return machine().launches; }
void* block_memory() { return machine().shared.data(); }
void block_barrier() { wait_at(State::at_block_barrier); }

void exchange(const void* mine, void* theirs, size_t bytes, unsigned lane) {
  Machine& m = machine();
  const unsigned me = threadIdx.x;
  uint8_t& parity = m.threads[me].parity;
  parity ^= 1;
  unsigned char* slots = m.slots.data() + (me / warp * 2 + parity) * warp * 8;
  std::memcpy(slots + me % warp * 8, mine, bytes);
  wait_at(State::at_warp_barrier);
  std::memcpy(theirs, slots + lane * 8, bytes);
}

}  // namespace emulate
