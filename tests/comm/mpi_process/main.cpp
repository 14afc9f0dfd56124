// One of the processes that tests/comm/test_mpi.cpp starts by mpirun.
//   mpi_process OBJECT LONGEST talk|short|abandon|vanish      (LONGEST: bytes of a part of a message)
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "engine/comm/mpi_object.h"
#include "tests/support/conversation.h"

using namespace seqgrad;

// All give each other something of another size than is waited for.
static void misunderstand(Processes& p) {
  std::byte sent[2] = {}, got[3];
  const int other = (p.rank() + 1) % p.count();
  const Outgoing mine{other, sent};
  const Incoming wanted{(p.rank() + p.count() - 1) % p.count(), got};
  p.exchange({&mine, 1}, {&wanted, 1});
}

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  void* const object = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (!object) throw std::runtime_error(dlerror());
  const auto start = reinterpret_cast<decltype(&seqgrad_mpi_start)>(dlsym(object, "seqgrad_mpi_start"));
  const std::string what = argv[3];
  std::string why;
  Processes* const p = start(static_cast<size_t>(std::atoll(argv[2])), why);
  if (!p) throw std::runtime_error(why);
  const bool last = p->rank() + 1 == p->count();
  if (what == "talk") {
    const bool right = converse(*p);
    std::printf("%d of %d %s %s\n", p->rank(), p->count(), p->library().c_str(), right ? "right" : "wrong");
  } else if (what == "short") {
    misunderstand(*p);
  } else if (last && what == "abandon") {
    p->abandon(7);
  } else if (last && what == "vanish") {
    std::_Exit(7);
  } else {
    p->gather_all({});  // never ends
  }
  std::fflush(stdout);
  p->leave();
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  std::_Exit(3);
}
