// The whole model: against PyTorch's recorded step, against numeric gradients, and against itself.
#include <cmath>

#include "engine/check/gradcheck.h"
#include "engine/core/random.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/io/safetensors.h"
#include "engine/optim/optimizer.h"
#include "engine/train/step.h"
#include "models/models.h"
#include "tests/catch.h"

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
                                           const std::vector<std::string>& more = {}) {
  Config config;
  std::vector<std::string> set = {"data.task=copy",
                                  "model.embedding=5",
                                  "model.encoder.hidden=4",
                                  "model.decoder.hidden=8",
                                  "model.attention=" + attention,
                                  "precision=" + precision};
  set.insert(set.end(), more.begin(), more.end());
  load(config, "", set);
  return make_model(config, 17, 17);
}

LossSetup plain_loss(int64_t classes = 17) {
  LossSetup s;
  s.classes = classes;
  return s;
}

template <class T>
void compare_with_pytorch(const std::string& kind, const char* suffix, const std::string& precision, double tolerance) {
  const SafetensorsFile f = read_safetensors(root + "/tests/golden/seq2seq_" + kind + "_" + suffix + ".safetensors");
  const auto model = small_model(kind, precision);
  ParameterStore& store = model->store();
  for (Parameter& p : store.parameters())
    store.from_file<T>(p, store.values(), f.at("weight." + p.name).template data<T>());
  const Batch batch = batch_of(f);
  const StepResult r = accumulate_gradients(*model, plain_loss(), {&batch, 1}, {});
  const double want = static_cast<double>(*f.at("loss").template data<T>());
  CHECK(std::abs(r.loss.value({}) - want) <= tolerance * std::abs(want));
  for (const Parameter& p : store.parameters()) {
    CAPTURE(kind, p.name);
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

Batch random_batch(uint64_t seed, int64_t batch, int64_t source, int64_t target, int64_t words = 17) {
  Random r(seed, 3);
  Batch b;
  b.batch = batch, b.source_steps = source, b.target_steps = target;
  const auto side = [&](int64_t steps, std::vector<int32_t>& ids, std::vector<int32_t>& lengths) {
    for (int64_t i = 0; i < batch; ++i) {
      const auto n =
          static_cast<int32_t>(i == 0 ? steps : 1 + static_cast<int64_t>(r.below(static_cast<uint64_t>(steps))));
      lengths.push_back(n);
      for (int64_t t = 0; t < steps; ++t)
        ids.push_back(t < n ? static_cast<int32_t>(4 + r.below(static_cast<uint64_t>(words - 4))) : 0);
    }
  };
  side(source, b.source, b.source_lengths);
  side(target, b.target_out, b.target_lengths);
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t t = 0; t < target; ++t)
      b.target_in.push_back(t == 0 ? 1 : b.target_out[static_cast<size_t>(i * target + t - 1)]);
  b.lines.assign(static_cast<size_t>(batch), 1);
  return b;
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
  return with_floating(store.dtype(), [&](auto zero) {
    const auto v = to_host<decltype(zero)>(store.grads());
    return std::vector<double>(v.begin(), v.end());
  });
}

}  // namespace

TEST_CASE("one step is PyTorch's: loss and the gradient of every parameter, each attention kind") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    compare_with_pytorch<float>(kind, "f32", "fp32", 1e-5);
    compare_with_pytorch<double>(kind, "f64", "fp64", 1e-10);
  }
}

TEST_CASE("the whole model's gradients agree with central differences") {
  const std::vector<std::pair<const char*, std::vector<std::string>>> kinds = {
      {"none", {}},
      {"dot", {"model.dropout.hidden=0.2", "model.dropout.embedding=0.1"}},
      {"general",
       {"model.encoder.layers=2", "model.decoder.layers=2", "model.dropout.hidden=0.2",
        "model.dropout.variational=true"}},
      {"additive", {"model.decoder.layers=2", "model.dropout.hidden=0.3"}},
      {"general", {"model.tied_embeddings=true", "model.embedding=8", "model.encoder.bidirectional=false"}}};
  for (const auto& [kind, more] : kinds) {
    const auto model = small_model(kind, "fp64", more);
    ParameterStore& store = model->store();
    const Batch batch = random_batch(5, 3, 5, 4);
    ForwardContext context{true, 3, 8, 0};
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
    CAPTURE(kind);
    INFO(report.where);
    CHECK(report.passed());
  }
}

TEST_CASE("training gives the same bits on 1 to 4 threads and in every run") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    std::vector<uint64_t> digests;
    for (const int n : {1, 1, 2, 3, 4}) {
      set_threads(n);
      const auto model = small_model(kind, "fp32", {"model.dropout.hidden=0.2"});
      for (int step = 1; step <= 4; ++step) {
        const Batch batch = random_batch(static_cast<uint64_t>(step), 40, 7, 6);
        accumulate_gradients(*model, plain_loss(), {&batch, 1}, {true, 1, static_cast<uint64_t>(step), 0});
        optimizers().at("adam").update(model->store(), {}, step);
      }
      digests.push_back(model->store().digest());
    }
    set_threads(1);
    for (const uint64_t d : digests) CHECK(d == digests[0]);
  }
}

TEST_CASE("padding changes no bit of a sentence's readout and nothing but rounding elsewhere") {
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
    for (int64_t b = 0; b < 4; ++b)
      for (int64_t t = 0; t < narrow.target_lengths[static_cast<size_t>(b)]; ++t)
        for (int64_t d = 0; d < 8; ++d)
          REQUIRE(readouts[0][static_cast<size_t>((b * 6 + t) * 8 + d)] ==
                  readouts[1][static_cast<size_t>((b * 8 + t) * 8 + d)]);
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
    const LossSum one = accumulate_gradients(*model, loss, {&whole, 1}, context).loss;
    const auto want = gradients(model->store());
    const LossSum four = accumulate_gradients(*model, loss, parts, context).loss;
    const auto got = gradients(model->store());
    CHECK(std::abs(one.value(loss.options) - four.value(loss.options)) <= 1e-12 * std::abs(one.value(loss.options)));
    double largest = 0;
    for (const double g : want) largest = std::max(largest, std::abs(g));
    for (size_t i = 0; i < want.size(); ++i) REQUIRE(std::abs(want[i] - got[i]) <= 1e-12 * largest);
  }
}

TEST_CASE("a step asks the system for no memory after the first of its shape") {
  const auto model = small_model("general", "fp32");
  const Batch a = random_batch(1, 8, 7, 6), b = random_batch(2, 8, 4, 3);
  int64_t before = 0;
  for (int step = 1; step <= 6; ++step) {
    for (const Batch* batch : {&a, &b}) {
      accumulate_gradients(*model, plain_loss(), {batch, 1}, {});
      optimizers().at("adam").update(model->store(), {}, step);
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
  CHECK(message ==
        "step 7: the loss is not finite: logits(b=0,t=0,v=3) is nan on a live row; first bad tensor: 'out.bias'; "
        "training lines 12, 40 (a lower optim.lr or a clip_norm may help)");
  CHECK(code == ExitCode::no);
}

TEST_CASE("greedy decoding is the argmax of the teacher-forced model on its own output") {
  for (const char* kind : {"none", "dot", "general", "additive"}) {
    const auto model = small_model(kind, "fp32", {"seed=4"});
    Batch batch = random_batch(3, 5, 6, 4);
    Tape::current().reset();
    const auto out = model->greedy(batch, {1.0, 3});
    REQUIRE(out.size() == 5);
    for (size_t b = 0; b < 5; ++b) {
      const auto n = static_cast<int64_t>(out[b].ids.size());
      REQUIRE(n <= batch.source_lengths[b] + 3);
      if (n == 0) continue;
      Batch one = part_of(batch, static_cast<int64_t>(b), static_cast<int64_t>(b) + 1);
      one.target_steps = n;
      one.target_lengths = {static_cast<int32_t>(n)};
      one.target_out = out[b].ids;
      one.target_in.assign(1, 1);
      one.target_in.insert(one.target_in.end(), out[b].ids.begin(), out[b].ids.end() - 1);
      CHECK(evaluate_loss(*model, plain_loss(), one).stats.correct == n);
    }
  }
}
