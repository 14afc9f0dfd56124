// The tables of divisors and presets, column by column; how divisors are written for people.
#include "engine/loss/divisors.h"
#include "engine/loss/presets.h"
#include "engine/loss/reported.h"
#include "tests/support/loss_helpers.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

std::vector<std::string> divisors_where(bool (*holds)(const Divisor&)) {
  std::vector<std::string> names;
  for (const Divisor& d : divisors())
    if (holds(d)) names.emplace_back(d.name);
  return names;
}

std::string unit(const Divide& divide, const Report& report = {}) {
  LossOptions o;
  o.divide = divide;
  o.report = report;
  return unit_of(o);
}

// positions, active, nonzero, active_batch, weight, class_weight
using Row = std::vector<double>;
Row row(const Counts& c) {
  return {static_cast<double>(c.positions),
          static_cast<double>(c.active),
          static_cast<double>(c.nonzero),
          static_cast<double>(c.active_batch),
          c.weight,
          c.class_weight};
}

std::vector<Row> groups(const LossInputs& in, LossOptions o, Over over) {
  o.over = over;
  std::vector<Row> out;
  for (const Counts& c : build_live_rows(in, o).groups) out.push_back(row(c));
  return out;
}

}  // namespace

TEST_CASE("what divisors count, over all cells and over each axis, of ids and of dense targets") {
  LossInputs in;
  in.batch = 2, in.steps = 3, in.classes = 3;
  in.targets = {0, 1, 2, 1, 9, 9};
  in.lengths = {3, 1};
  in.token_weight = {1, 0, .5, 2, NaN, NaN};
  in.class_weight = {1, 2, 4};
  LossOptions o;
  const LiveRows rows = build_live_rows(in, o);
  CHECK(row(rows.all) == Row{6, 4, 3, 2, 3.5, 1 + .5 * 4 + 2 * 2});
  CHECK((rows.all.steps == 3 && rows.all.batch == 2));
  CHECK(groups(in, o, Over::time) == std::vector<Row>{{3, 3, 2, 1, 1.5, 3}, {3, 1, 1, 1, 2, 4}});
  CHECK(groups(in, o, Over::batch) == std::vector<Row>{{2, 2, 2, 2, 3, 5}, {2, 1, 0, 1, 0, 0}, {2, 1, 1, 1, .5, 2}});
  const Row dead{1, 0, 0, 0, 0, 0};
  CHECK(groups(in, o, Over::none) ==
        std::vector<Row>{{1, 1, 1, 1, 1, 1}, {1, 1, 0, 1, 0, 0}, {1, 1, 1, 1, .5, 2}, {1, 1, 1, 1, 2, 4}, dead, dead});
  o.class_scope = ClassScope::target;  // c_y is part of ω
  CHECK(row(build_live_rows(in, o).all) == Row{6, 4, 3, 2, 7, 7});
  o.class_scope = ClassScope::per_class;
  o.target = Target::dense;
  in.targets.clear();
  in.dense = {.5, .5, 0, 0, 0, 1, 0, .25, .75, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  CHECK(row(build_live_rows(in, o).all) == Row{6, 4, 3, 2, 3.5, 1.5 + .5 * (.5 + 3) + 2 * 1});
}

TEST_CASE("the live rows of some examples have the groups of these, and all of those of time steps") {
  LossInputs in;
  in.batch = 4, in.steps = 3, in.classes = 2;
  in.targets.assign(12, 1);
  in.lengths = {3, 1, 0, 2};
  const std::vector<int64_t> some = {0, 3};
  const auto picked = [&](Over over) {
    LossOptions o;
    o.over = over;
    std::vector<double> active;
    for (const Counts& c : index_select(build_live_rows(in, o), some, o).groups)
      active.push_back(static_cast<double>(c.active));
    return active;
  };
  CHECK(picked(Over::time) == std::vector<double>{3, 2});
  CHECK(picked(Over::none) == std::vector<double>{1, 1, 1, 1, 1, 0});
  CHECK(picked(Over::batch) == std::vector<double>{3, 2, 1});
  CHECK(picked(Over::all).empty());
  std::vector<int64_t> places;
  for (const LiveRow& r : index_select(build_live_rows(in, {}), some, {}).rows) places.push_back(r.row);
  CHECK(places == std::vector<int64_t>{0, 1, 2, 3, 4});
}

TEST_CASE("which divisors stand inside a nested form, which outside, and which add up over micro-batches") {
  using Names = std::vector<std::string>;
  CHECK(divisors_where([](const Divisor& d) { return d.inner; }) ==
        Names{"one", "steps", "active", "nonzero", "weight"});
  CHECK(divisors_where([](const Divisor& d) { return d.outer; }) == Names{"one", "batch", "active_batch"});
  CHECK(divisors_where([](const Divisor& d) { return !d.adds; }) == Names{"one", "steps"});
}

TEST_CASE("flags stand beside the presets of the functions that have them, and no other") {
  const int average = average_across_timesteps | average_across_batch;
  for (const Preset& p : presets()) {
    const std::string name = p.name;
    CAPTURE(name, p.flags);
    const int known = name == "tfa.sequence_loss"              ? average | sum_over_timesteps | sum_over_batch
                      : name == "tf1.sequence_loss_by_example" ? average_across_timesteps
                      : name.ends_with("sequence_loss")        ? average
                                                               : 0;
    CHECK(p.known_flags == known);
    CHECK(p.default_flags == (known & average));
    CHECK((p.flags == -1) == (known == 0));
    CHECK((p.flags == -1 || (p.flags & ~known) == 0));
    CHECK((p.divide.k != 0) == (p.divide.flat == "const" || p.divide.time == "const" || p.divide.batch == "const"));
  }
}

TEST_CASE("divisors and units as people read them") {
  CHECK(str(Divide{"active", "", "", 0}) == "active");
  CHECK(str(Divide{"const", "", "", 4.5}) == "{const: 4.5}");
  CHECK(str(Divide{"", "active", "batch", 0}) == "{time: active, batch: batch}");
  CHECK(unit({"active", "", "", 0}) == "/tok");
  CHECK(unit({"one", "", "", 0}).empty());
  CHECK(unit({"steps", "", "", 0}) == "/time-step");
  CHECK(unit({"const", "", "", 4.5}) == "/4.5");
  CHECK(unit({"", "active", "batch", 0}) == "/sent");
  CHECK(unit({"", "active", "one", 0}).empty());
  CHECK(unit({"", "active", "const", 7}) == "/7");
  CHECK(unit({"one", "", "", 0}, {"batch", false}) == "/sent");
  CHECK(unit({"one", "", "", 0}, {"active", true}) == " (perplexity)");
  LossOptions folded;
  folded.divide = {"weight", "", "", 0};
  const std::pair<Over, const char*> entries[] = {
      {Over::time, "/sent"}, {Over::batch, "/time-step"}, {Over::none, "/padded"}};
  for (const auto& [over, mean] : entries) {
    folded.over = over;
    folded.then = Then::mean;
    CHECK(unit_of(folded) == mean);
    folded.then = Then::sum;
    CHECK(unit_of(folded).empty());
    CHECK(printed_loss(2.71349, folded) == "2.713 (sum)");
  }
  CHECK(printed_loss(2.71349, LossOptions{}) == "2.713/tok");
  CHECK(printed_loss(NaN, LossOptions{}) == "nothing counted");
}
