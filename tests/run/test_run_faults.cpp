// Each system call of a whole training run fails in turn: the run says so, and goes on from what is published.
#include <map>

#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/trainer.h"
#include "tests/support/catch.h"
#include "tests/support/faults.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

struct Job {
  Config config;
  Data data;
  Job() {
    load(config, "",
         {"data.task=copy", "data.sizes={train: 24, dev: 2, test: 2}", "model.embedding=2", "model.encoder.hidden=2",
          "model.decoder.hidden=2", "train.steps=3", "train.batch.size=8", "train.log_every=1",
          "train.validate_every=2", "checkpoint.every=1", "decode.max_ratio=1.0", "decode.max_extra=1", "threads=1"});
    data = load_data(config.data, 1);
  }

  // Trains in `run`, from the last checkpoint when there is one.
  void train(const std::string& run) const {
    std::ofstream(run + "/run.json") << "{}";  // the command writes it before it trains
    const auto model = make_model(config, {data.source->size(), data.target->size()});
    Trainer trainer(TrainJob{
        config, *model, data, make_loss_setup(config.loss, data.target->size()), {1, 1}, run, std::nullopt, true});
    trainer.resume(last_checkpoint(run + "/checkpoints"));
    const Ending ending = trainer.run();  // outside of CHECK, which would keep what it throws
    CHECK(ending == Ending::finished);
  }
};

std::map<std::string, std::string> files(const fs::path& run) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = entry.path().lexically_relative(run);
    if (entry.is_symlink())
      out[name] = "-> " + fs::read_symlink(entry.path()).string();
    else if (entry.is_regular_file() && name.starts_with("checkpoints"))
      out[name] = slurp(entry.path());
    else if (entry.is_regular_file())
      out[name.substr(0, name.find(".tfevents."))];  // whose name holds a time; logs hold times, and what an
                                                     // interrupted run said twice
  }
  return out;
}

}  // namespace

TEST_CASE("each write, sync, close and rename of a run fails in turn, and the resumed run ends in the same files") {
  const Scratch dir;
  const Job job;
  const SystemCalls real = system_calls;
  system_calls.fsync = [](int) { return 0; };  // what a disk takes its time for is not the subject
  fs::create_directories(dir / "whole");
  job.train(dir / "whole");
  const auto expected = files(dir / "whole");
  REQUIRE(expected.count("checkpoints/step-000003/model.safetensors") == 1);
  std::map<std::string, int> failures;
  int n = 1;
  for (;; ++n) {
    const std::string run = dir / "run";
    fs::remove_all(run);
    fs::create_directories(run);
    std::string said;
    {
      const Faults faults(n, Faults::error);
      said = error_of([&] { job.train(run); });
    }
    CAPTURE(n, Faults::failed, said);
    if (Faults::calls < n) break;  // the call before was the last one
    REQUIRE(said.substr(0, 2) == "3 ");
    REQUIRE(has(said, run));
    REQUIRE(has(said, std::string(Faults::failed) == "write" ? "(No space left on device)" : "(Input/output error)"));
    for (const int64_t step : published_checkpoints(run + "/checkpoints")) {
      const auto model = make_model(job.config, {job.data.source->size(), job.data.target->size()});
      REQUIRE(error_of([&] { load_checkpoint(run + "/checkpoints/" + checkpoint_name(step), *model); }).empty());
    }
    REQUIRE(error_of([&] { job.train(run); }).empty());
    REQUIRE((files(run) == expected));
    ++failures[Faults::failed];
  }
  system_calls = real;
  CHECK(n > 100);
  for (const char* call : {"write", "fsync", "close", "rename"}) CHECK(failures[call] > 10);
}
