// Fixed blocks handed to a few threads: which thread runs a block never changes what the block computes.
#pragma once
#include <cstdint>
#include <type_traits>

namespace seqgrad {

// The number of threads that parallel_blocks uses, the caller's included; at least 1. Not from inside a block; waits
// for blocks that another thread has running. Throws SystemError when the system gives fewer: then there is one.
void set_threads(int count);
int threads();

namespace detail {
void run_blocks(int64_t count, void (*run)(const void*, int64_t), const void* context);
}

// Calls f(i) once for each i in [0, count), in any order and on any thread; returns when all are done. The first
// exception is rethrown. A call from inside a block runs its blocks in place, and so does one that finds the threads
// busy for another caller: since blocks do not depend on threads, with the same bits.
template <class F>
void parallel_blocks(int64_t count, const F& f) {
  detail::run_blocks(
      count, [](const void* c, int64_t i) { (*static_cast<const F*>(c))(i); }, &f);
}

// Splits [0, size) into pieces of `block` (the last may be shorter) and calls f(begin, end) for each. The pieces are a
// function of size and block alone, never of the thread count.
template <class F>
void parallel_ranges(int64_t size, int64_t block, const F& f) {
  parallel_blocks((size + block - 1) / block, [&](int64_t i) {
    const int64_t begin = i * block;
    f(begin, begin + block < size ? begin + block : size);
  });
}

}  // namespace seqgrad
