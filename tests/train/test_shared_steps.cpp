// Steps that several processes compute together: one digest, one result, one error, however many they are.
#include <cmath>
#include <map>
#include <mutex>

#include "engine/comm/comm_threads.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step_queue.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/random_batch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

struct SharedSteps {
  std::vector<std::string> set;
  int64_t shards = 1, micro_batches = 1;
  Device device = Device::cpu;
  float spoilt = 0;  // what out.bias begins with
};

struct Trained {
  uint64_t digest = 0;
  std::vector<double> numbers;  // of each step: loss, norm, presets beside it
  std::vector<std::string> warnings;
  bool operator==(const Trained&) const = default;
};

Batch shared_batch(uint64_t seed, int64_t sentences) {
  Batch batch = random_batch(seed, sentences, 7, 6);
  for (int64_t b = 0; b < sentences; ++b) batch.example_weight.push_back(b % 5 == 3 ? 0 : 0.5 + static_cast<double>(b));
  for (int64_t i = 0; i < sentences * 6; ++i)
    batch.mask.push_back(i % 6 < batch.target_lengths[static_cast<size_t>(i / 6)] && i % 11 != 2);
  return batch;
}

// Four steps; the last one has one micro-batch, as the end of a run may.
Trained train(const SharedSteps& job, Processes* processes) {
  Config config;
  std::vector<std::string> set = {"data.task=copy", "model.embedding=5", "model.encoder.hidden=4",
                                  "model.decoder.hidden=8"};
  set.insert(set.end(), job.set.begin(), job.set.end());
  load(config, "", set);
  LossSetup loss = make_loss_setup(config.loss, 17);
  loss.mask = loss.example_weight = true;
  const auto model = make_model(config, {17, 17}, job.device);
  if (job.spoilt != 0) {
    const Parameter& bias = *model->store().find("out.bias");
    const std::vector<float> values(17, job.spoilt);
    model->store().from_file(bias, model->store().values(), values.data());
  }
  std::optional<ProcessSum> sum;
  if (processes) sum.emplace(*processes);
  Trained out;
  StepQueue queue(*model, loss, config.optim, {job.shards, sum ? &*sum : nullptr});
  for (int64_t step = 1; step <= 4; ++step) {
    std::vector<Batch> batches;
    while (std::ssize(batches) < (step == 4 ? 1 : job.micro_batches))
      batches.push_back(shared_batch(static_cast<uint64_t>(10 * step + std::ssize(batches)), 11 - step));
    queue.run(std::move(batches), {true, 1, static_cast<uint64_t>(step), 0, config.train.teacher_forcing()}, 0.01,
              step);
  }
  for (const StepResult& r : queue.collect()) {
    out.numbers.insert(out.numbers.end(), {r.loss.numerator, r.loss.divisor, r.loss.nll_sum, r.grad_norm});
    for (const ReportedLoss& c : r.compared) out.numbers.push_back(c.numerator);
    for (const LossWarning& w : r.warnings) out.warnings.push_back(w.text);
  }
  out.digest = model->store().digest();
  return out;
}

// What each of so many processes has trained.
std::vector<Trained> train_together(const SharedSteps& job, int count) {
  std::vector<Trained> out(static_cast<size_t>(count));
  run_as_processes(count, [&](Processes& p) { out[static_cast<size_t>(p.rank())] = train(job, &p); });
  return out;
}

void check_together(const SharedSteps& job) {
  const Trained alone = train(job, nullptr);
  CHECK(alone.numbers.size() >= 16);
  for (int count = 1; count <= 5; ++count) {
    CAPTURE(job.set, job.shards, job.micro_batches, test_name_of(job.device), count);
    for (const Trained& t : train_together(job, count)) CHECK(t == alone);
  }
}

}  // namespace

TEST_CASE("one process or five, with shards, micro-batches, dropout, weights and masks: one digest") {
  for (const char* attention : {"none", "dot", "general", "additive"})
    for (const auto& [shards, micro_batches] : {std::pair{4, 1}, {4, 3}, {1, 3}})
      check_together(
          {{std::string("model.attention=") + attention, "model.dropout.hidden=0.3", "train.teacher_forcing=0.7",
            "optim.clip_norm=0.1", "loss={reduce: {divide: positions}, compare: [sum, token_mean]}"},
           shards,
           micro_batches});
  check_together({{"precision=fp64", "loss={reduce: {over: time, divide: active, then: mean}}"}, 4, 2});
  check_together({{"precision=bf16", "model.attention=general"}, 4, 1});
  check_together({{"model.attention=general", "loss={input: probs}"}, 3, 2});
}

TEST_CASE("a loss that is not finite in one process ends all of them with the words of one") {
  SharedSteps job{{"model.attention=general"}, 4, 2};
  job.spoilt = NAN;
  const std::string want = error_of([&] { train(job, nullptr); });
  CHECK_THAT(want, Catch::Matchers::StartsWith("1 step 1: the loss is not finite: logits(b=0,t=0,v="));
  std::mutex mutex;
  std::vector<std::string> said;
  run_as_processes(3, [&](Processes& p) {
    const std::string error = error_of([&] { train(job, &p); });
    const std::scoped_lock lock(mutex);
    said.push_back(error);
  });
  CHECK(said == std::vector<std::string>(3, want));
}
