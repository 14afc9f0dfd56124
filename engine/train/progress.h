// What the trainer says while it runs: one moving line on a terminal, one plain line per interval elsewhere. On a
// terminal the loss is bold, "error:" and "warning:" have colours, unless NO_COLOR is set.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "engine/text/numbers.h"

namespace seqgrad {

struct ProgressLine {
  int64_t epoch = 0, epochs = 0;                 // epochs 0: unknown
  int64_t step = 0, steps_in_epoch = 0;          // step within the epoch
  std::string loss;                              // "2.713/tok", or "nothing counted"
  double perplexity = 0, lr = 0, grad_norm = 0;  // NaN: there is none
  double tokens_per_second = 0;                  // real target tokens
  double padding = 0;                            // share of padded target positions
  double eta_seconds = 0;
};

// "epoch 2/10 ━━━━━━━━────  621/1450  loss 2.713/tok  ppl 15.1  lr 7.8e-4  |g| 1.02  21.4k tok/s (pad 18%)  ETA 1:12"
// Where that takes more than `columns`, the least needed parts go until it fits; loss, step and epoch stay longest.
std::string format(const ProgressLine& line, bool bar, int64_t columns = 1000);

std::string format_duration(double seconds);  // "1:12", "1:02:03"

class Progress {
 public:
  // What stays on the screen is appended to the file `log` ("": none) too, with the time. What the screen does not take
  // is lost: training goes on without a reader.
  Progress(bool quiet, const std::string& log);
  bool due() const;                       // whether the moving line is worth another look: ten times a second at most
  void update(const ProgressLine& line);  // overwrites the moving line
  void log(const ProgressLine& line);     // the same once per interval: a plain line where there is no terminal
  void say(const std::string& text);      // a line that stays, on stderr
  void clear();                           // takes the moving line away: what others print begins a line of its own
  ~Progress();

 private:
  bool quiet_, terminal_, moving_ = false;
  std::chrono::steady_clock::time_point updated_;
  void keep(const std::string& text);
  std::string log_;
};

}  // namespace seqgrad
