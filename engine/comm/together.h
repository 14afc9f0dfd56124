// What several processes do alike, and come to the same end of: all go on, or all throw the same error.
#pragma once
#include <functional>

#include "engine/comm/bytes.h"
#include "engine/comm/processes.h"

namespace seqgrad {

Bytes bytes_of(std::string_view text);
std::string text_of(const Bytes& bytes);

// What all processes throw at the same place, in the same words: one tells it, and all leave.
struct AgreedError : Error {
  using Error::Error;
};

// Runs `f`, which does not wait for other processes unless all come to it, in each process; what each gives, by rank.
// Where it throws an Error in some, other than a SystemError, all throw that of the lowest rank as an AgreedError, with
// the rank and its host where not all threw the same. A process without others throws what `f` throws. What else `f`
// throws is left to the caller, whose other processes wait until it abandons them.
std::vector<Bytes> gather_together(Processes& processes, const std::function<Bytes()>& f);

// The same for what gives a number or the like, and for what gives nothing.
template <class F>
auto together(Processes& processes, const F& f) {
  using T = std::invoke_result_t<F>;
  if constexpr (std::is_void_v<T>) {
    gather_together(processes, [&] { return f(), Bytes(); });
  } else {
    const auto mine = [&] {
      ByteWriter out;
      out.add(f());
      return out.take();
    };
    std::vector<T> out;
    for (const Bytes& bytes : gather_together(processes, mine)) out.push_back(ByteReader(bytes).next<T>());
    return out;
  }
}

// Where each process is, by rank; all ask at once.
std::vector<std::string> hosts_of(Processes& processes);

// What process 0 gives, in all of them, or the Error that it throws there, as an AgreedError; `f` runs there alone.
std::string from_first(Processes& processes, const std::function<std::string()>& f);

}  // namespace seqgrad
