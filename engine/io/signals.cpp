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

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() { return asked; }

}  // namespace seqgrad
