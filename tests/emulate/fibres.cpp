// Threads of a block as fibres. One that meets no barrier ends in the fibre that began it, and the next thread goes on
// there: kernels without barriers run as a plain loop.
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
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
// Present in builds with the thread sanitizer (scripts/check/racecheck.sh).
extern "C" {
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* address);
[[gnu::weak]] void __tsan_release(void* address);
}

namespace emulate {
namespace {

constexpr size_t stack_bytes = 256 << 10;
constexpr int warp = 32;

enum class State : uint8_t { not_begun, runs, at_block_barrier, at_warp_barrier, done };

// Races between the threads of a kernel, as the thread sanitizer finds them: each thread of a block is a thread to it,
// on a stack of its own, ordered by the launch, barriers and the end of the kernel; blocks are not ordered at all, and
// shuffles order nothing.
struct Races {
  std::vector<void*> threads;  // by their number in the block
  void* host = nullptr;
  char launch = 0, end = 0, barrier[2] = {};  // what happens before and after which
  std::vector<double> shared;                 // of all blocks since it was last used up: the next is no race with these
  size_t used = 0;
  bool ordered = false;  // it was used up in this kernel: what follows it there is ordered

  static bool are_looked_for() { return __tsan_create_fiber != nullptr; }
  static void switch_to(void* thread) {
    constexpr unsigned orders_nothing = 1;
    __tsan_switch_to_fiber(thread, orders_nothing);
  }
  void begin_kernel() {
    host = __tsan_get_current_fiber();
    ordered = false;
    __tsan_release(&launch);
  }
  void end_kernel() { __tsan_acquire(&end); }
  void begin_thread() {
    __tsan_acquire(&launch);
    if (ordered) __tsan_acquire(&end);
  }
  void end_thread() { __tsan_release(&end); }
  void* thread(int number) {
    while (threads.size() <= static_cast<size_t>(number)) threads.push_back(__tsan_create_fiber(0));
    return threads[static_cast<size_t>(number)];
  }
  double* memory_of_block(size_t doubles) {
    constexpr size_t all = size_t{4} << 20;
    if (shared.empty()) shared.resize(all);
    if (used + doubles > all) used = 0, ordered = true;
    double* at = shared.data() + used;
    used += doubles;
    return at;
  }
};
Races& races() {
  static Races& r = *new Races;
  return r;
}

struct Fibre {
  jmp_buf at;
  ucontext_t first;  // then wherever it is, when races are looked for: the sanitizer does not know such jumps
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
  uint8_t parity;       // of its shuffles: two slots suffice, a barrier lies between any two
  uint8_t barrier = 0;  // parity of its barriers
};

struct Machine {
  jmp_buf home;
  ucontext_t home_context;
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
  double* memory = nullptr;  // of the block

  int thread_at(int i) const { return reverse ? block - 1 - i : i; }
};
Machine& machine() {
  static Machine& m = *new Machine;
  return m;
}

// The jumps go from stack to stack, so nothing with a destructor may live in these functions.
void leave(Fibre* f) {  // to the scheduler, and back when it resumes
  if (Races::are_looked_for()) {
    Races::switch_to(races().host);
    swapcontext(&f->first, &machine().home_context);
    return;
  }
  if (_setjmp(f->at) != 0) {
    if (__sanitizer_finish_switch_fiber)
      __sanitizer_finish_switch_fiber(f->saved, &machine().home_bottom, &machine().home_size);
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
  const bool alone = Races::are_looked_for();  // on this stack
  for (;;) {
    do {
      self->thread = m.thread_at(m.begun++);
      Thread& t = m.threads[static_cast<size_t>(self->thread)];
      t = {State::runs, self, 0};
      threadIdx.x = static_cast<unsigned>(self->thread);
      if (alone) Races::switch_to(races().thread(self->thread)), races().begin_thread();
      m.call(m.context);
      if (alone) races().end_thread();
      m.threads[static_cast<size_t>(self->thread)].state = State::done;
    } while (!alone && m.begun < m.block);
    if (!alone) m.idle.push_back(self);
    leave(self);
  }
}

void resume(Fibre* f) {
  Machine& m = machine();
  m.running = f;
  if (Races::are_looked_for()) {
    if (f->thread >= 0) {
      threadIdx.x = static_cast<unsigned>(f->thread);
      Races::switch_to(races().thread(f->thread));
    }
    swapcontext(&m.home_context, &f->first);
    return;
  }
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
  Thread& t = m.threads[static_cast<size_t>(self->thread)];
  t.state = barrier;
  const bool orders = Races::are_looked_for() && barrier == State::at_block_barrier;
  char* const which = &races().barrier[t.barrier];
  if (orders) __tsan_release(which), t.barrier ^= 1;
  leave(self);
  if (orders) __tsan_acquire(which);
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
    if (Races::are_looked_for()) {
      while (m.fibres.size() < static_cast<size_t>(m.block)) new_fibre();
      f = m.fibres[static_cast<size_t>(m.thread_at(m.begun))].get();
    } else if (m.idle.empty()) {
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
  if (grid < 0 || grid > INT32_MAX || block <= 0 || block > 1024 || shared > most_shared())
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
  if (Races::are_looked_for()) races().begin_kernel();
  for (int64_t b = 0; b < grid; ++b) {
    blockIdx.x = static_cast<unsigned>(m.reverse ? grid - 1 - b : b);
    const size_t doubles = (shared + 7) / 8;
    if (Races::are_looked_for()) {
      m.memory = races().memory_of_block(doubles);
    } else {
      m.shared.resize(std::max<size_t>(1, doubles));
      m.memory = m.shared.data();
    }
    for (size_t i = 0; i < doubles; ++i) m.memory[i] = std::nan("");  // whatever was there before
    run_block();
  }
  if (Races::are_looked_for()) races().end_kernel();
}

void set_reverse_order(bool reverse) { machine().reverse = reverse; }
int64_t launches() { return machine().launches; }
void* block_memory() { return machine().memory; }
void block_barrier() { wait_at(State::at_block_barrier); }

// Not memcpy, which the thread sanitizer looks at.
static void copy(void* to, const void* from, size_t bytes) {
  if (bytes == 8)
    *static_cast<uint64_t*>(to) = *static_cast<const uint64_t*>(from);
  else if (bytes == 4)
    *static_cast<uint32_t*>(to) = *static_cast<const uint32_t*>(from);
  else
    fault("a shuffle of " + std::to_string(bytes) + " bytes");
}

void exchange(const void* mine, void* theirs, size_t bytes, unsigned lane) {
  Machine& m = machine();
  const unsigned me = threadIdx.x;
  uint8_t& parity = m.threads[me].parity;
  parity ^= 1;
  unsigned char* slots = m.slots.data() + (me / warp * 2 + parity) * warp * 8;
  copy(slots + me % warp * 8, mine, bytes);
  wait_at(State::at_warp_barrier);
  copy(theirs, slots + lane * 8, bytes);
}

}  // namespace emulate
