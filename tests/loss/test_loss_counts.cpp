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
