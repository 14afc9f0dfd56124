// Tables of a loss on their way to a GPU (emulated): what its kernels read lies there, and nothing else is copied.
#include <algorithm>

#include "engine/loss/row_target.h"
#include "tests/support/catch.h"

using namespace seqgrad;

TEST_CASE("a loss takes to the device every table that its kernels read there") {
  LossInputs in;
  in.batch = in.steps = 1, in.classes = 4;
  in.targets = {2};
  in.prior = {0.25, 0.125, 0.125, 0.5};
  in.class_weight = {1, 2, 0.5, 3};
  LossOptions options;
  options.smoothing = 0.25;
  options.smoothing_kind = SmoothingKind::prior;
  for (const Input input : {Input::logits, Input::probs})
    for (const DType dtype : {DType::f32, DType::f64})
      for (const bool is_dense : {false, true}) {
        CAPTURE(input == Input::logits, dtype == DType::f32, is_dense);
        const TapeScope own;
        options.input = input;
        const RowRule host = row_rule(in, options);
        REQUIRE((host.off_row && host.class_weight && host.base_f32 && host.base_f64));
        StepInputs steps(Device::cuda);
        const RowRule there = on_device(steps, host, dtype, is_dense);
        const auto moved = [&](const void* table) {
          return std::ranges::any_of(steps.slots(), [&](const StepInputs::Slot& s) { return s.data == table; });
        };
        const bool base_alone = input == Input::logits && !is_dense;
        CHECK(moved(dtype == DType::f32 ? static_cast<const void*>(there.base_f32) : there.base_f64));
        CHECK(moved(there.off_row) == !base_alone);
        CHECK(moved(there.class_weight) == !base_alone);
        CHECK(steps.slots().size() == (base_alone ? 1 : 3));
      }
}
