// The handler does nothing but set the flag, or leave.
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
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void catch_stop_signals() { set_handler(on_signal); }
void release_stop_signals() { set_handler(SIG_DFL); }

int stop_signal() { return asked; }

}  // namespace seqgrad
