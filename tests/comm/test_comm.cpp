// Threads that stand for processes: what each hands to which, and how all end.
#include <cstring>
#include <mutex>
#include <set>

#include "engine/comm/comm_threads.h"
#include "engine/core/error.h"
#include "engine/core/random.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// What process `from` says to process `to` in a round: of any length, none included.
std::string said(int from, int to, int round) {
  return std::string(static_cast<size_t>((7 * from + 3 * to + round) % 5), static_cast<char>('a' + from)) +
         (round % 2 ? std::to_string(to) : "");
}

}  // namespace

TEST_CASE("each process gets what each other has for it, in order, for any number of them") {
  for (int count = 1; count <= 6; ++count) {
    std::mutex mutex;
    std::set<int> ranks;
    run_as_processes(count, [&](Processes& p) {
      {
        const std::scoped_lock lock(mutex);
        ranks.insert(p.rank());
      }
      bool right = p.count() == count && p.local_rank() == p.rank();
      for (int round = 0; round < 20; ++round) {
        std::vector<std::string> texts, got;
        std::vector<Outgoing> mine;
        std::vector<Incoming> wanted;
        for (int r = 0; r < count; ++r)
          for (int piece = 0; piece < 2 && r != p.rank(); ++piece) {
            texts.push_back(said(p.rank(), r, round + piece));
            got.emplace_back(said(r, p.rank(), round + piece).size(), '?');
          }
        size_t i = 0;
        for (int r = 0; r < count; ++r)
          for (int piece = 0; piece < 2 && r != p.rank(); ++piece, ++i) {
            mine.push_back({r, bytes_of(texts[i])});
            wanted.push_back({r, std::as_writable_bytes(std::span(got[i]))});
          }
        p.exchange(mine, wanted);
        i = 0;
        for (int r = 0; r < count; ++r)
          for (int piece = 0; piece < 2 && r != p.rank(); ++piece, ++i)
            right &= got[i] == said(r, p.rank(), round + piece);
        const std::string own = said(p.rank(), 0, round);
        const auto all = p.gather_all(bytes_of(own));
        right &= static_cast<int>(all.size()) == count;
        for (int r = 0; r < count; ++r) {
          const std::string want = said(r, 0, round);
          const auto& have = all[static_cast<size_t>(r)];
          right &= have.size() == want.size() && std::memcmp(have.data(), want.data(), want.size()) == 0;
        }
      }
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
