// What ops, tape and registries promise each other, held for every op by walking the registry.
#include <cmath>
#include <cstring>

#include "engine/core/op_registry.h"
#include "engine/core/random.h"
#include "engine/loss/sequence_loss.h"
#include "engine/ops/argmax.h"
#include "engine/ops/attention.h"
#include "engine/ops/attention_gru.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/gru.h"
#include "engine/ops/last_states.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduce.h"
#include "engine/ops/softmax.h"
#include "engine/ops/view.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "tests/support/devices.h"
#include "tests/support/op_samples.h"
#include "tests/support/process.h"

using namespace seqgrad;

namespace {

std::vector<Tensor> inputs_of(const OpSample& sample, Device device, size_t elsewhere = SIZE_MAX) {
  std::vector<Tensor> all;
  Random random(11, 0);
  for (const SampleInput& input : sample.inputs) {
    const Device on = all.size() == elsewhere ? Device::cpu : device;
    if (input.kind == SampleInput::Kind::ids) {
      std::vector<int32_t> ids;
      for (int64_t i = 0; i < input.shape.numel(); ++i)
        ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(input.count))));
      all.push_back(from_host(ids, input.shape, on));
    } else {
      std::vector<double> x;
      for (int64_t i = 0; i < input.shape.numel(); ++i)
        x.push_back(input.low + (input.high - input.low) * random.uniform());
      const Tensor t = from_host(x, input.shape, on);
      all.push_back(input.differentiable ? variable(t) : t);
    }
  }
  return all;
}

void for_each_sample(const std::function<void(const std::string&, const OpSample&, Device)>& f) {
  for (const auto& [name, samples] : op_samples())
    for (const OpSample& sample : samples)
      for (const Device device : test_devices()) {
        CAPTURE(name, sample.label, test_name_of(device));
        f(name, sample, device);
      }
}

void overwrite(const Tensor& x) {
  const std::vector<double> nan(static_cast<size_t>(x.numel()), std::nan(""));
  backend(x.device).upload(x.data, nan.data(), x.bytes());
}

// Gradients of the inputs; `spoil`: what the op has not claimed for its way back is overwritten first.
std::vector<std::vector<double>> gradients_of(const OpSample& sample, Device device, bool spoil) {
  Tape::current().reset();
  const std::vector<Tensor> in = inputs_of(sample, device);
  const Tensor y = sample.call(in);
  std::vector<std::vector<double>> out;
  if (!y.requires_grad()) return out;
  std::vector<double> upstream;
  for (int64_t i = 0; i < y.numel(); ++i) upstream.push_back(0.5 + 0.01 * static_cast<double>(i));
  const Tensor dy = from_host(upstream, y.shape, device);
  std::vector<Tensor> all = in;
  all.push_back(y);
  for (const Tensor& x : all)
    if (spoil && x.slot && !x.slot->saved && x.numel() > 0) overwrite(x);
  Tape::current().backward(y, dy);
  for (const Tensor& x : in) out.push_back(x.requires_grad() ? to_host<double>(grad(x)) : std::vector<double>{});
  return out;
}

Tensor reals(Shape shape, Device device) { return variable(zeros(shape, DType::f32, device)); }
Tensor ids(const std::vector<int32_t>& values, Device device) {
  return from_host(values, {static_cast<int64_t>(values.size())}, device);
}

}  // namespace

TEST_CASE("an op's way back reads nothing that the op has not claimed: the rest may be overwritten in place") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    if (sample.differentiable) REQUIRE(gradients_of(sample, device, true) == gradients_of(sample, device, false));
  });
}

TEST_CASE("the first op that writes a gradient leaves nothing of what stood there, and the second adds") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    if (!sample.differentiable) return;
    const auto want = gradients_of(sample, device, false);
    Tape::current().reset();
    const Tensor all = variable(from_host(std::vector<double>(1 << 16, 1.0), {1 << 16}, device));
    overwrite(grad(all));  // where the next step's gradients will be
    REQUIRE(gradients_of(sample, device, false) == want);

    // Each input is read by another op, too, which is recorded before the sample, or after it.
    for (const bool before : {false, true}) {
      Tape::current().reset();
      std::vector<Tensor> in = inputs_of(sample, device), read;
      Tensor other = sum(variable(zeros({1}, DType::f64, device)));
      const auto read_all = [&] {
        for (const Tensor& x : in)
          if (x.requires_grad()) other = add(other, scale(sum(x), 3));
      };
      if (before) read_all();
      const Tensor y = sample.call(in);
      if (!y.requires_grad()) return;
      if (!before) read_all();
      Tape::current().backward(add(sum(y), other));
      const auto got = [&] {
        std::vector<std::vector<double>> out;
        for (const Tensor& x : in) out.push_back(x.requires_grad() ? to_host<double>(grad(x)) : std::vector<double>{});
        return out;
      }();
      Tape::current().reset();
      in = inputs_of(sample, device);
      Tape::current().backward(sum(sample.call(in)));
      for (size_t i = 0; i < in.size(); ++i)
        for (size_t j = 0; j < got[i].size(); ++j)
          REQUIRE(std::abs(got[i][j] - 3 - to_host<double>(grad(in[i]))[j]) < 1e-12 * (4 + std::abs(got[i][j])));
    }
  });
}

TEST_CASE("where nothing comes back, an op's gradients are +0.0") {
  for_each_sample([](const std::string&, const OpSample& sample, Device device) {
    if (!sample.differentiable) return;
    Tape::current().reset();
    const std::vector<Tensor> in = inputs_of(sample, device);
    const Tensor y = sample.call(in);
    if (!y.requires_grad()) return;
    Tape::current().backward(y, zeros(y.shape, y.dtype, device));
    for (const Tensor& x : in)
      if (x.requires_grad())
        for (const double g : to_host<double>(grad(x))) REQUIRE((g == 0 && !std::signbit(g)));
  });
}

TEST_CASE("logits that an op's way back reads are not overwritten by the loss that they are moved into") {
  // W of a GRU is read by its backward; that it is the logits of something, too, must not spoil that.
  const auto gradients = [](bool moved) {
    Tape::current().reset();
    std::vector<float> w;
    for (int i = 0; i < 12; ++i) w.push_back(0.1f * static_cast<float>(i) - 0.5f);
    const Tensor leaf = variable(from_host(w, {2, 6})), weight = scale(leaf, 1);
    const Tensor y = gru(variable(from_host(std::vector<float>(36, 0.3f), {2, 3, 6})), weight, reals({6}, Device::cpu),
                         {}, ids({3, 2}, Device::cpu));
    LossInputs in;
    in.batch = 2, in.steps = 1, in.classes = 6, in.targets = {1, 2};
    const LiveRows rows = build_live_rows(in, {});
    Tensor logits = reshape(weight, {2, 1, 6});
    const Tensor loss = moved ? sequence_loss(std::move(logits), in, rows, {}, rows.divisor).value
                              : sequence_loss(logits, in, rows, {}, rows.divisor).value;
    Tape::current().backward(add(loss, sum(y)));
    return to_host<float>(grad(leaf));
  };
  CHECK(gradients(true) == gradients(false));
}

TEST_CASE("operands on two devices are refused by the op's name") {
  for (const auto& [name, samples] : op_samples())
    for (const OpSample& sample : samples)
      for (size_t i = 0; sample.inputs.size() > 1 && i < sample.inputs.size(); ++i) {
        CAPTURE(name, sample.label, i);
        Tape::current().reset();
        const std::vector<Tensor> in = inputs_of(sample, Device::cuda, i);
        const std::string said = error_of([&] { sample.call(in); });
        CHECK(has(said, "they must be on one device"));
        CHECK(has(said, "on cuda"));
      }
  Tape::current().reset();
  CHECK(error_of([] { add(reals({2}, Device::cpu), reals({2}, Device::cuda)); }) ==
        "2 add: one operand ([2]) is on cpu, another ([2]) on cuda; they must be on one device");
  const Tensor y = sum(reals({2}, Device::cuda));
  CHECK(has(error_of([&] { Tape::current().backward(y, from_host(std::vector<float>{1}, {})); }),
            "backward: one operand"));
}

TEST_CASE("ids and lengths outside their range are refused with the same words on every device") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Tape::current().reset();
    const auto of = [&](Shape shape) { return reals(shape, device); };
    CHECK(error_of([&] { embedding(ids({0, 4, 5}, device), of({5, 2})); }) == "2 embedding: id 5 is outside [0,5)");
    CHECK(error_of([&] { embedding(ids({0, -1}, device), of({5, 2})); }) == "2 embedding: id -1 is outside [0,5)");
    CHECK(error_of([&] { softmax(of({2, 3}), ids({3, 4}, device)); }) == "2 softmax: lengths[1]=4 is outside [0,3]");
    CHECK(error_of([&] {
            gru(of({2, 3, 6}), of({2, 6}), of({6}), {}, ids({-1, 3}, device));
          }) == "2 gru: lengths[0]=-1 is outside [0,3]");
    CHECK(error_of([&] {
            last_states(of({2, 3, 6}), ids({3, 7}, device), 1);
          }) == "2 last_states: lengths[1]=7 is outside [0,3]");
    CHECK(error_of([&] {
            attention(of({1, 2, 3}), of({1, 4, 3}), of({1, 4, 2}), ids({5}, device));
          }) == "2 attention: lengths[0]=5 is outside [0,4]");
    CHECK(error_of([&] {
            additive_attention(of({1, 3}), of({1, 4, 3}), of({3}), of({1, 4, 2}), ids({5}, device));
          }) == "2 additive_attention: lengths[0]=5 is outside [0,4]");
    const AttentiveCell cell{of({3, 6}), of({6}), of({2, 6}), of({6}), of({2, 2}), of({2}), of({2})};
    const auto attend = [&](int32_t source, int32_t target) {
      attention_gru(of({1, 3, 1}), cell, of({1, 2}), {of({1, 4, 2}), of({1, 4, 2}), ids({source}, device)},
                    ids({target}, device));
    };
    CHECK(error_of([&] { attend(4, 4); }) == "2 attention_gru: lengths[0]=4 is outside [0,3]");
    CHECK(error_of([&] { attend(5, 3); }) == "2 attention_gru: source.lengths[0]=5 is outside [0,4]");
    // Ids that nothing is known of are looked at.
    const Tensor from = ids({1, 9}, device), copied = empty({2}, DType::i32, device);
    backend(device).copy(copied.data, from.data, from.bytes());
    CHECK(error_of([&] { embedding(copied, of({5, 2})); }) == "2 embedding: id 9 is outside [0,5)");
    // Those that an op has made keep their range, and what they were given.
    const Tensor x = of({2, 3});
    CHECK(error_of([&] { embedding(argmax(x, 1), of({3, 2})); }) == "");
    CHECK(error_of([&] {
            embedding(argmax(x, 1, ids({-1, 7}, device)), of({3, 2}));
          }) == "2 embedding: id 7 is outside [0,3)");
  }
}

TEST_CASE("what is registered twice under one name ends the program with that name") {
  const auto ended_by = [](const std::function<void()>& f, const std::string& said) {
    const Result r = in_a_process(f);
    CAPTURE(r.err, said);
    CHECK(r.code == 1000 + SIGABRT);
    CHECK(has(r.err, said));
  };
  ended_by([] { register_op({"tanh", "another"}); }, "seqgrad: op 'tanh' is registered twice: by ");
  ended_by([] { register_op({"tanh", "another"}); }, "elementwise.cpp and by ");
  ended_by([] { register_op({"tanh", "another"}); }, "test_contracts.cpp\n");
  ended_by(
      [] {
        install<Device::cpu>(
            kernels::axpy<float>, +[](const kernels::Axpy<float>&) {});
      },
      "seqgrad: cpu kernel 'axpy' is registered twice: by ");
  ended_by([] { install_backend(Device::cpu, backend(Device::cpu)); },
           "seqgrad: device 'cpu' is registered twice: by ");
  ended_by(
      [] {
        register_optimizer({"adam", "another", nullptr, nullptr});
      },
      "seqgrad: optimizer 'adam' is registered twice\n");
  ended_by(
      [] {
        register_schedule({"linear", "another", nullptr});
      },
      "seqgrad: schedule 'linear' is registered twice\n");
}

TEST_CASE("a tensor made under an ArenaMark is refused once its memory was given back, and one made before is not") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Tape::current().reset();
    const NoGrad guard;
    const Tensor before = zeros({2}, DType::f32, device);
    Tensor inside, deeper, elsewhere;
    {
      const ArenaMark mark(device);
      inside = tanh(before);
      {
        const ArenaMark inner(device);
        deeper = tanh(inside);
        CHECK(error_of([&] { tanh(deeper); }) == "");
      }
      CHECK(has(error_of([&] { tanh(deeper); }), "its memory has been given away"));
      CHECK(error_of([&] { tanh(inside); }) == "");
      if (device == Device::cuda) elsewhere = zeros({2}, DType::f32);  // whose memory the mark does not give back
    }
    CHECK(has(error_of([&] { tanh(inside); }), "its memory has been given away"));
    CHECK(has(error_of([&] { variable(inside); }), "its memory has been given away"));
    CHECK(error_of([&] { tanh(before); }) == "");
    if (device == Device::cuda) CHECK(error_of([&] { tanh(elsewhere); }) == "");
  }
}

TEST_CASE("a mark that outlives a reset gives nothing back, and what was made before the reset is refused") {
  Tape& tape = Tape::current();
  tape.reset();
  const NoGrad guard;
  Tensor after;
  {
    const ArenaMark mark(Device::cpu);
    const Tensor x = zeros({2}, DType::f32);
    tape.reset();
    after = zeros({1000}, DType::f32);
    CHECK(has(error_of([&] { tanh(x); }), "its memory has been given away"));
  }
  CHECK(error_of([&] { tanh(after); }) == "");
  CHECK(tape.values(Device::cpu).used() >= 4000);
}

TEST_CASE("closures lie as their type wants them to") {
  struct alignas(64) Wide {
    double x[8];
  };
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor x = variable(from_host(std::vector<double>{2}, {1}));
  static bool aligned = false;
  for (int odd = 0; odd < 3; ++odd) {  // closures of other sizes before it
    Tensor y = empty_like(x);
    const Wide wide{{3}};
    tape.record(y, {.inputs = {x}}, [=](const Tensor&) { (void)odd; });
    tape.record(y, {.inputs = {x}}, [x, wide](const Tensor& dy) {
      aligned = reinterpret_cast<uintptr_t>(&wide) % alignof(Wide) == 0;
      grad(x).as<double>()[0] += wide.x[0] * dy.as<double>()[0];
    });
    aligned = false;
    tape.backward(y);
    CHECK(aligned);
  }
}
