// The whole model: against PyTorch's recorded step, against numeric gradients, and against itself.
#include <test_paths.h>
#include <cmath>
#include <numeric>

#include "engine/check/gradcheck.h"
#include "engine/core/isa.h"
#include "engine/core/random.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/io/safetensors.h"
#include "engine/optim/optimizer.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/diverged.h"
#include "engine/train/step.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/random_batch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

const std::string root = SEQGRAD_SOURCE_DIR;

Batch batch_of(const SafetensorsFile& f) {
  Batch b;
  const auto ints = [&](const char* name) {
    const NamedArray& a = f.at(std::string("batch.") + name);
    return std::vector<int32_t>(a.data<int64_t>(), a.data<int64_t>() + a.numel());
  };
  b.source = ints("source"), b.source_lengths = ints("source_lengths");
  b.target_in = ints("target_in"), b.target_out = ints("target_out"), b.target_lengths = ints("target_lengths");
  b.batch = f.at("batch.source").shape[0], b.source_steps = f.at("batch.source").shape[1],
  b.target_steps = f.at("batch.target_out").shape[1];
  b.lines.assign(static_cast<size_t>(b.batch), 1);
  return b;
}

std::unique_ptr<SequenceModel> small_model(const std::string& attention, const std::string& precision,
                                           const std::vector<std::string>& more = {}, Device device = Device::cpu) {
  Config config;
  std::vector<std::string> set = {"data.task=copy",
                                  "model.embedding=5",
                                  "model.encoder.hidden=4",
                                  "model.decoder.hidden=8",
                                  "model.attention=" + attention,
                                  "precision=" + precision};
  set.insert(set.end(), more.begin(), more.end());
  load(config, "", set);
  return make_model(config, {17, 17}, device);
}

LossSetup plain_loss(int64_t classes = 17) {
  LossSetup s;
  s.classes = classes;
  return s;
}

template <class T>
void compare_with_pytorch(const std::string& name, const std::string& kind, const char* suffix,
                          const std::string& precision, double tolerance, const std::vector<std::string>& more = {}) {
  const SafetensorsFile f = read_safetensors(root + "/tests/golden/seq2seq_" + name + "_" + suffix + ".safetensors");
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    const auto model = small_model(kind, precision, more, device);
    ParameterStore& store = model->store();
    for (Parameter& p : store.parameters())
      store.from_file<T>(p, store.values(), f.at("weight." + p.name).template data<T>());
    const Batch batch = batch_of(f);
    const StepResult r = accumulate_gradients(*model, plain_loss(), {&batch, 1}, {});
    const double want = static_cast<double>(*f.at("loss").template data<T>());
    CHECK(std::abs(r.loss.value({}) - want) <= tolerance * std::abs(want));
    for (const Parameter& p : store.parameters()) {
      CAPTURE(name, p.name);
      const auto got = store.to_file<T>(p, store.grads());
      const NamedArray& gold = f.at("grad." + p.name);
      REQUIRE(static_cast<int64_t>(got.size()) == gold.numel());
      double largest = 0;
      for (int64_t i = 0; i < gold.numel(); ++i)
        largest = std::max(largest, std::abs(static_cast<double>(gold.template data<T>()[i])));
      for (int64_t i = 0; i < gold.numel(); ++i)
        REQUIRE(std::abs(static_cast<double>(got[static_cast<size_t>(i)]) -
                         static_cast<double>(gold.template data<T>()[i])) <= tolerance * largest);
    }
  }
}

// The rows [begin, end) of a batch.
Batch part_of(const Batch& b, int64_t begin, int64_t end) {
  Batch p = b;
  p.batch = end - begin;
  const auto cut = [&](auto& v, int64_t width) {
    v = std::remove_reference_t<decltype(v)>(v.begin() + begin * width, v.begin() + end * width);
  };
  cut(p.source, b.source_steps), cut(p.source_lengths, 1), cut(p.target_in, b.target_steps),
      cut(p.target_out, b.target_steps), cut(p.target_lengths, 1), cut(p.lines, 1);
  if (!b.example_weight.empty()) cut(p.example_weight, 1);
  return p;
}

std::vector<double> gradients(const ParameterStore& store) {
  return dispatch(store.dtype(), [&]<class T> {
    const auto v = to_host<T>(store.grads());
    return std::vector<double>(v.begin(), v.end());
  });
}

}  // namespace

TEST_CASE("one step is PyTorch's: loss and the gradient of every parameter, each attention kind") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    compare_with_pytorch<float>(kind, kind, "f32", "fp32", 1e-5);
    compare_with_pytorch<double>(kind, kind, "f64", "fp64", 1e-10);
  }
}

TEST_CASE("one step is PyTorch's with input feeding, several layers and tied embeddings") {
  const std::string feeding = "model.input_feeding=true", encoder = "model.encoder.layers=2",
                    decoder = "model.decoder.layers=2";
  compare_with_pytorch<double>("feeding", "general", "f64", "fp64", 1e-10, {feeding});
  compare_with_pytorch<double>("feeding_layers", "dot", "f64", "fp64", 1e-10, {feeding, encoder, decoder});
  compare_with_pytorch<double>("additive_layers", "additive", "f64", "fp64", 1e-10, {encoder, decoder});
  compare_with_pytorch<double>("layers", "general", "f64", "fp64", 1e-10, {encoder, decoder});
  compare_with_pytorch<double>("tied", "general", "f64", "fp64", 1e-10,
                               {"model.tied_embeddings=true", "model.embedding=8"});
  compare_with_pytorch<double>("readout", "general", "f64", "fp64", 1e-10,
                               {"model.tied_embeddings=true", "model.readout=5"});
  compare_with_pytorch<double>("feeding_readout", "general", "f64", "fp64", 1e-10, {feeding, "model.readout=3"});
}

TEST_CASE("the whole model's gradients agree with central differences") {
  struct Kind {
    const char* attention;
    std::vector<std::string> set;
    double teacher_forcing = 1;
  };
  const std::string two_encoders = "model.encoder.layers=2", two_decoders = "model.decoder.layers=2",
                    dropout = "model.dropout={hidden: 0.2, embedding: 0.1}",
                    variational = "model.dropout.variational=true", feeding = "model.input_feeding=true";
  const std::vector<Kind> kinds = {
      {"none", {}},
      {"none", {two_decoders, dropout, variational}, 0.5},
      {"dot", {dropout}},
      {"dot", {feeding}},
      {"dot", {feeding, two_decoders, dropout, variational}, 0.5},
      {"general", {two_encoders, two_decoders, dropout, variational}},
      {"general", {feeding, two_encoders, two_decoders, dropout}},
      {"general", {feeding, "model.tied_embeddings=true", "model.embedding=8"}, 0.5},
      {"general", {two_decoders, dropout}, 0.0},
      {"additive", {"model.readout=5", "model.tied_embeddings=true", dropout}},
      {"additive", {two_decoders, dropout}},
      {"additive", {two_encoders, two_decoders, dropout, variational}, 0.5},
      {"general", {"model.tied_embeddings=true", "model.embedding=8", "model.encoder.bidirectional=false"}}};
  for (const auto& [attention, set, teacher_forcing] : kinds) {
    const auto model = small_model(attention, "fp64", set);
    ParameterStore& store = model->store();
    const Batch batch = random_batch(5, 3, 5, 4);
    const ForwardContext context{true, 3, 8, 0, teacher_forcing};
    LossSetup loss = plain_loss();
    loss.options.smoothing = 0.1;
    accumulate_gradients(*model, loss, {&batch, 1}, context);
    const auto analytic = gradients(store);
    std::vector<GradientClaim> claims;
    for (const Parameter& p : store.parameters())
      claims.push_back({p.name, p.tensor.as<double>(), analytic.data() + p.offset, p.shape.numel()});
    const auto report = check_gradients(
        [&] {
          Tape::current().reset();
          const NoGrad no_grad;
          const Readout r = model->forward(batch, context);
          const LossInputs in = loss_inputs(batch, loss);
          const LiveRows rows = build_live_rows(in, loss.options);
          return linear_sequence_loss(r.hidden, r.weight, r.bias, in, rows, loss.options, rows.divisor).values[0];
        },
        claims, 40);
    CAPTURE(attention, set, teacher_forcing);
    INFO(report.where);
    CHECK(report.passed());
  }
}

TEST_CASE("training gives the same bits on 1 to 4 threads and in every run") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    std::vector<uint64_t> digests;
    const bool luong = std::string(kind) == "dot" || std::string(kind) == "general";
    for (const int n : {1, 1, 2, 3, 4}) {
      set_threads(n);
      const auto model =
          small_model(kind, "fp32", {"model.dropout.hidden=0.2", fmt::format("model.input_feeding={}", luong)});
      for (int step = 1; step <= 4; ++step) {
        const Batch batch = random_batch(static_cast<uint64_t>(step), 40, 7, 6);
        accumulate_gradients(*model, plain_loss(), {&batch, 1},
                             {true, 1, static_cast<uint64_t>(step), 0, step % 2 ? 1 : 0.7});
        optimizers().at("adam")(model->store(), {}, step);
      }
      digests.push_back(model->store().digest());
    }
    set_threads(1);
    for (const uint64_t d : digests) CHECK(d == digests[0]);
  }
}

TEST_CASE("training takes the same course on every device, with the same bits in every run of it") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    CAPTURE(kind);
    std::vector<double> weights[2];
    uint64_t digests[2];
    for (const Device device : {Device::cpu, Device::cuda, Device::cuda}) {
      const bool second = !weights[static_cast<int>(device)].empty();
      const auto model = small_model(kind, "fp64", {"model.dropout.hidden=0.2"}, device);
      for (int step = 1; step <= 4; ++step) {
        const Batch batch = random_batch(static_cast<uint64_t>(step), 5, 7, 6);
        accumulate_gradients(*model, plain_loss(), {&batch, 1},
                             {true, 1, static_cast<uint64_t>(step), 0, step % 2 ? 1 : 0.7});
        scale_grads(model->store(), 1 / std::max(1.0, grad_norm(model->store())));
        optimizers().at("adam")(model->store(), {}, step);
      }
      weights[static_cast<int>(device)] = to_host<double>(model->store().values());
      digests[second] = model->store().digest();
    }
    CHECK(digests[0] == digests[1]);
    for (size_t i = 0; i < weights[0].size(); ++i) {
      CAPTURE(i, weights[0][i], weights[1][i]);
      REQUIRE(std::abs(weights[0][i] - weights[1][i]) <= 1e-9);
    }
  }
}

TEST_CASE("padding changes no bit of a sentence's readout, with AVX-512, and nothing but rounding elsewhere") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    const auto model = small_model(kind, "fp32");
    const Batch narrow = random_batch(2, 4, 5, 6);
    Batch wide = narrow;
    wide.source_steps += 3, wide.target_steps += 2;
    const auto widen = [&](std::vector<int32_t>& v, int64_t from, int64_t to) {
      std::vector<int32_t> out;
      for (int64_t b = 0; b < narrow.batch; ++b)
        for (int64_t t = 0; t < to; ++t) out.push_back(t < from ? v[static_cast<size_t>(b * from + t)] : 0);
      v = out;
    };
    widen(wide.source, 5, 8), widen(wide.target_in, 6, 8), widen(wide.target_out, 6, 8);
    std::vector<std::vector<float>> readouts;
    std::vector<std::vector<double>> grads;
    for (const Batch* b : std::initializer_list<const Batch*>{&narrow, &wide}) {
      accumulate_gradients(*model, plain_loss(), {b, 1}, {});
      grads.push_back(gradients(model->store()));
      Tape::current().reset();
      const NoGrad guard;
      readouts.push_back(to_host<float>(model->forward(*b, {}).hidden));
    }
    // oneDNN's products for AVX2 round a row by how many rows there are.
    const float tolerance = isa() >= Isa::avx512 ? 0 : 1e-6f;
    for (int64_t b = 0; b < 4; ++b)
      for (int64_t t = 0; t < narrow.target_lengths[static_cast<size_t>(b)]; ++t)
        for (int64_t d = 0; d < 8; ++d)
          REQUIRE(std::abs(readouts[0][static_cast<size_t>((b * 6 + t) * 8 + d)] -
                           readouts[1][static_cast<size_t>((b * 8 + t) * 8 + d)]) <= tolerance);
    for (size_t i = 0; i < grads[0].size(); ++i) REQUIRE(std::abs(grads[0][i] - grads[1][i]) <= 1e-6);
  }
}

TEST_CASE("4 x 16 sentences give the gradient of 64, for every reduction, with dropout") {
  Batch whole = random_batch(9, 64, 7, 6);
  Random r(1, 1);
  for (int i = 0; i < 64; ++i) whole.example_weight.push_back(i % 9 == 0 ? 0.0 : r.uniform() + 0.5);
  std::vector<Batch> parts;
  for (int64_t b = 0; b < 64; b += 16) parts.push_back(part_of(whole, b, b + 16));
  for (const Preset& p : presets()) {
    CAPTURE(p.name, p.flags);
    const auto model = small_model("general", "fp64", {"model.dropout.hidden=0.3"});
    LossSetup loss = plain_loss();
    loss.options.over = p.over, loss.options.divide = p.divide, loss.options.divide_eps = p.divide_eps,
    loss.options.on_zero = p.on_zero;
    if (p.over != Over::all) loss.options.then = Then::sum;
    if (p.divide.flat == "class_weight") loss.class_weight = std::vector<double>(17, 0.5);
    loss.example_weight = true;
    const ForwardContext context{true, 4, 11, 0};
    const ReportedLoss one = accumulate_gradients(*model, loss, {&whole, 1}, context).loss;
    const auto want = gradients(model->store());
    const ReportedLoss four = accumulate_gradients(*model, loss, parts, context).loss;
    const auto got = gradients(model->store());
    CHECK(std::abs(one.value(loss.options) - four.value(loss.options)) <= 1e-12 * std::abs(one.value(loss.options)));
    double largest = 0;
    for (const double g : want) largest = std::max(largest, std::abs(g));
    for (size_t i = 0; i < want.size(); ++i) REQUIRE(std::abs(want[i] - got[i]) <= 1e-12 * largest);
  }
}

TEST_CASE("a step without a finite number names the first bad tensor: a layer's output, or a gradient") {
  const auto model = small_model("general", "fp32");
  Batch batch = random_batch(1, 12, 3, 3);
  std::iota(batch.lines.begin(), batch.lines.end(), int64_t{101});
  const auto said = [&](const auto& run) {
    try {
      run();
    } catch (const Error& e) {
      return std::string(e.code() == ExitCode::no ? e.what() : "another code");
    }
    return std::string("nothing");
  };
  Parameter& weight = *model->store().find("out.weight");
  const auto kept = to_host<float>(weight.tensor);
  std::fill_n(weight.tensor.as<float>(), weight.shape.numel(), 3e38F);
  const std::string forward = said([&] { accumulate_gradients(*model, plain_loss(), {&batch, 1}, {false, 0, 9, 0}); });
  std::copy(kept.begin(), kept.end(), weight.tensor.as<float>());
  CAPTURE(forward);
  CHECK(forward.find("step 9: the loss is not finite: ") == 0);
  CHECK(
      forward.find("first bad tensor: output of 'logits'; training lines 101, 102, 103, 104, 105, 106, 107, 108, … (12 "
                   "in all)") != std::string::npos);
  CHECK(forward.find("\nall lines of the step: 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112") !=
        std::string::npos);
  Parameter& keys = *model->store().find("dec.general.weight");
  const auto kept_keys = to_host<float>(keys.tensor);
  std::fill_n(keys.tensor.as<float>(), keys.shape.numel(), 3e38F);
  const std::string layer = said([&] { accumulate_gradients(*model, plain_loss(), {&batch, 1}, {false, 0, 9, 0}); });
  CAPTURE(layer);
  CHECK(layer.find("first bad tensor: output of 'keys'") != std::string::npos);
  std::copy(kept_keys.begin(), kept_keys.end(), keys.tensor.as<float>());
  accumulate_gradients(*model, plain_loss(), {&batch, 1}, {});
  model->store().grads().as<float>()[model->store().find("enc.bridge.bias")->offset] = INFINITY;
  const std::string gradient = said([&] {
    diverged(*model, {&batch, 1}, {true, 0, 4, 0}, "the gradient is not finite");
  });
  CHECK(gradient.find("step 4: the gradient is not finite; first bad tensor: gradient of 'enc.bridge.bias'; training "
                      "lines 101, ") == 0);
}

TEST_CASE("step by step the model computes what it computes over whole sentences, dropout included") {
  for (const char* kind : {"none", "dot", "general"})
    for (const char* variational : {"false", "true"}) {
      const auto model = small_model(kind, "fp64",
                                     {"model.decoder.layers=2", "model.dropout={hidden: 0.3, embedding: 0.2}",
                                      std::string("model.dropout.variational=") + variational});
      const Batch batch = random_batch(4, 5, 6, 7);
      std::vector<std::vector<double>> readouts, grads;
      for (const double forced : {1.0, 1 - 1e-12}) {  // below 1 it steps; so near to 1 it never reads its own words
        const ForwardContext context{true, 6, 2, 3, forced};
        accumulate_gradients(*model, plain_loss(), {&batch, 1}, context);
        grads.push_back(gradients(model->store()));
        Tape::current().reset();
        const NoGrad guard;
        readouts.push_back(to_host<double>(model->forward(batch, context).hidden));
      }
      CAPTURE(kind, variational);
      for (size_t i = 0; i < readouts[0].size(); ++i) {
        const auto b = static_cast<int64_t>(i) / (7 * 8), t = static_cast<int64_t>(i) / 8 % 7;
        if (t < batch.target_lengths[static_cast<size_t>(b)])
          REQUIRE(std::abs(readouts[0][i] - readouts[1][i]) <= 1e-13);
      }
      for (size_t i = 0; i < grads[0].size(); ++i) REQUIRE(std::abs(grads[0][i] - grads[1][i]) <= 1e-13);
    }
}

TEST_CASE("a variational mask is one for all steps, where the decoder steps too") {
  const auto model = small_model(
      "dot", "fp64",
      {"model.input_feeding=true", "model.decoder.layers=2", "model.dropout={hidden: 0.5, variational: true}"});
  const Batch batch = random_batch(4, 5, 6, 7);
  Tape::current().reset();
  const NoGrad guard;
  const auto y = to_host<double>(model->forward(batch, {true, 6, 2, 0}).hidden);
  int64_t dropped = 0;
  for (int64_t i = 0; i < 8; ++i) {
    const auto at = [&](int64_t t) { return y[static_cast<size_t>(t * 8 + i)]; };
    for (int64_t t = 1; t < 7; ++t) CHECK((at(t) == 0) == (at(0) == 0));
    dropped += at(0) == 0;
  }
  CHECK(dropped > 0);
  CHECK(dropped < 8);
}

TEST_CASE("teacher forcing: the share of words that are read as they stand, the same in any batch") {
  Batch batch = random_batch(9, 64, 7, 6);
  for (const char* kind : {"none", "general", "additive"}) {
    const auto model = small_model(kind, "fp64");
    const auto readout = [&](const Batch& b, double forced, uint32_t first_row) {
      Tape::current().reset();
      const NoGrad guard;
      return to_host<double>(model->forward(b, {true, 4, 11, first_row, forced}).hidden);
    };
    Batch other = batch;  // all words but the first are different ones
    for (size_t i = 0; i < other.target_in.size(); ++i)
      if (i % 6 > 0 && other.target_in[i] >= 4) other.target_in[i] = 4 + (other.target_in[i] - 4 + 5) % 13;
    // The share of second steps that notice.
    const auto noticed = [&](double forced) {
      const auto a = readout(batch, forced, 0), b = readout(other, forced, 0);
      double share = 0, all = 0;
      for (size_t s = 0; s < 64; ++s) {
        if (batch.target_lengths[s] < 2) continue;
        all += 1;
        share += a[(s * 6 + 1) * 8] != b[(s * 6 + 1) * 8];
      }
      return share / all;
    };
    CAPTURE(kind);
    CHECK(noticed(0) == 0);
    CHECK(noticed(1) == 1);
    CHECK(std::abs(noticed(0.5) - 0.5) < 0.25);  // four standard deviations
    const auto whole = readout(batch, 0.5, 0), half = readout(part_of(batch, 16, 48), 0.5, 16);
    for (size_t i = 0; i < half.size(); ++i) REQUIRE(half[i] == whole[i + 16 * 6 * 8]);
  }
}

TEST_CASE("a step asks the system for no memory after the first of its shape") {
  const auto model = small_model("general", "fp32");
  const Batch a = random_batch(1, 8, 7, 6), b = random_batch(2, 8, 4, 3);
  int64_t before = 0;
  for (int step = 1; step <= 6; ++step) {
    for (const Batch* batch : {&a, &b}) {
      accumulate_gradients(*model, plain_loss(), {batch, 1}, {});
      optimizers().at("adam")(model->store(), {}, step);
    }
    if (step == 2) before = Tape::current().system_allocations();
  }
  CHECK(Tape::current().system_allocations() == before);
}

TEST_CASE("a step without anything to learn from is skipped, and a loss that is not finite stops with its place") {
  const auto model = small_model("none", "fp32");
  Batch batch = random_batch(1, 2, 3, 3);
  LossSetup loss = plain_loss();
  loss.example_weight = true;
  batch.example_weight = {0, 0};
  loss.options.divide.flat = "weight";
  CHECK(accumulate_gradients(*model, loss, {&batch, 1}, {}).skipped);
  batch.lines = {12, 40};
  Parameter& bias = *model->store().find("out.bias");
  bias.tensor.as<float>()[3] = NAN;
  std::string message;
  ExitCode code = ExitCode::done;
  try {
    accumulate_gradients(*model, plain_loss(), {&batch, 1}, {false, 0, 7, 0});
  } catch (const Error& e) {
    message = e.what(), code = e.code();
  }
  const auto at_step = [&](uint64_t step) {
    try {
      accumulate_gradients(*model, plain_loss(), {&batch, 1}, {false, 0, step, 0});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(has(at_step(1), "(no update was made yet: weights or divisor of the loss, or the model's first weights"));
  CHECK(has(at_step(2), "(a lower optim.lr or a clip_norm may help)"));
  CHECK(message ==
        "step 7: the loss is not finite: logits(b=0,t=0,v=3) is nan on a live row; first bad tensor: 'out.bias'; "
        "training lines 12, 40 (a lower optim.lr or a clip_norm may help)");
  CHECK(code == ExitCode::no);
}
