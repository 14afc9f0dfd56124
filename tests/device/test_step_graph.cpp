// Steps that run ahead of the host, and those that a GPU replays as graphs: the bits of steps that do neither.
#include "apps/bench/reference_model.h"
#include "engine/core/tape.h"
#include "engine/device/step_graph.h"
#include "engine/loss/loss_tile.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/reduce.h"
#include "engine/run/process_settings.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step_queue.h"
#include "engine/train/trainer.h"
#include "tests/emulate/gpu_emulator.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/random_batch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

struct Run {
  Config config;
  LossSetup loss;
  std::unique_ptr<SequenceModel> model;
  std::unique_ptr<StepQueue> queue;

  explicit Run(Device device, std::vector<std::string> set = {}, const GraphOptions& graphs = {}) {
    for (const char* size : {"data.task=copy", "model.embedding=5", "model.encoder.hidden=4", "model.decoder.hidden=8"})
      set.emplace_back(size);
    load(config, "", set);
    loss = make_loss_setup(config.loss, 17);
    model = make_model(config, {17, 17}, device);
    queue = std::make_unique<StepQueue>(*model, loss, config.optim, Sharing{}, graphs);
  }
  bool step(int64_t number, std::vector<Batch> batches) {
    const ForwardContext context{true, 1, static_cast<uint64_t>(number), 0, config.train.teacher_forcing()};
    return queue->run(std::move(batches), context, 0.01 / static_cast<double>(number), number);
  }
};

// Sizes that come back with other words, lengths and numbers of live rows; two shapes of batch.
std::vector<Batch> batches_of(int64_t step) {
  const bool large = step % 3 != 0;
  std::vector<Batch> out{random_batch(static_cast<uint64_t>(step), 6, large ? 7 : 4, large ? 6 : 3)};
  for (int64_t i = 0; i < 6; ++i) out[0].lines[static_cast<size_t>(i)] = 10 * step + i;
  return out;
}

struct Seen {
  uint64_t digest;
  std::vector<double> losses, norms;
  bool operator==(const Seen&) const = default;
};

Seen train(const GraphOptions& graphs, const std::vector<std::string>& set, int64_t steps, size_t micro_batches = 1) {
  Run run(Device::cuda, set, graphs);
  for (int64_t step = 1; step <= steps; ++step) {
    std::vector<Batch> batches;
    while (batches.size() < micro_batches)
      batches.push_back(batches_of(step + 12 * static_cast<int64_t>(batches.size()))[0]);
    run.step(step, std::move(batches));
  }
  Seen seen{run.model->store().digest(), {}, {}};
  for (const StepResult& r : run.queue->collect()) {
    seen.losses.push_back(r.loss.numerator);
    seen.norms.push_back(r.grad_norm);
  }
  return seen;
}

constexpr GraphOptions no_graphs{.replay = false};

// Steps of one key, whatever their size: the way to lie about it.
struct Doubler {
  StepGraphs graphs{Device::cuda};  // of the emulator: each replay is compared
  Tensor y;
  int64_t bodies = 0;  // how often one ran
  std::function<Tensor(const Tensor&)> f = [](const Tensor& x) { return add(x, x); };

  std::vector<float> operator()(const std::vector<float>& x) {
    Tape::current().reset();
    StepInputs in(Device::cuda);
    const Tensor on_device = wrap(in.add<float>(x), {static_cast<int64_t>(x.size())}, Device::cuda);
    in.upload();
    graphs.run({{}, in.slots(), [&] {
                  ++bodies;
                  y = f(on_device);
                }});
    return to_host<float>(y);
  }
};
using Floats = std::vector<float>;

}  // namespace

TEST_CASE("steps that are replayed as graphs have the bits of steps that are not") {
  const std::vector<std::vector<std::string>> models = {
      {"model.attention=none", "model.encoder.layers=2"},
      {"model.attention=general", "model.dropout.hidden=0.2", "model.dropout.embedding=0.1"},
      {"model.attention=additive", "model.dropout.hidden=0.2", "optim.clip_norm=0.01"},
      {"model.attention=dot", "model.input_feeding=true", "optim.name=sgd", "optim.momentum=0.9"},
      {"model.attention=none", "precision=fp64", "loss.smoothing.epsilon=0.1", "optim.clip_norm=null"},
      {"model.attention=general", "train.teacher_forcing=0.5", "model.dropout.embedding=0.1"},
      {"model.attention=none", "loss.input=logits", "loss.smoothing.epsilon=0.1"},
      {"model.attention=additive", "loss.input=probs"}};
  for (const auto& set : models) {
    CAPTURE(set);
    const int64_t before = emulate::graph_launches();
    const Seen plain = train(no_graphs, set, 6);
    CHECK(emulate::graph_launches() == before);
    for (const int64_t replays : {1, 64}) {  // compared each, or none
      CAPTURE(replays);
      const int64_t launched = emulate::graph_launches();
      CHECK(train({.replays_per_comparison = replays}, set, 6) == plain);
      // Of steps 1 to 6 with sizes LLSLLS, the first of each size runs as it is; all others are one launch each.
      CHECK(emulate::graph_launches() - launched == 4);
    }
    CHECK(plain.losses.size() == 6);
  }
}

TEST_CASE("a step is at most 300 nodes at 25 words a side, as in PyTorch's benchmark, and eight more for each other") {
  const auto nodes = [](const std::string& attention, int64_t words) {
    Run run(Device::cuda, {"model.attention=" + attention});
    int64_t before = 0;
    for (int64_t step = 1; step <= 3; ++step) {  // as it is, recorded, replayed
      before = emulate::graph_nodes();
      run.step(step, {random_batch(1, 8, words, words)});
    }
    return emulate::graph_nodes() - before;
  };
  for (const char* attention : {"none", "dot", "general", "additive"}) {
    const int64_t at_25 = nodes(attention, 25);
    CAPTURE(attention, at_25);
    CHECK(at_25 <= 300);
    CHECK(nodes(attention, 26) - at_25 == 8);  // of encoder and decoder, forward and backward, two
  }
  const ReferenceModel& m = reference_model("gpu_ref8k");
  CHECK(m.target_steps == 25);
  CHECK(loss_tile(Device::cuda, m.vocabulary, 4).rows >= m.batch * m.target_steps);  // one tile there, too
}

TEST_CASE("micro-batches are replayed one by one") {
  const std::vector<std::string> set = {"model.attention=general", "model.dropout.hidden=0.3"};
  const Seen plain = train(no_graphs, set, 6, 3);
  for (const int64_t replays : {1, 64}) CHECK(train({.replays_per_comparison = replays}, set, 6, 3) == plain);
}

TEST_CASE("steps on a GPU wait for it only when their results are collected, and train as on the CPU") {
  for (const auto& [graphs, key] : {std::pair{false, "loss.input=hidden"},
                                    {true, "loss.input=hidden"},
                                    {true, "loss.input=logits"},
                                    {true, "loss.input=probs"},
                                    {true, "train.teacher_forcing=0.5"}}) {
    CAPTURE(graphs, key);
    const std::vector<std::string> set = {"model.attention=general", "precision=fp64", "optim.clip_norm=0.5", key};
    Run gpu(Device::cuda, set, {.replay = graphs}), cpu(Device::cpu, set);
    const int64_t waited = emulate::synchronisations();
    for (int64_t step = 1; step <= 8; ++step) {
      gpu.step(step, batches_of(step));
      cpu.step(step, batches_of(step));
    }
    CHECK(emulate::synchronisations() == waited);
    const auto got = gpu.queue->collect(), want = cpu.queue->collect();
    CHECK(emulate::synchronisations() == waited + 1);
    REQUIRE(got.size() == 8);
    REQUIRE(want.size() == 8);
    for (size_t i = 0; i < 8; ++i) {
      CHECK(std::abs(got[i].loss.numerator - want[i].loss.numerator) <= 1e-9 * want[i].loss.numerator);
      CHECK(std::abs(got[i].grad_norm - want[i].grad_norm) <= 1e-9 * want[i].grad_norm);
      CHECK(std::abs(got[i].loss.nll_sum - want[i].loss.nll_sum) <= 1e-9 * want[i].loss.nll_sum);
      CHECK(got[i].loss.live == want[i].loss.live);
      CHECK(got[i].target_tokens == want[i].target_tokens);
    }
    CHECK(gpu.queue->collect().empty());
    const auto x = to_host<double>(gpu.model->store().values()), y = to_host<double>(cpu.model->store().values());
    for (size_t i = 0; i < x.size(); ++i) REQUIRE(std::abs(x[i] - y[i]) <= 1e-9);
  }
}

TEST_CASE(
    "a loss or gradient that is not finite ends a GPU's run with the words of the CPU's, at that step's parameters") {
  const auto spoil = [](Run& run, const char* name, float value) {
    Parameter& p = *run.model->store().find(name);
    std::vector<float> values = run.model->store().to_file<float>(p, run.model->store().values());
    values[3] = value;
    run.model->store().from_file(p, run.model->store().values(), values.data());
  };
  // A NaN that reaches the logits, and a number that is too large only for what its gradient is multiplied by.
  for (const auto& [input, name, value, why] :
       {std::tuple{"hidden", "out.bias", NAN, "the loss is not finite: logits(b=0,t=0,v=3) is nan"},
        {"logits", "out.bias", NAN, "the loss is not finite: logits(b=0,t=0,v=3) is nan"},
        {"probs", "out.bias", NAN, "the loss is not finite: probs(b=0,t=0,v=0) is nan"},
        {"hidden", "out.weight", 3e38f, "the gradient is not finite"}})
    for (const bool graphs : {false, true}) {
      CAPTURE(input, name, graphs);
      const std::vector<std::string> set = {std::string("loss.input=") + input};
      Run gpu(Device::cuda, set, {.replay = graphs}), cpu(Device::cpu, set);
      for (Run* run : {&gpu, &cpu}) run->loss.options.divide.flat = "const", run->loss.options.divide.k = 1e-3;
      for (int64_t step = 1; step <= 2; ++step) {
        cpu.step(step, batches_of(step));
        gpu.step(step, batches_of(step));
      }
      for (Run* run : {&gpu, &cpu}) spoil(*run, name, value);
      const std::string want = error_of([&] { cpu.step(3, batches_of(3)); });
      const uint64_t before = gpu.model->store().digest();
      for (int64_t step = 3; step <= 7; ++step) gpu.step(step, batches_of(step));
      CHECK(error_of([&] { gpu.queue->collect(); }) == want);
      CHECK(gpu.model->store().digest() == before);
      CHECK_THAT(want, Catch::Matchers::StartsWith(std::string("1 step 3: ") + why));
      CHECK_THAT(want, Catch::Matchers::Contains("training lines 30, 31, 32, 33, 34, 35"));
    }
}

TEST_CASE("what is uploaded may differ from step to step, where it lies and what is asked of the device may not") {
  Doubler doubled;
  CHECK(doubled({1, 2, 3}) == Floats{2, 4, 6});
  const int64_t before = emulate::graph_launches();
  CHECK(doubled({4, 5, 6}) == Floats{8, 10, 12});  // recorded
  CHECK(doubled({7, 8, 9}) == Floats{14, 16, 18});
  CHECK(emulate::graph_launches() == before + 2);
  CHECK(doubled({1, 2}) == Floats{2, 4});  // the key lies: no graph is replayed
  CHECK(emulate::graph_launches() == before + 2);
  CHECK(doubled({1, 2, 3, 4}) == Floats{2, 4, 6, 8});  // recorded anew
  CHECK(emulate::graph_launches() == before + 3);
  const Floats many(5000, 1.5f);
  CHECK(doubled(many) == Floats(5000, 3));
  CHECK(emulate::graph_launches() == before + 3);
  CHECK(doubled(many) == Floats(5000, 3));
  CHECK(emulate::graph_launches() == before + 4);
  doubled.f = [](const Tensor& x) { return square(x); };
  CHECK(doubled(many) == Floats(5000, 2.25f));
  CHECK(emulate::graph_launches() == before + 4);
  doubled.f = [](const Tensor& x) { return add(square(x), x); };
  for (int i = 0; i < 2; ++i) CHECK(doubled(many) == Floats(5000, 3.75f));
  CHECK(emulate::graph_launches() == before + 6);
  doubled.f = [](const Tensor& x) { return square(x); };  // a call less than was recorded
  CHECK(doubled(many) == Floats(5000, 2.25f));
  CHECK(emulate::graph_launches() == before + 6);
}

TEST_CASE("a replay runs no body on the host, but for one in so many, which must ask for the same") {
  Doubler doubled{.graphs = StepGraphs(Device::cuda, {.replays_per_comparison = 4})};
  for (int i = 1; i <= 5; ++i) {  // as it is, recorded, replayed
    const auto x = static_cast<float>(i);
    CHECK(doubled({x}) == Floats{2 * x});
  }
  CHECK(doubled.bodies == 2);
  CHECK(doubled({6}) == Floats{12});
  CHECK(doubled.bodies == 3);
  CHECK(doubled({7}) == Floats{14});
  CHECK(doubled.bodies == 3);
  doubled.f = [](const Tensor& x) { return square(x); };
  for (int i = 0; i < 2; ++i) doubled({8});
  CHECK(error_of([&] { doubled({9}); }) ==
        "3 a step asks the GPU for other calls than the graph that was replayed for it; graphs: false does without");
  CHECK(doubled({9}) == Floats{81});
}

TEST_CASE("a replay has its tape go on where the body's ended") {
  StepGraphs graphs(Device::cuda, {.replays_per_comparison = 64});
  const Floats start = {1, 2, 3};
  Tensor gradient;
  for (int i = 0; i < 6; ++i) {
    Tape& tape = Tape::current();
    tape.reset();
    if (i == 4) {  // as an evaluation between steps
      tape.scratch(tape.values(Device::cuda).capacity() + 1, Device::cuda);
      tape.reset();
    }
    StepInputs in(Device::cuda);
    const Tensor x = wrap(in.add<float>(start), {3}, Device::cuda);
    in.upload();
    graphs.run({{}, in.slots(), [&] {
                  const Tensor v = variable(x);
                  tape.backward(sum(square(v)));
                  gradient = grad(v);
                }});
    const Tensor later = from_host(Floats{7, 7, 7}, {3}, Device::cuda);
    CHECK(to_host<float>(gradient) == Floats{2, 4, 6});  // not added to those of the step before
    CHECK(to_host<float>(later) == Floats{7, 7, 7});
  }
}

TEST_CASE("ids that a step would refuse are refused where it is replayed, too") {
  const Floats table = {1, 2, 3, 4};
  for (const auto& [bad, name] : {std::pair{std::vector<int32_t>{4, 1}, "embedding: id 4 is outside [0,4)"},
                                  {{0, -1}, "embedding: id -1 is outside [0,4)"}}) {
    StepGraphs graphs(Device::cuda, {.replays_per_comparison = 64});
    int64_t bodies = 0;
    const auto rows = [&](const std::vector<int32_t>& ids) {
      Tape::current().reset();
      StepInputs in(Device::cuda);
      const Tensor at = in.add(ids, {2}), weight = wrap(in.add<float>(table), {4, 1}, Device::cuda);
      in.upload();
      graphs.run({{}, in.slots(), [&] {
                    ++bodies;
                    embedding(at, weight);
                  }});
    };
    for (int i = 0; i < 3; ++i) rows({1, 2});
    CHECK(bodies == 2);
    rows({0, 3});  // further out than any before: the body has to look at them
    CHECK(bodies == 3);
    rows({3, 1});
    CHECK(bodies == 3);
    const int64_t before = emulate::graph_launches();
    CHECK_THAT(error_of([&, &bad = bad] { rows(bad); }), Catch::Matchers::Contains(name));
    CHECK(emulate::graph_launches() == before);
  }
}

TEST_CASE("a step that waits for the device, uploads or asks it for memory runs as it is, with one warning for all") {
  const auto four_times = [](const std::function<void()>& body) {
    StepGraphs graphs(Device::cuda);
    for (int i = 0; i < 4; ++i) {
      Tape::current().reset();
      graphs.run({{}, {}, body});
    }
  };
  const Result r = in_a_process([&] {
    Floats got;
    const int64_t before = emulate::graph_launches();
    four_times([&] {
      const Tensor x = zeros({2}, DType::f32, Device::cuda);
      for (const float y : to_host<float>(add(x, x))) got.push_back(y);
    });
    float number = 0;
    Floats numbers;
    four_times([&] {
      const Tensor x = from_host(Floats{++number}, {1}, Device::cuda);
      numbers.push_back(to_host<float>(x)[0]);
    });
    auto grows = static_cast<int64_t>(Tape::current().values(Device::cuda).capacity() / sizeof(float));
    Tensor last;
    four_times([&] { last = zeros({grows *= 3}, DType::f32, Device::cuda); });
    if (got != Floats(8, 0)) _exit(10);
    if (numbers != Floats{1, 3, 4, 5}) _exit(14);  // the second was given up where it would have uploaded
    if (to_host<float>(last) != Floats(static_cast<size_t>(grows))) _exit(11);
    if (emulate::graph_launches() != before) _exit(12);
    if (Doubler()({1}) != Floats{2}) _exit(13);  // and the device goes on
  });
  CHECK(r.code == 0);
  CHECK(
      r.err ==
      "warning: a step cannot be replayed as a CUDA graph (it waits for the device); it is made call by call, which is "
      "slower; graphs: false asks for no graphs\n");
}

TEST_CASE("a call that no graph can hold spoils a capture of the emulator") {
  cudaGraph_t graph;
  for (const auto& call : std::vector<std::function<cudaError_t()>>{[] { return cudaStreamSynchronize(nullptr); },
                                                                    [] {
                                                                      void* memory;
                                                                      return cudaMallocAsync(&memory, 64, nullptr);
                                                                    }}) {
    REQUIRE(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    CHECK(call() == cudaErrorStreamCaptureUnsupported);
    CHECK(cudaStreamEndCapture(nullptr, &graph) == cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
  }
  cudaGetLastError();
}

TEST_CASE("graphs are kept up to a number, the last used") {
  StepGraphs graphs(Device::cuda);
  const int64_t others = emulate::graphs();
  const auto use = [&](int64_t key) {
    Tape::current().reset();
    const int64_t before = emulate::graph_launches();
    graphs.run({{key}, {}, [] { zeros({8}, DType::f32, Device::cuda); }});
    return emulate::graph_launches() > before;
  };
  for (int64_t key = 0; key < static_cast<int64_t>(most_step_graphs); ++key) {
    CHECK_FALSE(use(key));
    CHECK(use(key));
  }
  CHECK(emulate::graphs() - others == static_cast<int64_t>(most_step_graphs));
  CHECK(use(0));
  CHECK_FALSE(use(-1));  // takes the place of 1
  CHECK(use(0));
  CHECK_FALSE(use(1));
}

TEST_CASE("the key `graphs` switches them off, and changes nothing that is trained") {
  std::string weights[2];
  for (const bool on : {true, false}) {
    const Scratch dir;
    Config config;
    load(config, "",
         {"data.task=copy", "data.sizes={train: 48, dev: 1, test: 1}", "model.embedding=4", "model.encoder.hidden=4",
          "model.decoder.hidden=4", "train.steps=8", "train.batch.size=3", "report.samples=0", "train.batch.bucket=8",
          "train.log_every=4", "train.validate_every=12", "decode.max_ratio=1.0", "decode.max_extra=1", "threads=1",
          "device=cuda", on ? "graphs=true" : "graphs=false"});
    std::ofstream(dir / "run.json") << "{}";
    const Data data = load_data(config.data, 1);
    const Device device = apply_process_settings(config).device;
    const auto model = make_model(config, {data.source->size(), data.target->size()}, device);
    const int64_t before = emulate::graph_launches();
    Trainer trainer(TrainJob{config,
                             *model,
                             data,
                             make_loss_setup(config.loss, data.target->size()),
                             {1, 1},
                             dir / ".",
                             std::nullopt,
                             true});
    CHECK(trainer.run() == Ending::finished);
    CAPTURE(emulate::graph_launches() - before);
    CHECK((emulate::graph_launches() > before + 3) == on);
    weights[on] = slurp(dir / "checkpoints/last/model.safetensors") + slurp(dir / "checkpoints/last/optim.safetensors");
    CHECK(weights[on].size() > 1000);
  }
  CHECK(weights[0] == weights[1]);
}
