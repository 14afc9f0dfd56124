// What a loss refuses in a step is told as itself, with the step and the lines; only what is not finite is a
// divergence.
#include <limits>

#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

struct Lab {
  Config config;
  std::unique_ptr<SequenceModel> model;
  Batch batch;
  LossSetup setup;

  Lab() {
    load(config, "", {"data.task=copy", "model.embedding=2", "model.encoder.hidden=2", "model.decoder.hidden=2"});
    model = make_model(config, {9, 9});
    batch.batch = 2, batch.source_steps = batch.target_steps = 2;
    batch.source = {4, 5, 6, 0};
    batch.source_lengths = {2, 1};
    batch.target_in = {1, 4, 1, 0};
    batch.target_out = {4, 2, 2, 0};
    batch.target_lengths = {2, 1};
    batch.example_weight = {1, 0};
    batch.lines = {12, 40};
    setup.classes = 9;
  }
  std::pair<std::string, ExitCode> step() {
    try {
      accumulate_gradients(*model, setup, {&batch, 1}, {false, 0, 7, 0});
    } catch (const Error& e) {
      return {e.what(), e.code()};
    }
    return {"nothing", ExitCode::done};
  }
};

}  // namespace

TEST_CASE("an id outside the classes in the middle of a run is told as that") {
  Lab lab;
  lab.batch.target_out[0] = 57;
  const auto [said, code] = lab.step();
  CHECK(said ==
        "step 7: target id 57 at (b=0,t=0) is outside [0,9); mask it or set ignore_index; training lines 12, 40");
  CHECK(code == ExitCode::refused);
}

TEST_CASE("an entry without a divisor is told as that, and ends the run as a batch without one does") {
  Lab lab;
  lab.setup.example_weight = true;
  lab.setup.options.over = Over::time;
  lab.setup.options.divide.flat = "weight";
  lab.setup.options.then = Then::mean;
  lab.setup.options.on_zero = OnZero::error;
  const auto [said, code] = lab.step();
  CHECK(said == "step 7: divisor `weight` is 0 in example b=1; training lines 12, 40");
  CHECK(code == ExitCode::no);
}

TEST_CASE("shapes that do not fit are told as that") {
  Lab lab;
  lab.setup.classes = 8;
  const auto [said, code] = lab.step();
  CAPTURE(said);
  CHECK(said.find("step 7: loss: targets are [B=2,T=2] with V=8 but hidden is ") == 0);
  CHECK(said.find("not finite") == std::string::npos);
  CHECK(code == ExitCode::refused);
}

TEST_CASE("a loss that is not finite is a divergence") {
  Lab lab;
  const Parameter& bias = *lab.model->store().find("out.bias");
  bias.tensor.as<float>()[3] = std::numeric_limits<float>::infinity();
  const auto [said, code] = lab.step();
  CAPTURE(said);
  CHECK(said.find("step 7: the loss is not finite: ") == 0);
  CHECK(code == ExitCode::no);
}
