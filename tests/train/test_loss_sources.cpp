// What data says about the loss, from the config through a model to its gradients: noisy labels, prompt masks, padding.
#include <test_paths.h>
#include <cstring>

#include "engine/core/tape.h"
#include "engine/data/batcher.h"
#include "engine/loss/sequence_loss.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

// A config of the project with a model that a test can afford.
struct Small {
  Config config;
  Data data;
  std::unique_ptr<SequenceModel> model;
  LossSetup loss;

  explicit Small(const std::string& name, std::vector<std::string> set = {}) {
    for (const char* s : {"model.embedding=7", "model.encoder.hidden=6", "model.decoder.hidden=12"})
      set.emplace_back(s);
    load(config, SEQGRAD_SOURCE_DIR "/configs/" + name + ".yaml", set);
    data = load_data(config.data, 1);
    model = make_model(config, {data.source->size(), data.target->size()});
    loss = make_loss_setup(config.loss, data.target->size());
  }
  Batch batch(int64_t count, int64_t bucket = 1) const {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) rows[static_cast<size_t>(i)] = i;
    return make_batch(data.train, rows, bucket);
  }
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

struct Step {
  double loss;
  std::vector<float> hidden, parameters;  // gradients
};

// One step as training makes it, and the gradient that the loss hands to the model.
Step step(Small& s, const Batch& batch) {
  Step out;
  out.loss = accumulate_gradients(*s.model, s.loss, {&batch, 1}, {true, 1, 1, 0}).loss.value(s.loss.options);
  out.parameters = to_host<float>(s.model->store().grads());
  Tape::current().reset();
  const LossInputs inputs = loss_inputs(batch, s.loss);
  const LiveRows rows = build_live_rows(inputs, s.loss.options);
  const Readout r = s.model->forward(batch, {true, 1, 1, 0});
  const LossResult loss = linear_sequence_loss(r.hidden, r.weight, r.bias, inputs, rows, s.loss.options, rows.divisor);
  Tape::current().backward(loss.value);
  out.hidden = to_host<float>(grad(r.hidden));
  return out;
}

}  // namespace

TEST_CASE("noisy labels of weight 0 give the loss and the gradients of masked ones, to the bit") {
  for (const char* divide : {"weight", "nonzero"}) {
    CAPTURE(divide);
    const std::string reduce = std::string("loss.reduce.divide=") + divide;
    Small weighted("noisy_labels", {reduce}),
        masked("noisy_labels", {reduce, "loss.weights.example=false", "data.corrupt.weight=1.0"});
    Batch batch = weighted.batch(32);
    const auto wrong = std::count(batch.example_weight.begin(), batch.example_weight.end(), 0.0);
    REQUIRE(wrong >= 4);
    REQUIRE(wrong <= 16);
    const Step by_weight = step(weighted, batch);
    masked.loss.mask = true;
    for (int64_t b = 0; b < batch.batch; ++b)
      batch.mask.insert(batch.mask.end(), static_cast<size_t>(batch.target_steps), batch.example_weight[b] != 0);
    const Step by_mask = step(masked, batch);
    CHECK(by_weight.loss == by_mask.loss);
    CHECK(same_bits(by_weight.hidden, by_mask.hidden));
    CHECK(same_bits(by_weight.parameters, by_mask.parameters));
    for (int64_t b = 0; b < batch.batch; ++b)  // and they are those of the clean pairs: nothing comes from the others
      for (int64_t i = 0; i < batch.target_steps * 12; ++i)
        if (batch.example_weight[b] == 0) REQUIRE(by_mask.hidden[b * batch.target_steps * 12 + i] == 0);
    Small trusted("noisy_labels", {reduce, "data.corrupt.weight=1.0"});
    CHECK(step(trusted, trusted.batch(32)).loss != by_weight.loss);
  }
}

TEST_CASE("the gradient at the positions of a prompt is exactly +0") {
  Small s("prompt_mask");
  const Batch batch = s.batch(16);
  const Step masked = step(s, batch);
  const int32_t hyphen = s.data.target->vocabulary().id("-");
  int prompt = 0, after = 0;
  for (int64_t b = 0; b < batch.batch; ++b) {
    bool in_prompt = true;
    for (int64_t t = 0; t < batch.target_lengths[b]; ++t) {
      const float* row = masked.hidden.data() + (b * batch.target_steps + t) * 12;
      bool zero_bits = true;
      for (int d = 0; d < 12; ++d) {
        uint32_t bits;
        std::memcpy(&bits, row + d, sizeof bits);
        zero_bits = zero_bits && bits == 0;
      }
      CHECK(zero_bits == in_prompt);
      (in_prompt ? prompt : after) += 1;
      if (batch.target_out[b * batch.target_steps + t] == hyphen) in_prompt = false;
    }
  }
  CHECK(prompt == 16 * 5);  // "1986-"
  CHECK(after == 16 * 6);   // "06-16" and the end
}

TEST_CASE("loss and gradients do not depend on the amount of padding, in every mode of reverse_masks but no mask") {
  struct Mode {
    std::vector<std::string> set;
    bool independent;
  };
  const Mode modes[] = {{{}, true},
                        {{"loss.preset=sentence_mean"}, true},
                        {{"loss.preset=sum"}, true},
                        {{"loss.mask.lengths=false"}, false}};
  for (const char* attention : {"none", "general", "additive"})
    for (const auto& [set, independent] : modes) {
      std::vector<std::string> more = set;
      more.emplace_back("data.sizes.train=200");
      more.emplace_back(std::string("model.attention=") + attention);
      Small s("reverse_masks", more);
      CAPTURE(attention, set);
      const Batch narrow = s.batch(12);
      const Step want = step(s, narrow);
      for (const int64_t bucket : {16, 40, 64}) {
        CAPTURE(bucket);
        const Batch wide = s.batch(12, bucket);
        REQUIRE(wide.target_steps > narrow.target_steps);
        const Step got = step(s, wide);
        CHECK((got.loss == want.loss) == independent);
        std::vector<float> real;
        for (int64_t b = 0; b < 12; ++b) {
          const auto row = got.hidden.begin() + b * wide.target_steps * 12;
          real.insert(real.end(), row, row + narrow.target_steps * 12);
        }
        CHECK(same_bits(real, want.hidden) == independent);
        CHECK(same_bits(got.parameters, want.parameters) == independent);
      }
    }
}
