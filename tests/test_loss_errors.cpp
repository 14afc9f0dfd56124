// Every error of the layer, by its text.
#include "tests/loss_fixture.h"

using namespace seqgrad;
using namespace seqgrad::testing;

TEST_CASE("errors name tensor, position, value and remedy") {
  const auto with = [](const std::function<void(Fixture&, LossOptions&)>& change) {
    Fixture f(true);
    LossOptions o;
    change(f, o);
    return message_of([&] { f.run(o); });
  };
  CHECK(with([](Fixture& f, LossOptions&) { f.in.targets[2] = 57; }) ==
        "target id 57 at (b=0,t=2) is outside [0,2); mask it or set ignore_index");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.lengths)[1] = 12; }) == "lengths[1]=12 exceeds T=6");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.lengths)[1] = -1; }) == "lengths[1]=-1 is negative");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.token_weight)[1] = -0.5; }) == "token_weight(b=0,t=1) = -0.5");
  CHECK(with([](Fixture& f, LossOptions&) { (*f.in.token_weight)[1] = NaN; }) == "token_weight(b=0,t=1) = nan");
  CHECK(with([](Fixture& f, LossOptions&) {
          f.in.token_weight = {1, 2, 3};
        }) == "token_weight is [3]; expected [3,6]. Per-example weights go in example_weight");
  CHECK(with([](Fixture& f, LossOptions&) { f.logits[3] = NaN; }) == "logits(b=0,t=1,v=1) is nan on a live row");
  CHECK(with([](Fixture& f, LossOptions&) { f.logits[3] = INFINITY; }) == "logits(b=0,t=1,v=1) is inf on a live row");
  CHECK(with([](Fixture& f, LossOptions&) { f.logits[2] = f.logits[3] = -INFINITY; }) ==
        "logits(b=0,t=1) are all -inf on a live row");
  CHECK(with([](Fixture&, LossOptions& o) { o.smoothing = 1; }) == "loss: smoothing.epsilon must lie in [0,1), got 1");
  CHECK(with([](Fixture&, LossOptions& o) { o.softcap = 0; }) == "loss: softcap must be above 0, got 0");
  CHECK(with([](Fixture& f, LossOptions&) {
          f.in.steps = 5;
        }).find("T must match (did you forget to shift or trim?)") != std::string::npos);
}
