// The handler sets the flag, writes a line that was ready before, or leaves: nothing that is not async-signal-safe. It
// runs on a stack of its own: oneDNN's products use the stack pointer for buffers on the heap, and what the system puts
// under it at a signal would overwrite others' memory.
#include "engine/io/signals.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>

namespace seqgrad {

static constexpr int stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

// What the handler reads and writes.
struct SignalState {
  volatile std::sig_atomic_t asked = 0;
  timespec asked_at{};  // written before `asked`, by the handler alone
  std::atomic<const char*> answer_text{nullptr}, leaving_text{nullptr};
  std::atomic<bool> answered{false}, on_terminal{false};
  std::string leaving;               // what leaving_text points to
  alignas(64) char stack[64 << 10];  // some 11 KiB are a thread's registers with AMX
};
static_assert(std::atomic<const char*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);
static SignalState state;

static double seconds_since(const timespec& then) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - then.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec - then.tv_nsec);
}

static void write_line(const char* text) {
  const int kept = errno;
  // On a terminal the line that moves, or "^C", stands there.
  if ((!state.on_terminal || write(STDERR_FILENO, "\n", 1) == 1) && write(STDERR_FILENO, text, std::strlen(text)) < 0) {
    // Nobody reads it.
  }
  errno = kept;
}

static void answer() {
  if (const char* text = state.answer_text; text && state.asked && !state.answered.exchange(true)) write_line(text);
}

static void on_signal(int number) {
  constexpr double one_wish = 1;  // seconds
  if (state.asked && number != SIGUSR1 && seconds_since(state.asked_at) > one_wish) {
    if (const char* text = state.leaving_text) write_line(text);
    _exit(128 + number);
  }
  if (state.asked) return;
  clock_gettime(CLOCK_MONOTONIC, &state.asked_at);
  state.asked = number;
  answer();
}

static bool is_ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void set_handler(void (*handler)(int)) {
  stack_t own{};
  own.ss_sp = state.stack;
  own.ss_size = sizeof state.stack;
  sigaltstack(&own, nullptr);
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  // One at a time: a handler that another one interrupts has not told yet when it was asked.
  for (const int number : stop_signals) sigaddset(&action.sa_mask, number);
  for (const int number : stop_signals)
    if (number != SIGHUP || !is_ignored(number)) sigaction(number, &action, nullptr);
}

void catch_stop_signals() {
  state.on_terminal = isatty(STDERR_FILENO) == 1;
  set_handler(on_signal);
}
void release_stop_signals() {
  set_handler(SIG_DFL);
  std::signal(SIGUSR1, SIG_IGN);
}

int stop_signal() { return state.asked; }

StopAnswer::StopAnswer(const char* text) {
  state.answer_text = text;
  answer();
}
StopAnswer::~StopAnswer() { state.answer_text = nullptr; }

void say_on_leaving(const std::string& text) {
  state.leaving_text = nullptr;
  state.leaving = text;
  state.leaving_text = state.leaving.c_str();
}

}  // namespace seqgrad
