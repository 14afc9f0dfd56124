// What threads that stand for processes do alike: one end for all, and work dealt by number.
#include <mutex>

#include "engine/comm/comm_threads.h"
#include "engine/comm/deal.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

// What each of so many processes says, by rank.
std::vector<std::string> each(int count, const std::function<std::string(Processes&)>& f) {
  std::vector<std::string> out(static_cast<size_t>(count));
  run_as_processes(count, [&](Processes& p) { out[static_cast<size_t>(p.rank())] = f(p); });
  return out;
}

// The words of an error that all processes throw, and whether it is an agreed one.
std::string ending(const std::function<void()>& f) {
  try {
    f();
  } catch (const AgreedError& e) {
    return fmt::format("agreed {} {}", static_cast<int>(e.code()), e.what());
  } catch (const Error& e) {
    return fmt::format("alone {} {}", static_cast<int>(e.code()), e.what());
  }
  return "none";
}

}  // namespace

TEST_CASE("an error of some processes is thrown in all of them, and named where it is not that of all") {
  using Strings = std::vector<std::string>;
  const auto ends = [](int count, const std::function<void(Processes&)>& f) {
    return each(count, [&](Processes& p) { return ending([&] { together(p, [&] { f(p); }); }); });
  };
  CHECK(ends(3, [](Processes&) {}) == Strings(3, "none"));
  CHECK(ends(3, [](Processes&) { refuse("no such file"); }) == Strings(3, "agreed 2 no such file"));
  CHECK(ends(4, [](Processes& p) {
          if (p.rank() == 3) refuse("late");
          if (p.rank() == 2) throw Error(ExitCode::no, "no such file");
        }) == Strings(4, "agreed 1 rank 2 (host here): no such file"));
  CHECK(ends(1, [](Processes&) { refuse("no such file"); }) == Strings(1, "alone 2 no such file"));
  CHECK(ending([] { together(alone(), [] { refuse("no"); }); }) == "alone 2 no");
  // What only this process can know of is left to it.
  const auto broken = [] {
    run_as_processes(2, [](Processes& p) {
      together(p, [&] {
        if (p.rank() == 1) system_failure("disk full");
      });
    });
  };
  CHECK(error_of(broken) == "3 disk full");
}

TEST_CASE("processes that come to the same place have what each of them gives, or what the first one gives") {
  const auto said = each(3, [](Processes& p) {
    const auto all = together(p, [&] { return 10 * p.rank(); });
    const std::string first = from_first(p, [&] { return fmt::format("of {}", p.rank()); });
    const std::string refused = ending([&] { from_first(p, []() -> std::string { refuse("taken"); }); });
    p.leave();
    return fmt::format("{} {} {} {}; {}; {}", all.size(), all[0], all[1], all[2], first, refused);
  });
  CHECK(said == std::vector<std::string>(3, "3 0 10 20; of 0; agreed 2 taken"));
  CHECK(from_first(alone(), [] { return std::string("x"); }) == "x");
  CHECK(together(alone(), [] { return 7; }) == std::vector<int>{7});
}

TEST_CASE("dealt pieces come in order to every process, each computed once") {
  for (int count = 1; count <= 5; ++count)
    for (const size_t pieces : {0u, 1u, 4u, 5u, 11u}) {
      std::mutex mutex;
      std::vector<int> computed(pieces), by(pieces, -1);
      std::string want;
      for (size_t i = 0; i < pieces; ++i) want += fmt::format("{}:{} ", i, std::string(i % 4, 'x'));
      const auto taken = each(count, [&](Processes& p) {
        std::string all;
        deal(
            p, pieces,
            [&](size_t i) {
              const std::scoped_lock lock(mutex);
              ++computed[i];
              by[i] = p.rank();
              return bytes_of(std::string(i % 4, 'x'));
            },
            [&](size_t i, const Bytes& bytes) { all += fmt::format("{}:{} ", i, text_of(bytes)); });
        return all;
      });
      CAPTURE(count, pieces);
      CHECK(taken == std::vector<std::string>(static_cast<size_t>(count), want));
      CHECK(computed == std::vector<int>(pieces, 1));
      for (size_t i = 0; i < pieces; ++i) CHECK(by[i] == static_cast<int>(i) % count);
    }
}

TEST_CASE("of dealt pieces that are refused the first one is told, by all") {
  const auto said = each(3, [](Processes& p) {
    size_t taken = 0;
    const std::string end = ending([&] {
      deal(
          p, 9,
          [](size_t i) {
            if (i >= 4) refuse("piece {}", i);
            return Bytes();
          },
          [&](size_t, const Bytes&) { ++taken; });
    });
    return fmt::format("{} {}", taken, end);
  });
  CHECK(said == std::vector<std::string>(3, "3 agreed 2 rank 1 (host here): piece 4"));
}
