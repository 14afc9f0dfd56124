// The handler does nothing but set the flag, or leave. It runs on a stack of its own: oneDNN's products use the stack
// pointer for buffers on the heap, and what the system puts under it at a signal would overwrite others' memory.
#include "engine/io/signals.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

namespace seqgrad {

static constexpr int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
static volatile std::sig_atomic_t asked = 0;
static timespec asked_at{};  // written before `asked`, by the handler alone

static double seconds_since(const timespec& then) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - then.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec - then.tv_nsec);
}

static void on_signal(int number) {
  constexpr double one_wish = 1;  // seconds
  if (asked && seconds_since(asked_at) > one_wish) _exit(128 + number);
  if (asked) return;
  clock_gettime(CLOCK_MONOTONIC, &asked_at);
  asked = number;
}

static bool is_ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void set_handler(void (*handler)(int)) {
  alignas(64) static char memory[64 << 10];  // some 11 KiB are a thread's registers with AMX
  stack_t own{};
  own.ss_sp = memory;
  own.ss_size = sizeof memory;
  sigaltstack(&own, nullptr);
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  // One at a time: a handler that another one interrupts has not told yet when it was asked.
  for (const int number : stop_signals) sigaddset(&action.sa_mask, number);
  for (const int number : stop_signals)
    if (number != SIGHUP || !is_ignored(number)) sigaction(number, &action, nullptr);
}

void catch_stop_signals() { set_handler(on_signal); }
void release_stop_signals() { set_handler(SIG_DFL); }

int stop_signal() { return asked; }

}  // namespace seqgrad
