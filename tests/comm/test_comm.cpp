// Threads that stand for processes: what each hands to which, and how all end.
#include <mutex>
#include <set>

#include "engine/comm/comm_threads.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "tests/support/catch.h"
#include "tests/support/conversation.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("each process gets what each other has for it, in order, for any number of them") {
  for (int count = 1; count <= 6; ++count) {
    std::mutex mutex;
    std::set<int> ranks;
    run_as_processes(count, [&](Processes& p) {
      {
        const std::scoped_lock lock(mutex);
        ranks.insert(p.rank());
      }
      const bool right = converse(p) && p.count() == count && p.local_rank() == p.rank();
      if (!right) refuse("process {} got something else", p.rank());
    });
    CHECK(static_cast<int>(ranks.size()) == count);
  }
}

TEST_CASE("when one process abandons or throws, those that wait for it end") {
  int ended = -1;
  try {
    run_as_processes(4, [](Processes& p) {
      if (p.rank() == 2) p.abandon(3);
      p.gather_all({});
    });
  } catch (const Abandoned& a) {
    ended = a.code;
  }
  CHECK(ended == 3);
  CHECK(error_of([] {
          run_as_processes(3, [](Processes& p) {
            if (p.rank() == 1) refuse("no");
            std::byte x{};
            const Incoming wanted{1, {&x, 1}};
            if (p.rank() != 1) p.exchange({}, {&wanted, 1});
          });
        }) == "2 no");
}

TEST_CASE("pieces of other sizes than the receiver waits for are refused") {
  CHECK_THAT(error_of([] {
               run_as_processes(2, [](Processes& p) {
                 std::byte x[2] = {};
                 const Outgoing mine{1 - p.rank(), {x, 1}};
                 std::byte y[2];
                 const Incoming wanted{1 - p.rank(), {y, 2}};
                 p.exchange({&mine, 1}, {&wanted, 1});
               });
             }),
             Catch::Matchers::Contains("waits for 2 bytes of process"));
}
