// Steps whose micro-batches are computed in shards: sums in one order, the loss and gradient of the whole.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/core/random.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/device/step_graph.h"
#include "engine/loss/presets.h"
#include "engine/nn/shard_sum.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step_queue.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/random_batch.h"

using namespace seqgrad;

namespace {

struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(1); }
};

struct Sharded {
  Config config;
  LossSetup loss;
  std::unique_ptr<SequenceModel> model;

  explicit Sharded(const std::vector<std::string>& more, Device device = Device::cpu) {
    std::vector<std::string> set = {"data.task=copy", "model.embedding=5", "model.encoder.hidden=4",
                                    "model.decoder.hidden=8"};
    set.insert(set.end(), more.begin(), more.end());
    load(config, "", set);
    loss = make_loss_setup(config.loss, 17);
    model = make_model(config, {17, 17}, device);
  }
  ParameterStore& store() { return model->store(); }
  template <class T>
  std::vector<T> gradients() {
    return to_host<T>(store().grads());
  }
  StepResult step(std::span<const Batch> batches, int64_t shards, const ForwardContext& context) {
    return accumulate_gradients(*model, loss, batches, context, {shards});
  }
};

// With weights of sentences and words, masked words, and two sentences of which nothing counts.
Batch weighted_batch(uint64_t seed, int64_t sentences) {
  Batch batch = random_batch(seed, sentences, 7, 6);
  Random r(seed, 4);
  for (int64_t b = 0; b < sentences; ++b) batch.example_weight.push_back(b % 9 == 4 ? 0 : 0.5 + r.uniform());
  for (int64_t i = 0; i < sentences * 6; ++i) {
    const bool real = i % 6 < batch.target_lengths[static_cast<size_t>(i / 6)];
    batch.token_weight.push_back(real ? 0.5 + r.uniform() : 0);
    batch.mask.push_back(real && r.uniform() < 0.8);
  }
  return batch;
}

void use_weights(LossSetup& loss) { loss.mask = loss.token_weight = loss.example_weight = true; }

// The sum of the gradients of shards [first, last) of a tree of pairs, written down once more.
std::vector<float> tree_sum(const std::vector<std::vector<float>>& shards, size_t first, size_t last) {
  if (last - first == 1) return shards[first];
  size_t half = 1;
  while (2 * half < last - first) half *= 2;
  std::vector<float> sum = tree_sum(shards, first, first + half);
  const std::vector<float> right = tree_sum(shards, first + half, last);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += right[i];
  return sum;
}

// The gradients of each shard, made by themselves from a batch of its sentences and the divisor of all.
std::vector<std::vector<float>> shard_gradients(Sharded& lab, std::span<const Batch> batches, int64_t shards,
                                                ForwardContext context) {
  double divisor = 0;
  for (const Batch& b : batches) divisor += build_live_rows(loss_inputs(b, lab.loss), lab.loss.options).divisor;
  std::vector<std::vector<float>> out;
  for (const Batch& part : shards_of(batches, shards)) {
    lab.store().zero_grad();
    const LossInputs inputs = part.batch ? loss_inputs(part, lab.loss) : LossInputs{};
    const LiveRows rows = part.batch ? build_live_rows(inputs, lab.loss.options) : LiveRows{};
    if (!rows.rows.empty()) {
      Tape::current().reset();
      const Readout r = lab.model->forward(part, context);
      const LossResult loss = linear_sequence_loss(r.hidden, r.weight, r.bias, inputs, rows, lab.loss.options, divisor,
                                                   ParameterGradients::now);
      Tape::current().backward(loss.value);
    }
    context.first_row += static_cast<uint32_t>(part.batch);
    out.push_back(lab.gradients<float>());
  }
  return out;
}

double largest_of(const std::vector<double>& values) {
  double largest = 0;
  for (const double x : values) largest = std::max(largest, std::abs(x));
  return largest;
}

}  // namespace

TEST_CASE("the live rows of some sentences are theirs, with the divisor and the counts of all") {
  LossSetup setup = make_loss_setup(Config().loss, 17);
  use_weights(setup);
  const LiveRows all = build_live_rows(loss_inputs(weighted_batch(3, 9), setup), setup.options);
  const std::vector<int64_t> some = {1, 2, 7};
  const LiveRows part = index_select(all, some, setup.options);
  CHECK(part.divisor == all.divisor);
  CHECK(part.divisor > 1);
  CHECK(part.batch == 3);
  const std::vector<size_t> places = live_rows_of(all, some);
  REQUIRE(places.size() == part.rows.size());
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t row = all.rows[places[i]].row, from = row / all.steps;
    const int64_t to = std::find(some.begin(), some.end(), from) - some.begin();
    CHECK(part.rows[i].row == to * all.steps + row % all.steps);
    CHECK(part.rows[i].weight == all.rows[places[i]].weight);
  }
}

TEST_CASE("gradients of shards are added in pairs, the pairs in pairs: to the bit, for any number of shards") {
  for (const char* attention : {"none", "dot", "general", "additive"})
    for (const auto& [shards, micro_batches] : {std::pair{4, 1}, {3, 1}, {1, 3}, {7, 2}, {2, 5}}) {
      Sharded lab(
          {std::string("model.attention=") + attention, "model.dropout.hidden=0.3", "train.teacher_forcing=0.6"});
      use_weights(lab.loss);
      std::vector<Batch> batches;
      for (int i = 0; i < micro_batches; ++i) batches.push_back(weighted_batch(static_cast<uint64_t>(30 + i), 11));
      const ForwardContext context{true, 4, 11, 0, 0.6};
      const auto of_shards = shard_gradients(lab, batches, shards, context);
      const std::vector<float> want = tree_sum(of_shards, 0, of_shards.size());
      CAPTURE(attention, shards, micro_batches);
      REQUIRE(std::ssize(of_shards) == shards * micro_batches);
      CHECK(largest_of({want.begin(), want.end()}) > 0);
      for (const int threads : {1, 2}) {
        const Threads set(threads);
        lab.step(batches, shards, context);
        CHECK(lab.gradients<float>() == want);
      }
    }
}

TEST_CASE("one shard of one micro-batch is the plain step: forward, loss, backward into cleared gradients") {
  Sharded lab({"model.attention=general", "model.dropout.hidden=0.3"});
  const Batch batch = random_batch(3, 9, 7, 6);
  const ForwardContext context{true, 4, 11, 0};
  const auto want = shard_gradients(lab, {&batch, 1}, 1, context);
  lab.step({&batch, 1}, 1, context);
  CHECK(lab.gradients<float>() == want[0]);
}

TEST_CASE("shards have the loss and the gradient of the whole, for every reduction and scope, with dropout") {
  Batch dealt = weighted_batch(8, 16);
  std::vector<int64_t> order;  // in which shards have the sentences: they draw dropout by it
  for (const std::vector<int64_t>& sentences : deal(dealt, 5))
    order.insert(order.end(), sentences.begin(), sentences.end());
  const Batch in_order = index_select(dealt, order);
  for (const Preset& p : presets())
    for (const Scope scope : {Scope::global, Scope::micro}) {
      CAPTURE(p.name, p.flags, scope == Scope::micro);
      Sharded lab({"model.attention=general", "precision=fp64", "model.dropout.hidden=0.3"});
      LossOptions& o = lab.loss.options;
      o.over = p.over, o.divide = p.divide, o.divide_eps = p.divide_eps, o.on_zero = OnZero::zero, o.scope = scope;
      if (p.over != Over::all) o.then = Then::sum;
      if (p.divide.flat == "class_weight") lab.loss.class_weight = std::vector<double>(17, 0.5);
      use_weights(lab.loss);
      const Batch more = weighted_batch(9, 5);  // one of two micro-batches that differ in size
      const ForwardContext context{true, 4, 11, 0};
      const std::vector<Batch> whole = {in_order, more}, parts = {dealt, more};
      const std::vector<Batch> one_each = {in_order};
      const StepResult one = lab.step(one_each, 1, context);
      const auto want = lab.gradients<double>();
      const StepResult five = lab.step({&dealt, 1}, 5, context);
      const auto got = lab.gradients<double>();
      const double value = one.loss.value(o);
      CHECK(std::abs(five.loss.value(o) - value) <= 1e-12 * std::abs(value));
      CHECK(std::abs(five.loss.perplexity() - one.loss.perplexity()) <= 1e-12 * one.loss.perplexity());
      CHECK(five.target_tokens == one.target_tokens);
      CHECK(five.positions == one.positions);
      const double largest = largest_of(want);
      for (size_t i = 0; i < want.size(); ++i) REQUIRE(std::abs(want[i] - got[i]) <= 1e-12 * largest);
      CHECK(largest > 0);
      // Two micro-batches: the second is dealt in another order, so it is compared without dropout.
      Sharded plain({"model.attention=general", "precision=fp64"});
      plain.loss = lab.loss;
      const StepResult two = plain.step(whole, 1, context);
      const auto of_two = plain.gradients<double>();
      const StepResult ten = plain.step(parts, 5, context);
      const auto of_ten = plain.gradients<double>();
      CHECK(std::abs(ten.loss.value(o) - two.loss.value(o)) <= 1e-12 * std::abs(two.loss.value(o)));
      for (size_t i = 0; i < of_two.size(); ++i) REQUIRE(std::abs(of_two[i] - of_ten[i]) <= 1e-12 * largest_of(of_two));
    }
}

TEST_CASE("what is said of a step is said of its micro-batches, however many shards they have") {
  for (const char* loss :
       {"loss={reduce: {divide: positions}, compare: [sum, torch.mean]}", "loss={reduce: {divide: active}}",
        "loss={input: probs, probs: {mode: renorm_clip, eps: 0.2}}"}) {
    Sharded lab({"precision=fp64", loss});
    lab.loss.mask = lab.loss.example_weight = true;
    const Batch batch = weighted_batch(2, 9);
    const StepResult one = lab.step({&batch, 1}, 1, {}), four = lab.step({&batch, 1}, 4, {});
    CAPTURE(loss);
    CHECK(one.warnings.size() > 0);
    REQUIRE(one.warnings.size() == four.warnings.size());
    for (size_t i = 0; i < one.warnings.size(); ++i) CHECK(one.warnings[i].text == four.warnings[i].text);
    REQUIRE(one.compared.size() == four.compared.size());
    for (size_t i = 0; i < one.compared.size(); ++i) {
      const LossOptions& o = lab.loss.compare[i].options;
      CHECK(std::abs(one.compared[i].value(o) - four.compared[i].value(o)) <= 1e-12 * one.compared[i].value(o));
    }
  }
}

TEST_CASE("shards without sentences, or of which nothing counts, add nothing") {
  Sharded lab({"precision=fp64"});
  Batch batch = random_batch(2, 3, 5, 4);
  lab.step({&batch, 1}, 1, {});
  const auto want = lab.gradients<double>();
  for (const int64_t shards : {4, 64}) {
    lab.step({&batch, 1}, shards, {});
    const auto got = lab.gradients<double>();
    for (size_t i = 0; i < want.size(); ++i) REQUIRE(std::abs(want[i] - got[i]) <= 1e-12 * largest_of(want));
  }
  lab.loss.example_weight = true;
  for (const std::vector<double>& weights : {std::vector<double>{1, 0, 0}, {0, 0, 1}, {0, 0, 0}}) {
    batch.example_weight = weights;
    const bool skipped = lab.step({&batch, 1}, 1, {}).skipped;
    const auto whole = lab.gradients<double>();
    CHECK(lab.step({&batch, 1}, 3, {}).skipped == skipped);
    CHECK(skipped == (weights == std::vector<double>{0, 0, 0}));
    const auto got = lab.gradients<double>();
    for (size_t i = 0; i < whole.size() && !skipped; ++i)
      REQUIRE(std::abs(whole[i] - got[i]) <= 1e-12 * largest_of(whole));
  }
}

TEST_CASE("a shard's tape is smaller than the batch's") {
  const Batch batch = random_batch(1, 64, 20, 20);
  size_t taken[2];
  for (const int64_t shards : {1, 4}) {
    const TapeScope own;
    Sharded({}).step({&batch, 1}, shards, {});
    taken[shards > 1] = Tape::current().high_water();
  }
  CHECK(taken[1] < taken[0] / 2);
}

TEST_CASE("on a GPU shards are replayed one by one, and become what they are where nothing is replayed") {
  const auto train = [](bool graphs, Device device, std::vector<std::string> set) {
    set.emplace_back("model.dropout.hidden=0.3");
    Sharded lab(set, device);
    std::vector<double> seen;
    {
      StepQueue queue(*lab.model, lab.loss, lab.config.optim, {3}, {.replay = graphs});
      for (int64_t step = 1; step <= 8; ++step) {
        std::vector<Batch> batches;
        for (const uint64_t seed : {1, 2})  // the second is too small for its shards
          batches.push_back(random_batch(seed + static_cast<uint64_t>(10 * step), seed == 1 ? 8 : 2, 7, 6));
        queue.run(std::move(batches), {true, 1, static_cast<uint64_t>(step), 0}, 0.01, step);
      }
      for (const StepResult& r : queue.collect()) seen.push_back(r.loss.numerator), seen.push_back(r.grad_norm);
    }
    const auto values = dispatch(lab.store().dtype(), [&]<class T> {
      const auto typed = to_host<T>(lab.store().values());
      return std::vector<double>(typed.begin(), typed.end());
    });
    seen.insert(seen.end(), values.begin(), values.end());
    return seen;
  };
  for (const char* attention : {"model.attention=none", "model.attention=general", "model.attention=additive"}) {
    CAPTURE(attention);
    CHECK(train(true, Device::cuda, {attention}) == train(false, Device::cuda, {attention}));
    const auto gpu = train(true, Device::cuda, {attention, "precision=fp64"}),
               cpu = train(true, Device::cpu, {attention, "precision=fp64"});
    REQUIRE(gpu.size() == cpu.size());
    for (size_t i = 0; i < gpu.size(); ++i)
      REQUIRE(std::abs(gpu[i] - cpu[i]) <= 1e-9 * std::max(1.0, std::abs(cpu[i])));
  }
}
