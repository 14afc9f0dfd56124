// Memory of the host for what a thread computes between two lines of code.
#pragma once
#include "engine/core/arena.h"

namespace seqgrad {

// What is taken from it goes back at its end, to the thread that took it, whose next one gets the same memory: it is
// still in the cache of the core. A thread's last one is given back first.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* take(int64_t count) {  // contents unspecified
    return static_cast<T*>(arena_.allocate(static_cast<size_t>(count) * sizeof(T)));
  }

 private:
  Arena& arena_;
  Arena::Mark begin_;
};

}  // namespace seqgrad
