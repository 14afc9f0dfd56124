// Time that is counted only while it runs.
#pragma once

namespace seqgrad {

using Clock = double (*)();  // seconds since some moment
double steady_seconds();     // std::chrono::steady_clock

class Stopwatch {
 public:
  explicit Stopwatch(Clock now) : now_(now) {}
  void start() {
    if (!running_) since_ = now_();
    running_ = true;
  }
  void stop() {
    counted_ = seconds();
    running_ = false;
  }
  void reset() {  // to 0, running or not
    counted_ = 0;
    since_ = now_();
  }
  double seconds() const { return counted_ + (running_ ? now_() - since_ : 0); }

 private:
  Clock now_;
  double counted_ = 0, since_ = 0;
  bool running_ = false;
};

}  // namespace seqgrad
