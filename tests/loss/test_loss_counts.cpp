// Names and places that only people read: of what a divisor counts, and of a number that no distribution has.
#include <set>

#include "engine/loss/divisors.h"
#include "engine/loss/live_rows.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("everything that a divisor counts has a name of its own") {
  std::set<std::string> names;
  constexpr int last = static_cast<int>(Counted::class_weight);
  for (int i = 0; i <= last; ++i) {
    const char* name = name_of(static_cast<Counted>(i));
    REQUIRE(name != nullptr);
    CHECK(*name != '\0');
    names.insert(name);
  }
  CHECK(names.size() == last + 1);
}

TEST_CASE("of a dense target the first number below 0 is told, and no 0 before it") {
  LossInputs in;
  in.batch = in.steps = 1, in.classes = 3;
  in.dense = {0, -0.25, 1.25};
  LossOptions options;
  options.target = Target::dense;
  CHECK(has(error_of([&] { build_live_rows(in, options); }),
            "dense target (b=0,t=0,v=1) is -0.25; expected a finite number of at least 0"));
}

TEST_CASE("counts of two batches add, all but the time steps, of which the larger number counts") {
  const Counts first{.positions = 12,
                     .steps = 4,
                     .batch = 3,
                     .active = 9,
                     .nonzero = 7,
                     .active_batch = 2,
                     .weight = 5.5,
                     .class_weight = 4.25},
      second{.positions = 10,
             .steps = 5,
             .batch = 2,
             .active = 6,
             .nonzero = 5,
             .active_batch = 1,
             .weight = -1.5,
             .class_weight = 0.5};
  Counts sum = first;
  add_counts(sum, second);
  for (const auto& [counted, want] : std::initializer_list<std::pair<Counted, double>>{{Counted::positions, 22},
                                                                                       {Counted::steps, 5},
                                                                                       {Counted::batch, 5},
                                                                                       {Counted::active, 15},
                                                                                       {Counted::nonzero, 12},
                                                                                       {Counted::active_batch, 3},
                                                                                       {Counted::weight, 4},
                                                                                       {Counted::class_weight, 4.75}}) {
    CAPTURE(name_of(counted));
    CHECK(count_of(sum, counted) == want);
  }
}
