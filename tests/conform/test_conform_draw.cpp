// The batches that everything rests on: what they promise holds for any seed and whatever a program takes.
#include <set>

#include "engine/conform/cells.h"
#include "engine/conform/draw.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

Program program_taking(const std::string& takes, const Metadata& more = {}) {
  Metadata m{{"protocol", "1"}, {"takes", takes}};
  for (const auto& [key, value] : more) m[key] = value;
  return read_hello(m);
}

const char* takes[] = {"logits targets mask",
                       "logits targets lengths",
                       "logits labels",
                       "logits targets mask token_weight example_weight",
                       "logits targets mask token_weight class_weight",
                       "row_loss mask token_weight",
                       "probs dense lengths example_weight",
                       "hidden weight bias targets mask"};

}  // namespace

TEST_CASE("drawn batches have at most six shapes, within their sizes, and a live token each; a seed repeats them") {
  for (uint64_t seed = 0; seed < 25; ++seed)
    for (const char* what : takes)
      for (const Metadata& more : {Metadata{}, Metadata{{"shifts", "1"}}, Metadata{{"classes", "5"}, {"steps", "7"}}}) {
        const Program p = program_taking(what, more);
        const DrawOptions o{seed, 40, 6, 9, 11};
        const std::vector<LossBatch> batches = draw_batches(p, o), again = draw_batches(p, o);
        CAPTURE(seed, what, more.size());
        REQUIRE(batches.size() == 40);
        std::set<std::vector<int64_t>> shapes;
        for (size_t i = 0; i < batches.size(); ++i) {
          const LossInputs& in = batches[i].inputs;
          CAPTURE(i, batches[i].reason);
          shapes.insert({in.batch, in.steps, in.classes});
          CHECK((in.batch <= 6 && in.steps <= 9 && in.classes <= 11));
          CHECK(live_count(batches[i]) > 0);
          CHECK(batches[i].x == again[i].x);
          CHECK(in.targets == again[i].inputs.targets);
          CHECK_FALSE(batches[i].reason.empty());
        }
        CHECK(shapes.size() <= 6);
      }
}

TEST_CASE("among 40 batches every two divisors that the inputs tell apart differ in three at least, for 1,000 seeds") {
  for (const char* what : takes) {
    const Program p = program_taking(what);
    for (uint64_t seed = 0; seed < 1000; ++seed) {
      CAPTURE(seed, what);
      REQUIRE(not_told_apart(draw_batches(p, {seed, 40, 6, 9, 11}), 3).empty());
    }
  }
}

TEST_CASE("the most telling batches have dead cells, several lengths and different shapes") {
  const std::vector<LossBatch> batches = draw_batches(program_taking("logits targets mask"), {5, 40, 6, 9, 11});
  const std::vector<size_t> telling = most_telling(batches, 6);
  REQUIRE(telling.size() == 6);
  std::set<int64_t> sizes;
  for (const size_t i : telling) {
    CHECK(live_count(batches[i]) < batches[i].inputs.batch * batches[i].inputs.steps);
    CHECK(batches[i].inputs.batch > 1);
    sizes.insert(batches[i].inputs.batch * 100 + batches[i].inputs.steps);
  }
  CHECK(sizes.size() >= 3);
}
