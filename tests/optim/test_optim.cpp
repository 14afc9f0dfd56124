// Optimisers and schedules against the numbers of torch.optim, recorded in tests/golden/optim.json.
#include <test_paths.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

const nlohmann::json& gold() {
  static const auto all = nlohmann::json::parse(slurp(SEQGRAD_SOURCE_DIR "/tests/golden/optim.json"));
  return all;
}

void check_close(double got, double want, double tolerance = 1e-14) {
  CAPTURE(got, want);
  CHECK(std::abs(got - want) <= tolerance * std::max(1.0, std::abs(want)));
}

}  // namespace

TEST_CASE("every optimiser moves parameters as torch.optim does") {
  const std::vector<double> start = gold()["start"];
  const auto n = static_cast<int64_t>(start.size());
  std::set<std::string> recorded;
  for (const auto& c : gold()["optimisers"]) {
    const std::string name = c["name"];
    recorded.insert(name);
    CAPTURE(name, c["options"].dump());
    OptimOptions o;
    o.lr = gold()["lr"];
    o.beta1 = c["options"].value("beta1", 0.9), o.beta2 = c["options"].value("beta2", 0.999);
    o.eps = c["options"].value("eps", 1e-8), o.weight_decay = c["options"].value("weight_decay", 0.0);
    o.momentum = c["options"].value("momentum", 0.0);
    ParameterStore store(DType::f64, Device::cpu);
    const Parameter& p = store.add("x", {n}, Init::zeros());
    store.allocate(1);
    store.from_file(p, store.values(), start.data());
    for (size_t step = 0; step < gold()["grads"].size(); ++step) {
      const std::vector<double> g = gold()["grads"][step], want = c["values"][step];
      store.from_file(p, store.grads(), g.data());
      optimizers().at(name)(store, o, static_cast<int64_t>(step) + 1);
      const auto got = store.to_file<double>(p, store.values());
      for (size_t i = 0; i < want.size(); ++i) check_close(got[i], want[i]);
    }
  }
  for (const auto& [name, optimizer] : optimizers()) {
    CAPTURE(name);
    CHECK(recorded.count(name) == 1);  // scripts/record/optim.py
  }
}

TEST_CASE("every schedule gives the rates of PyTorch's scheduler, warm-up included") {
  const ScheduleOptions o{gold()["warmup"], gold()["total"], gold()["floor"], 1};
  for (const auto& [name, schedule] : schedules()) {
    if (name == "plateau") continue;  // below: it depends on validations
    CAPTURE(name);
    const std::vector<double> want = gold()["schedules"].at(name);
    REQUIRE(static_cast<int64_t>(want.size()) == o.total);
    // The recording joins PyTorch's scheduler to the warm-up's last step. Here it begins after it, as SequentialLR does
    // with the number of warm-up steps as its milestone: one step later.
    const int64_t later = name == "linear" || name == "cosine" ? 1 : 0;
    for (int64_t s = 1; s <= o.total; ++s)
      check_close(learning_rate(gold()["lr"], name, s, o),
                  want[static_cast<size_t>(s - 1 - (s > o.warmup ? later : 0))]);
  }
}

TEST_CASE("the last step of every schedule learns, also where it is the only one, and floor lies one step behind it") {
  for (const auto& [name, schedule] : schedules()) {
    CAPTURE(name);
    CHECK(learning_rate(0.5, name, 1, {0, 1, 0, 1}) == 0.5);
    for (const int64_t warmup : {0, 3})
      for (const int64_t total : {4, 10}) CHECK(learning_rate(0.5, name, total, {warmup, total, 0, 1}) > 0);
  }
  const double part = 1.0 / 6;  // of six steps after a warm-up of four
  CHECK(learning_rate(1, "linear", 5, {4, 10, 0, 1}) == 1);
  CHECK(std::abs(learning_rate(1, "linear", 10, {4, 10, 0, 1}) - part) < 1e-15);
  CHECK(std::abs(learning_rate(1, "linear", 11, {4, 10, 0.25, 1}) - 0.25) < 1e-15);
  CHECK(std::abs(learning_rate(1, "cosine", 10, {4, 10, 0, 1}) - (1 - std::cos(M_PI * part)) / 2) < 1e-15);
}

TEST_CASE("a plateau lowers the rate where ReduceLROnPlateau does") {
  for (const auto& c : gold()["plateau"]) {
    const std::vector<double> metrics = c["metrics"], want = c["rates"];
    Plateau p;
    for (size_t i = 0; i < metrics.size(); ++i) {
      p.update(metrics[i], c["larger_is_better"], gold()["factor"], gold()["patience"], gold()["floor"]);
      CAPTURE(i);
      check_close(learning_rate(gold()["lr"], "plateau", 100, {0, 1000, gold()["floor"], p.scale}), want[i]);
    }
    CHECK(p.scale < 1);
  }
  Plateau p;  // what is no number is never better
  for (int i = 0; i < 3; ++i) p.update(std::nan(""), false, 0.5, 1, 0);
  CHECK(p.scale == 0.5);
  CHECK_FALSE(p.any);
}

TEST_CASE("keys that would do nothing are refused") {
  const auto said = [](const std::string& set) {
    Config config;
    return error_of([&] { load(config, "", {"data.task=copy", set}); });
  };
  CHECK(said("optim={name: adamw, weight_decay: 0.1, eps: 1.0e-6}").empty());
  CHECK(has(said("optim={momentum: 0.9}"), "optim.momentum: has a meaning only with optim.name: sgd"));
  CHECK(has(said("optim={name: sgd, beta2: 0.9}"), "optim.beta2: has no meaning with optim.name: sgd"));
  CHECK(has(said("optim={name: sgd, eps: 0.1}"), "optim.eps: has no meaning with optim.name: sgd"));
  CHECK(has(said("schedule={factor: 0.1}"), "schedule.factor: has a meaning only with schedule.name: plateau"));
  CHECK(has(said("schedule={name: cosine, patience: 7}"), "schedule.patience: has a meaning only with schedule.name"));
  CHECK(said("schedule={name: plateau, patience: 7, factor: 0.1, floor: 0.1}").empty());
  CHECK(has(said("checkpoint.average=2"), "checkpoint.average: needs checkpoint.keep_best: 2, got 1"));
  CHECK(said("checkpoint={average: 2, keep_best: 2}").empty());
  for (const char* kind : {"none", "additive"})
    CHECK(has(said(std::string("model={input_feeding: true, attention: ") + kind + "}"),
              std::string("model.input_feeding: needs model.attention: dot or general, got ") + kind));
  CHECK(has(said("model={init: {rename: {a: b}}}"), "model.init.rename: needs model.init.file"));
}
