// Checkpoints: what does not fit the model or was damaged is refused before a number of the model changes.
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/core/random.h"
#include "engine/io/directories.h"
#include "engine/run/setup.h"
#include "engine/train/checkpoint.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/faults.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<SequenceModel> tiny_model(int64_t seed = 1) {
  Config config;
  load(config, "",
       {"data.task=copy", "model.embedding=1", "model.encoder.hidden=1", "model.encoder.bidirectional=false",
        "model.decoder.hidden=1", "model.attention=none", "seed=" + std::to_string(seed)});
  return make_model(config, {5, 5});
}

TrainState some_state() {
  TrainState s;
  s.step = 7, s.updates = 6, s.skipped = 1, s.epoch = 2, s.index = 3;
  s.best = -0.1, s.best_step = 4, s.stale = 1;
  s.interval = {{0.1, 3, 0.2, 4}, {{0.3, 5, 0, 0}}, 100, 120, 1.0 / 3};
  s.overfitting = {4, 0.7, 0.6, 2};
  s.train_loss = 0.9;
  s.kept = {{-0.1, 4}, {-0.30000000000000004, 7}};
  return s;
}

// A saved checkpoint, and what loading says after its files were changed; the model must stay as it was.
struct Saved {
  Scratch dir;
  std::unique_ptr<SequenceModel> model = tiny_model(2);
  std::string path = save_checkpoint(dir.path, *tiny_model(), some_state());
  uint64_t untouched = model->store().digest();

  std::string verdict() {
    const std::string said = error_of([&] { load_checkpoint(path, *model); });
    if (said.empty()) model = tiny_model(2);
    REQUIRE(model->store().digest() == untouched);
    return said;
  }
  std::string file(const std::string& name) const { return path + "/" + name; }
  std::string with(const std::string& name, const std::string& bytes) {
    const std::string good = slurp(file(name));
    std::ofstream(file(name), std::ios::binary) << bytes;
    const std::string said = verdict();
    std::ofstream(file(name), std::ios::binary) << good;
    return said;
  }
  // With the tensors of a file changed and written again, checksums and all.
  template <class F>
  std::string changed(const std::string& name, const F& change) {
    const std::string good = slurp(file(name));
    SafetensorsFile f = read_safetensors(file(name));
    change(f.tensors);
    write_safetensors(file(name), f.tensors);
    const std::string said = verdict();
    std::ofstream(file(name), std::ios::binary) << good;
    return said;
  }
};

}  // namespace

TEST_CASE("a checkpoint restores weights, moments and state") {
  Saved saved;
  const TrainState got = load_checkpoint(saved.path, *saved.model), want = some_state();
  CHECK(saved.model->store().digest() == tiny_model()->store().digest());
  CHECK(got.step == want.step);
  CHECK(got.interval.grad_norm == want.interval.grad_norm);
  CHECK(got.interval.loss.numerator == want.interval.loss.numerator);
  CHECK(got.interval.compared.at(0).divisor == 5);
  CHECK(got.kept == want.kept);
  CHECK(slurp(saved.file("state.json")) ==
        slurp(save_checkpoint(saved.dir / "again", *saved.model, got) + "/state.json"));
}

TEST_CASE("a state holds what JSON cannot") {
  Saved saved;
  TrainState want = some_state();
  want.best = -HUGE_VAL;
  want.kept = {{-HUGE_VAL, 4}, {HUGE_VAL, 5}};
  want.interval.loss.numerator = want.interval.grad_norm = std::nan("");
  const TrainState got = load_checkpoint(save_checkpoint(saved.dir.path, *saved.model, want), *saved.model);
  CHECK(got.best == want.best);
  CHECK(got.kept == want.kept);
  CHECK(std::isnan(got.interval.loss.numerator));
  CHECK(std::isnan(got.interval.grad_norm));
}

TEST_CASE("every truncation of a checkpoint's files is refused, and every changed bit of its content") {
  Saved saved;
  const uint64_t seed = std::random_device()();
  CAPTURE(seed);
  Random random(seed, 1);
  for (const std::string name : {"model.safetensors", "optim.safetensors", "state.json"}) {
    const std::string good = slurp(saved.file(name));
    const bool is_state = name == "state.json";
    for (size_t n = 0; n < good.size(); ++n) {
      CAPTURE(name, n);
      const std::string said = saved.with(name, good.substr(0, n));
      if (!(is_state && n + 1 == good.size())) REQUIRE(said.substr(0, 2) == "2 ");  // its last line feed says nothing
      REQUIRE((said.empty() || has(said, name)));
    }
    REQUIRE(saved.with(name, good + "x").substr(0, 2) == "2 ");
    for (size_t i = 0; i < good.size(); ++i)
      for (int bit = is_state ? 0 : static_cast<int>(random.below(8)), stop = is_state ? 8 : bit + 1; bit < stop;
           ++bit) {
        CAPTURE(name, i, bit);
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
        const std::string said = saved.with(name, bad);
        // White space may become other white space: then the content is the same.
        if (said.empty()) {
          REQUIRE(is_state);
          REQUIRE(nlohmann::json::parse(bad) == nlohmann::json::parse(good));
        } else {
          REQUIRE(said.substr(0, 2) == "2 ");
          REQUIRE(said.size() <= 400);
        }
      }
  }
}

TEST_CASE("what does not fit the model is refused with the tensor's name") {
  Saved saved;
  const auto& parameters = saved.model->store().parameters();
  const std::string name = parameters[1].name;
  const auto in_both = [&](const auto& change, const std::string& why) {
    CHECK(has(saved.changed("model.safetensors", [&](auto& tensors) { change(tensors, name); }),
              "model.safetensors: error: " + fmt::format(fmt::runtime(why), name)));
    CHECK(has(saved.changed("optim.safetensors", [&](auto& tensors) { change(tensors, "v." + name); }),
              "optim.safetensors: error: " + fmt::format(fmt::runtime(why), "v." + name)));
  };
  const auto find = [](auto& tensors, const std::string& wanted) -> NamedArray& {
    for (NamedArray& t : tensors)
      if (t.name == wanted) return t;
    FAIL("no tensor " << wanted);
    return tensors[0];
  };
  in_both([&](auto& tensors, const std::string& n) { std::erase_if(tensors, [&](auto& t) { return t.name == n; }); },
          "tensor '{}' is missing");
  in_both([&](auto& tensors, const std::string& n) { find(tensors, n).name += "x"; }, "tensor '{}' is missing");
  in_both([&](auto& tensors, const std::string& n) { find(tensors, n).dtype = DType::i32; },
          "tensor '{}' is int32; the model is float32");
  in_both([&](auto& tensors, const std::string& n) { find(tensors, n).shape.push_back(1); }, "tensor '{}' has shape [");
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    in_both(
        [&](auto& tensors, const std::string& n) {
          NamedArray& t = find(tensors, n);
          reinterpret_cast<float*>(t.bytes.data())[t.numel() - 1] = static_cast<float>(value);
        },
        "tensor '{}' holds " + fmt::format("{}", value));
  const auto extra = [](auto& tensors) {
    tensors.push_back(tensors[0]);
    tensors.back().name = "more";
  };
  CHECK(has(saved.changed("model.safetensors", extra), "error: the model has no tensor 'more'"));
  CHECK(has(saved.changed("optim.safetensors", extra), "error: the model has no tensor 'more'"));
  CHECK(has(saved.with("model.safetensors", std::string(17 << 20, ' ')), "error: more than the "));  // not even read
  for (const char* file : {"model.safetensors", "optim.safetensors", "state.json"}) {
    const std::string moved = saved.file("moved");
    fs::rename(saved.file(file), moved);
    CHECK(has(saved.verdict(), std::string(file) + ": error: cannot be read (No such file"));
    fs::rename(moved, saved.file(file));
  }
  CHECK(saved.verdict().empty());
}

TEST_CASE("a state is refused when it is of a newer version, lies or is none") {
  Saved saved;
  const std::string good = slurp(saved.file("state.json"));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    REQUIRE(has(text, from));
    return saved.with("state.json", text.replace(text.find(from), from.size(), to));
  };
  CHECK(has(replaced("\"version\": 2", "\"version\": 3"), "newer version (3); this one reads up to 2"));
  CHECK(has(replaced("\"version\": 2", "\"version\": 1"), "older version (1), whose runs this one cannot go on with"));
  CHECK(has(replaced("\"step\": 7", "\"step\": 8"), "the content differs from its checksum"));
  CHECK(has(replaced("\"step\": 7", "\"step\": \"7\""), "the content differs from its checksum"));
  CHECK(has(replaced("\"step\": 7,", ""), "the content differs from its checksum"));
  CHECK(has(replaced("xxh64", "yyh64"), "not the state of a checkpoint"));
  for (const std::string text : {"", "{}", "[]", "null", "{\"version\":1e999}", "{\"version\":[]}", "\xff"}) {
    CAPTURE(text);
    CHECK(has(saved.with("state.json", text), "state.json: error: not the state of a checkpoint"));
  }
  CHECK(has(saved.with("state.json", std::string(500000, '[')), "not the state of a checkpoint"));
}

TEST_CASE("published checkpoints are told by their names") {
  const Scratch dir;
  CHECK(published_checkpoints(dir / "nowhere").empty());
  CHECK(last_checkpoint(dir / "nowhere").empty());
  for (const char* name : {"step-000010", "step-000009", "step-1000000", "step-00011", "step-0000012",
                           "step-000013.tmp-1", "step--00001", "step-", "other"})
    fs::create_directories(dir / name);
  CHECK((published_checkpoints(dir.path) == std::vector<int64_t>{9, 10, 1000000}));
  CHECK(last_checkpoint(dir.path) == (dir / "step-1000000"));
  fs::create_symlink("step-000009", dir / "last");
  CHECK(last_checkpoint(dir.path) == (dir / "last"));
}

TEST_CASE("a checkpoint that cannot be written leaves nothing, and the older one of its name stays readable") {
  const Scratch dir;
  const auto model = tiny_model();
  const std::string path = save_checkpoint(dir.path, *model, some_state());
  std::set<std::string> failed;
  int fail_at = 1;
  for (; fail_at < 100; ++fail_at) {
    std::string said;
    {
      const Faults faults(fail_at, Faults::error);
      said = error_of([&] { save_checkpoint(dir.path, *model, some_state()); });
    }
    failed.insert(Faults::failed);
    CAPTURE(fail_at, said);
    CHECK(list_directory(dir.path) == std::vector<std::string>{"step-000007"});
    CHECK(error_of([&] { load_checkpoint(path, *model); }).empty());
    if (said.empty()) break;
    CHECK(said.substr(0, 2) == "3 ");
    CHECK(has(said, dir.path.string()));
  }
  CHECK(fail_at > 10);
  CHECK(fail_at < 100);
  CHECK(failed == std::set<std::string>{"", "write", "fsync", "close", "rename"});
}
