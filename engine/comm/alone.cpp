// A process without others, so that what may be shared is written once.
#include <cstdlib>

#include "engine/comm/processes.h"

namespace seqgrad {
namespace {

class Alone final : public Processes {
 public:
  Alone() : Processes(0, 1, 0, "", "") {}

  void exchange(std::span<const Outgoing>, std::span<const Incoming>) override {}
  std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine) override {
    return {{mine.begin(), mine.end()}};
  }
  void leave() override {}
  [[noreturn]] void abandon(int code) override { std::exit(code); }
};

}  // namespace

Processes& alone() {
  static Alone process;
  return process;
}

}  // namespace seqgrad
