// SIGINT, SIGTERM, SIGHUP and SIGUSR1 as a flag that loops look at.
#pragma once
#include <string>

namespace seqgrad {

// For the main thread; the pool's workers take no signals. From now on the first of these signals only sets the flag.
// What comes within a second of it is the same wish: a key that is held down, a terminal that tells its whole group. A
// later one leaves at once with 128 + its number, but for SIGUSR1, by which schedulers ask in good time: it never does.
// A SIGHUP that the process was told to ignore (nohup) stays ignored.
void catch_stop_signals();
void release_stop_signals();  // from now on a signal ends the process as it usually does, and SIGUSR1 is ignored
int stop_signal();            // the number of the signal that asked to stop, or 0

// While one lives, the first signal is answered at once, on standard error, and so is one that came before it and was
// not. For what takes so long that a person would think the signal lost. `text` is a whole line and outlives this;
// null: another process answers.
class StopAnswer {
 public:
  explicit StopAnswer(const char* text);
  ~StopAnswer();
  StopAnswer(const StopAnswer&) = delete;
  StopAnswer& operator=(const StopAnswer&) = delete;
};

// The line that a signal says on standard error before it leaves at once.
void say_on_leaving(const std::string& text);

}  // namespace seqgrad
