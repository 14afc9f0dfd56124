// The loss that training prints, against sums made here from logits: for every preset, whatever the interval, the
// number of micro-batches, and where the run was stopped.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/loss/presets.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/trainer.h"
#include "tests/support/catch.h"
#include "tests/support/faults.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

constexpr int64_t steps = 8;

// Pairs of all lengths with weights, some of them 0.
std::string corpus(const Scratch& dir) {
  std::string text;
  const char* weights[] = {"1", "0.5", "0", "2", "0", "1.5", "0", "0.25", "1", "0", "3", "0", "0.75"};
  for (int i = 0; i < 13; ++i) {
    std::string source, target;
    for (int t = 0; t <= i % 5; ++t) source += fmt::format("{}s{}", t ? " " : "", (i + t) % 6);
    for (int t = 0; t <= i % 4; ++t) target += fmt::format("{}t{}", t ? " " : "", (2 * i + t) % 7);
    text += fmt::format("{}\t{}\t{}\n", source, target, weights[i]);
  }
  return dir.write("pairs.tsv", text);
}

struct Reported {
  Scratch dir;
  std::string tsv = corpus(dir);
  std::string classes = dir.write("classes.txt", "1\n1\n0.5\n2\n0.25\n1.5\n0\n1\n3\n0.5\n1\n");
  SystemCalls real = system_calls;
  int runs = 0;

  Reported() {
    system_calls.fsync = [](int) { return 0; };  // what a disk takes its time for is not the subject
  }
  ~Reported() { system_calls = real; }

  // A model that stands still, as far as 8 steps at this rate can show.
  std::unique_ptr<Config> config(const std::vector<std::string>& more) const {
    std::vector<std::string> set = {"data={train: {tsv: " + tsv + "}, dev: {tsv: " + tsv + "}}",
                                    "model.embedding=3",
                                    "model.encoder.hidden=3",
                                    "model.decoder.hidden=4",
                                    "train.steps=8",
                                    "train.batch.size=2",
                                    "train.batch.bucket=2",
                                    "train.validate_every=100",
                                    "report.samples=0",
                                    "optim.lr=1.0e-300",
                                    "precision=fp64",
                                    "threads=1",
                                    "loss.weights.example=true",
                                    "decode.max_ratio=1.0",
                                    "decode.max_extra=1"};
    set.insert(set.end(), more.begin(), more.end());
    auto c = std::make_unique<Config>();
    load(*c, "", set);
    return c;
  }
};

// One target position as the oracle sees it.
struct Cell {
  int64_t target = 0;
  bool real = false;  // no padding
  double weight = 0;  // of its sentence
  std::vector<double> log_p;
};
using Rows = std::vector<std::vector<Cell>>;  // [B][T]

Rows look(SequenceModel& model, const Batch& batch, const ForwardContext& context) {
  Tape::current().reset();
  const NoGrad no_grad;
  const Readout r = model.forward(batch, context);
  const auto hidden = to_host<double>(r.hidden), weight = to_host<double>(r.weight), bias = to_host<double>(r.bias);
  const auto width = static_cast<size_t>(r.weight.shape[1]), classes = static_cast<size_t>(r.weight.shape[0]);
  Rows rows(static_cast<size_t>(batch.batch));
  for (size_t b = 0, n = 0; b < rows.size(); ++b)
    for (int64_t t = 0; t < batch.target_steps; ++t, ++n) {
      Cell cell{batch.target_out[n], t < batch.target_lengths[b], batch.example_weight[b], {}};
      long double sum = 0;
      for (size_t v = 0; v < classes; ++v) {
        long double z = bias[v];
        for (size_t d = 0; d < width; ++d) z += static_cast<long double>(hidden[n * width + d]) * weight[v * width + d];
        cell.log_p.push_back(static_cast<double>(z));
        sum += std::exp(z);
      }
      for (double& z : cell.log_p) z -= static_cast<double>(std::log(sum));
      rows[b].push_back(std::move(cell));
    }
  return rows;
}

struct Oracle {
  LossOptions o;
  std::vector<double> class_weight;

  double omega(const Cell& c) const {
    const bool by_target = o.class_scope == ClassScope::target && !class_weight.empty();
    return c.real ? c.weight * (by_target ? class_weight[static_cast<size_t>(c.target)] : 1) : 0;
  }
  double row_loss(const Cell& c) const {
    double loss = 0, entropy = 0;
    const auto classes = static_cast<double>(c.log_p.size());
    for (size_t v = 0; v < c.log_p.size(); ++v) {
      const double q = (static_cast<int64_t>(v) == c.target ? 1 - o.smoothing : 0) + o.smoothing / classes;
      if (q == 0) continue;
      const bool weighted = o.class_scope == ClassScope::per_class && !class_weight.empty();
      loss -= (weighted ? class_weight[v] : 1) * q * c.log_p[v];
      entropy -= q * std::log(q);
    }
    return loss - (o.report_kl ? entropy : 0);
  }
  // A divisor of these cells, which have B and T.
  double divisor(const std::string& name, const std::vector<const Cell*>& cells, double batch, double time) const {
    double out = name == "batch"   ? batch
                 : name == "steps" ? time
                 : name == "one"   ? 1
                 : name == "const" ? o.divide.k
                                   : 0;
    for (const Cell* c : cells) {
      if (name == "positions") out += 1;
      if (name == "active" || name == "active_minus_batch") out += c->real;
      if (name == "nonzero") out += omega(*c) != 0;
      if (name == "weight") out += omega(*c);
      if (name == "class_weight" && c->real) out += c->weight * class_weight[static_cast<size_t>(c->target)];
    }
    return name == "active_minus_batch" ? std::max(0.0, out - batch) : out;
  }
  double numerator(const std::vector<const Cell*>& cells) const {
    double out = 0;
    for (const Cell* c : cells) out += omega(*c) == 0 ? 0 : omega(*c) * row_loss(*c);
    return out;
  }
  // Σ of the entries of a vector loss or of the sentences of a nested one, and their number.
  std::pair<double, double> entries(const Rows& rows, double time) const {
    std::map<std::pair<size_t, size_t>, std::vector<const Cell*>> groups;
    for (size_t b = 0; b < rows.size(); ++b)
      for (size_t t = 0; t < rows[b].size(); ++t) {
        const bool sentences = o.divide.nested() || o.over == Over::time;
        groups[{sentences || o.over == Over::none ? b : 0, sentences ? 0 : t}].push_back(&rows[b][t]);
      }
    double sum = 0;
    for (const auto& [at, cells] : groups) {
      const double d =
          divisor(o.divide.nested() ? o.divide.time : o.divide.flat, cells, static_cast<double>(rows.size()), time);
      sum += d == 0 ? 0 : numerator(cells) / (d + o.divide_eps);
    }
    return {sum, static_cast<double>(groups.size())};
  }

  // Numerator and divisor of the batch of all micro-batches given.
  std::pair<double, double> one_batch(const std::vector<Rows>& micro) const {
    Rows rows;
    double time = 0, active_batch = 0;
    for (const Rows& m : micro)
      for (const auto& sentence : m) {
        rows.push_back(sentence);
        time = std::max(time, static_cast<double>(sentence.size()));
        active_batch += sentence[0].real;
      }
    const auto batch = static_cast<double>(rows.size());
    if (o.divide.nested())
      return {entries(rows, time).first,
              o.divide.batch == "active_batch" ? active_batch : divisor(o.divide.batch, {}, batch, time)};
    if (o.over != Over::all) {
      const auto [sum, count] = entries(rows, time);
      return {sum, o.then == Then::mean ? count : 1};
    }
    std::vector<const Cell*> all;
    for (const auto& sentence : rows)
      for (const Cell& c : sentence) all.push_back(&c);
    return {numerator(all), o.divide.flat == "active_batch" ? active_batch : divisor(o.divide.flat, all, batch, time)};
  }
  bool adds() const {
    const std::string& name = o.divide.nested() ? o.divide.batch : o.divide.flat;
    if (o.over != Over::all) return o.then == Then::mean && o.over != Over::batch;
    return name != "one" && name != "const" && name != "steps";
  }
  double eps() const { return o.over == Over::all && !o.divide.nested() ? o.divide_eps : 0; }
  bool counts(const std::vector<Rows>& micro) const {
    for (const Rows& m : micro)
      for (const auto& sentence : m)
        for (const Cell& c : sentence)
          if (omega(c) != 0) return true;
    return false;
  }

  // The loss of an interval; its steps hold their micro-batches.
  double interval(const std::vector<std::vector<Rows>>& of_steps) const {
    double n = 0, d = 0;
    for (const std::vector<Rows>& micro : of_steps) {
      if (!counts(micro)) continue;
      if (o.scope == Scope::micro) {
        for (const Rows& m : micro)
          if (const auto [part, by] = one_batch({m}); by != 0)
            n += part / (by + eps()) / static_cast<double>(micro.size());
        d += 1;
      } else if (!o.report.divide.empty()) {
        n += one_batch(micro).first;
        Oracle printed = *this;
        printed.o.divide.flat = o.report.divide;
        d += printed.one_batch(micro).second;
      } else if (const auto [part, by] = one_batch(micro); adds()) {
        n += part, d += by;
      } else {
        n += part / (by + eps()), d += 1;
      }
    }
    if (d == 0) return std::nan("");
    const double x = n / (d + (o.scope != Scope::micro && o.report.divide.empty() && adds() ? eps() : 0));
    return o.report.exponential ? std::exp(x) : x;
  }
};

// What the run at `config` reads in its steps, micro-batch by micro-batch.
std::vector<std::vector<Rows>> look_at_steps(SequenceModel& model, const Config& config, const Data& data) {
  Batcher batcher(data.train, batch_options(config));
  std::vector<std::vector<Rows>> out;
  for (int64_t s = 1; s <= steps; ++s) {
    ForwardContext context{true, 1, static_cast<uint64_t>(s), 0, 1};
    std::vector<Rows> micro;
    for (int64_t i = 0; i < config.train.accumulation(); ++i) micro.push_back(look(model, batcher.next(), context));
    out.push_back(std::move(micro));
  }
  return out;
}

void train(const Config& config, const Data& data, const std::string& run, std::optional<int64_t> max_steps) {
  std::filesystem::create_directories(run);
  std::ofstream(run + "/run.json") << "{}";
  const auto model = make_model(config, {data.source->size(), data.target->size()});
  Trainer trainer(
      TrainJob{config, *model, data, make_loss_setup(config.loss, data.target->size()), {1, 1}, run, max_steps, true});
  trainer.resume(last_checkpoint(run + "/checkpoints"));
  trainer.run();
}

struct Case {
  std::string name;
  std::vector<std::string> set;
};

std::string written(const Preset& p) {
  std::string flags;
  const std::pair<int, const char*> names[] = {{average_across_timesteps, "average_across_timesteps"},
                                               {average_across_batch, "average_across_batch"},
                                               {sum_over_timesteps, "sum_over_timesteps"},
                                               {sum_over_batch, "sum_over_batch"}};
  for (const auto& [bit, name] : names)
    if (p.known_flags & bit) flags += fmt::format("{}{}: {}", flags.empty() ? "" : ", ", name, (p.flags & bit) != 0);
  return flags.empty() ? "" : ", flags: {" + flags + "}";
}

std::vector<Case> cases(const Reported& lab) {
  const std::string classes = "weights: {example: true, class: {file: " + lab.classes;
  std::vector<Case> out;
  for (const Preset& p : presets()) {
    if (p.given == Given::dense) continue;
    const std::string more = p.given == Given::class_weight ? ", " + classes + "}}" : ", weights: {example: true}";
    for (const char* then : {"sum", "mean"}) {
      if (p.over == Over::all && std::string(then) == "mean") continue;
      const std::string fold = p.over == Over::all ? "" : fmt::format(", reduce: {{then: {}}}", then);
      out.push_back({fmt::format("{} {} {}", p.name, p.flags, then),
                     {fmt::format("loss={{preset: {}{}{}{}}}", p.name, written(p), more, fold)}});
    }
  }
  for (const std::string loss :
       {"reduce: {divide: {const: 3.0}}", "reduce: {divide: steps}", "reduce: {divide: active, divide_eps: 0.5}",
        "reduce: {divide: one, divide_eps: 0.5}",
        "reduce: {divide: weight, divide_eps: 0.5}, normalizer: {scope: micro}",
        "reduce: {divide: {time: weight, batch: one}}",
        "reduce: {divide: {time: active, batch: batch}}, "
        "normalizer: {scope: micro}",
        "reduce: {over: time, divide: weight, then: sum}, normalizer: {scope: micro}",
        "reduce: {over: batch, divide: active, then: mean}, normalizer: {scope: micro}",
        "smoothing: {epsilon: 0.1, report: kl}", "preset: marian.ce-mean-words, smoothing: {epsilon: 0.1}"})
    out.push_back({loss, {"loss={" + loss + ", weights: {example: true}}"}});
  out.push_back({"class weights by class", {"loss={" + classes + ", scope: class}}}"}});
  out.push_back({"class weights by target", {"loss={" + classes + ", scope: target}}, reduce: {divide: weight}}"}});
  return out;
}

std::vector<nlohmann::json> records(const std::string& run, const std::string& kind) {
  std::vector<nlohmann::json> out;
  std::ifstream in(run + "/metrics.jsonl");
  for (std::string line; std::getline(in, line);)
    if (auto j = nlohmann::json::parse(line); j["kind"] == kind) out.push_back(j);
  return out;
}

// NaN and null are one.
bool same(double want, const nlohmann::json& got) {
  if (std::isnan(want)) return got.is_null();
  return got.is_number() && std::abs(got.get<double>() - want) <= 1e-12 * std::abs(want);
}

// Trains, stopped at step 5 and resumed, and compares every record.
void check(Reported& lab, const Case& c, int64_t every, int64_t accumulation) {
  const int64_t shards = every == 1 ? 1 : 3;  // of batches of two sentences: one has none
  CAPTURE(c.name, every, accumulation, shards);
  std::vector<std::string> set = c.set;
  set.push_back(fmt::format("train.log_every={}", every));
  set.push_back(fmt::format("train.accumulation={}", accumulation));
  set.push_back(fmt::format("train.batch.shards={}", shards));
  const auto loaded = lab.config(set);
  const Config& config = *loaded;
  const Data data = load_data(config.data, 1);
  const std::string run = lab.dir / fmt::format("run{}", lab.runs++);
  train(config, data, run, 5);
  train(config, data, run, std::nullopt);
  const auto model = make_model(config, {data.source->size(), data.target->size()});
  load_checkpoint(run + "/checkpoints/last", *model);
  const LossSetup setup = make_loss_setup(config.loss, data.target->size());
  const auto seen = look_at_steps(*model, config, data);
  const auto rows = records(run, "train");
  REQUIRE(rows.size() == static_cast<size_t>((steps + every - 1) / every));
  int64_t from = 0;
  for (const auto& row : rows) {
    const int64_t to = row["step"];
    CAPTURE(to, row.dump());
    const std::vector<std::vector<Rows>> part(seen.begin() + from, seen.begin() + to);
    const std::vector<double> none;
    const double want = Oracle{setup.options, setup.class_weight.value_or(none)}.interval(part);
    CHECK(same(want, row["loss"]));
    CHECK(row["grad_norm"].is_null() == std::isnan(want));  // none of an older interval
    CHECK(row["perplexity"].is_null() == std::isnan(want));
    for (const ComparedPreset& p : setup.compare) {
      CAPTURE(p.name);
      CHECK(same(Oracle{p.options, setup.class_weight.value_or(none)}.interval(part), row["loss." + p.name]));
    }
    from = to;
  }
}

}  // namespace

TEST_CASE("every loss that trains is reported as one number, for any interval, micro-batches and stop") {
  Reported lab;
  const bool whole_grid = std::getenv("SEQGRAD_WHOLE_GRID") != nullptr;  // else one combination of most losses
  size_t i = 0;
  for (const Case& c : cases(lab)) {
    const bool all = whole_grid || c.name.starts_with("token_mean") || c.name.starts_with("joeynmt.none") ||
                     c.name.starts_with("reduce: {over: batch");
    const int64_t intervals[] = {3, 1, 7};
    for (const int64_t every : {1, 3, 7})
      for (const int64_t accumulation : {1, 4})
        if (all || (every == intervals[i % 3] && accumulation == (i % 2 ? 1 : 4))) check(lab, c, every, accumulation);
    ++i;
  }
}

TEST_CASE("presets beside the loss are reported as if they were the loss") {
  Reported lab;
  std::string names;
  for (const std::string& name : preset_names())
    if (name != "tf2.categorical_probs_mask") names += (names.empty() ? "" : ", ") + name;
  check(lab, {"compare", {"loss={weights: {example: true}, compare: [" + names + "]}"}}, 3, 4);
}

TEST_CASE("a step of scope micro differentiates what it reports: the mean of its micro-batches' values") {
  Reported lab;
  for (const char* loss :
       {"preset: joeynmt.tokens", "reduce: {over: time, divide: weight, then: sum}, normalizer: {scope: micro}",
        "reduce: {divide: active, divide_eps: 0.5}, normalizer: {scope: micro}"}) {
    CAPTURE(loss);
    const auto loaded =
        lab.config({std::string("loss={") + loss + ", weights: {example: true}}", "train.accumulation=3"});
    const Config& config = *loaded;
    const Data data = load_data(config.data, 1);
    const auto model = make_model(config, {data.source->size(), data.target->size()});
    const LossSetup setup = make_loss_setup(config.loss, data.target->size());
    Batcher batcher(data.train, batch_options(config));
    const std::vector<Batch> micro = {batcher.next(), batcher.next(), batcher.next()};
    ForwardContext context{true, 1, 1, 0, 1};
    std::vector<double> mean;
    double value = 0;
    for (const Batch& b : micro) {
      const StepResult r = accumulate_gradients(*model, setup, {&b, 1}, context);
      context.first_row += static_cast<uint32_t>(b.batch);
      const auto g = to_host<double>(model->store().grads());
      mean.resize(g.size());
      if (r.skipped) continue;
      value += r.loss.value(setup.options) / 3;
      for (size_t i = 0; i < g.size(); ++i) mean[i] += g[i] / 3;
    }
    context.first_row = 0;
    const StepResult whole = accumulate_gradients(*model, setup, micro, context);
    CHECK(std::abs(whole.loss.value(setup.options) - value) <= 1e-12 * value);
    const auto g = to_host<double>(model->store().grads());
    double largest = 0;
    for (const double x : mean) largest = std::max(largest, std::abs(x));
    for (size_t i = 0; i < g.size(); ++i) REQUIRE(std::abs(g[i] - mean[i]) <= 1e-12 * largest);
  }
}
