// The handler does nothing but set the flag, or leave. It runs on a stack of its own: oneDNN's products use the stack
// pointer for buffers on the heap, and what the system puts under it at a signal would overwrite others' memory.
#include "engine/io/signals.h"

#include <unistd.h>

#include <csignal>

namespace seqgrad {

static volatile std::sig_atomic_t asked = 0;

static void on_signal(int number) {
  if (asked) _exit(128 + number);
  asked = number;
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
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void catch_stop_signals() { set_handler(on_signal); }
void release_stop_signals() { set_handler(SIG_DFL); }

int stop_signal() { return asked; }

}  // namespace seqgrad
