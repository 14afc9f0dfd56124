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

namespace seqgrad {

static constexpr int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
static volatile std::sig_atomic_t asked = 0;
static timespec asked_at{};  // written before `asked`, by the handler alone

static double seconds_since(const timespec& then) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - then.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec - then.tv_nsec);
}

// Read by the handler.
static std::atomic<const char*> answer_text{nullptr}, leaving_text{nullptr};
static std::atomic<bool> answered{false}, on_terminal{false};
static_assert(std::atomic<const char*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

static void write_line(const char* text) {
  const int kept = errno;
  // On a terminal the line that moves, or "^C", stands there.
  if ((!on_terminal || write(STDERR_FILENO, "\n", 1) == 1) && write(STDERR_FILENO, text, std::strlen(text)) < 0) {
    // Nobody reads it.
  }
  errno = kept;
}

static void answer() {
  if (const char* text = answer_text; text && asked && !answered.exchange(true)) write_line(text);
}

static void on_signal(int number) {
  constexpr double one_wish = 1;  // seconds
  if (asked && seconds_since(asked_at) > one_wish) {
    if (const char* text = leaving_text) write_line(text);
    _exit(128 + number);
  }
  if (asked) return;
  clock_gettime(CLOCK_MONOTONIC, &asked_at);
  asked = number;
  answer();
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

void catch_stop_signals() {
  on_terminal = isatty(STDERR_FILENO) == 1;
  set_handler(on_signal);
}
void release_stop_signals() { set_handler(SIG_DFL); }

int stop_signal() { return asked; }

StopAnswer::StopAnswer(const char* text) {
  answer_text = text;
  answer();
}
StopAnswer::~StopAnswer() { answer_text = nullptr; }

void say_on_leaving(const char* text) { leaving_text = text; }

}  // namespace seqgrad
