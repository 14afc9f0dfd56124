// Runs that go on: with the data that they began with, under the settings that were changed, by the command printed.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/run/fingerprint.h"
#include "engine/train/checkpoint.h"
#include "tests/support/catch.h"
#include "tests/support/corpora.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

// Four pairs, and a config of them that trains in hundredths of a second.
std::string small_config(const Scratch& dir, const std::string& more = "") {
  dir.write("train.tsv", "a b\tc d\nb\td\na\tc\nb a\td c\n");
  dir.write("dev.tsv", "a\tc\n");
  return dir.write("small.yaml",
                   "data: {train: {tsv: train.tsv}, dev: {tsv: dev.tsv}}\n"
                   "model: {embedding: 2, encoder: {hidden: 2}, decoder: {hidden: 2}}\n"
                   "optim: {lr: 0.01}\n"
                   "decode: {max_ratio: 1.0, max_extra: 1}\n" +
                       more);
}

const std::string steps = "train: {steps: 9, batch: {size: 2}, log_every: 2, validate_every: 4}\n";

nlohmann::json record(const std::string& run) { return nlohmann::json::parse(slurp(run + "/run.json")); }

int64_t last_step(const std::string& run) {
  return std::stoll(fs::read_symlink(run + "/checkpoints/last").string().substr(5));
}

std::string after(const std::string& text, const std::string& mark) {
  const size_t at = text.find(mark);
  REQUIRE(at != std::string::npos);
  return first_line(text.substr(at + mark.size()));
}

Result shell(const Scratch& dir, const std::string& command) {
  const int status = std::system((command + " > " + (dir / "out") + " 2> " + (dir / "err")).c_str());
  return {WEXITSTATUS(status), slurp(dir / "out"), slurp(dir / "err")};
}

Corpus corpus_of(const std::vector<Pair>& pairs) {
  Corpus c;
  c.pairs = pairs;
  std::vector<std::vector<int32_t>> source, target;
  for (size_t i = 0; i < pairs.size(); ++i) {
    source.push_back({static_cast<int32_t>(i), 7});
    target.push_back({5});
  }
  c.source = rows_of(source);
  c.target = rows_of(target);
  return c;
}

}  // namespace

TEST_CASE("the fingerprint of a corpus changes with anything that training or evaluation reads") {
  const Corpus c = corpus_of({{"a", "b", {}}, {"c", "d", {}}});
  const std::string plain = fingerprint(c);
  CHECK(plain.size() == 16);
  CHECK(fingerprint(corpus_of({{"a", "b", {}}, {"c", "d", {}}})) == plain);
  std::vector<Corpus> others(8, c);
  others[0].source = rows_of({{0}, {7, 1, 7}});  // the same ids, cut elsewhere
  others[1].target = rows_of({{6}, {5}});
  others[2].example_weight = {1, 1};
  others[3].token_weight.push_back(std::vector<double>{1, 1});
  others[4].mask.push_back(std::vector<uint8_t>{1, 1});
  others[5].pairs = std::vector<Pair>{{"a", "b", {}}, {"e", "d", {}}};
  others[6].pairs = std::vector<Pair>{{"a", "b", {}}, {"c", "e", {}}};
  others[7].pairs = std::vector<Pair>{{"c", "d", {}}, {"a", "b", {}}};
  for (size_t i = 0; i < others.size(); ++i) {
    CAPTURE(i);
    CHECK(fingerprint(others[i]) != plain);
  }
}

TEST_CASE("a run refuses to go on with other data, and records them when it is told to") {
  const Scratch dir;
  const std::string run = dir / "run", config = small_config(dir, steps);
  REQUIRE(run_seqgrad(dir, "train " + config + " --max-steps 3 --run-dir " + run).code == 0);
  const std::string before = slurp(run + "/run.json"), was = record(run)["data"]["train"]["content"];
  CHECK(record(run)["data"]["train"]["pairs"] == 4);
  CHECK(record(run)["data"]["dev"]["pairs"] == 1);
  const std::string text = slurp(dir / "train.tsv");
  const auto refused = [&](const std::string& split, const std::string& pairs) {
    const Result r = run_seqgrad(dir, "train --resume " + run);
    CAPTURE(r.err);
    CHECK(r.code == 2);
    CHECK(has(first_line(r.err), "/run.json: error: the data have changed since the run began"));
    CHECK(has(r.err, "\n" + split + ": " + pairs));
    CHECK(slurp(run + "/run.json") == before);
    CHECK(last_step(run) == 3);
    return r.err;
  };
  dir.write("dev.tsv", "a\td\n");
  refused("dev", "1 pair, content ");
  const Result evaluated = run_seqgrad(dir, "evaluate " + run + " --split dev --checkpoint last");
  CHECK(evaluated.code == 0);
  CHECK(has(evaluated.err, "warning: the data have changed since the run: dev: 1 pair, content "));
  dir.write("dev.tsv", "a\tc\n");
  dir.write("train.tsv", text + "a a\tc c\n");
  const std::string said = refused("train", "4 pairs, content " + was + "; now 5 pairs, content ");
  const std::string command = after(said, "go on with them as they are now: ");
  const Result accepted = shell(dir, command + " --max-steps 5");
  CAPTURE(accepted.err);
  CHECK(accepted.code == 0);
  CHECK(last_step(run) == 5);
  CHECK(record(run)["data"]["train"]["pairs"] == 5);
  CHECK(record(run)["data"]["train"]["content"] != was);
  REQUIRE(record(run)["changes"].size() == 1);
  CHECK(has(record(run)["changes"][0], "step 3: data: train: 4 pairs, content " + was + "; now 5 pairs"));
  CHECK_FALSE(has(run_seqgrad(dir, "evaluate " + run + " --split dev --checkpoint last").err, "data have changed"));
  CHECK(run_seqgrad(dir, "train --resume " + run).code == 0);  // with what it goes on with now
  CHECK(last_step(run) == 9);
  CHECK(run_seqgrad(dir, "train " + config + " --accept-changed-data").code == 2);
}

TEST_CASE("data that shrank under a run that may go on with them are read from their next epoch") {
  const Scratch dir;
  const std::string run = dir / "run", config = small_config(dir, steps);
  REQUIRE(run_seqgrad(dir, "train " + config + " --set train.batch.size=1 --max-steps 3 --run-dir " + run).code == 0);
  dir.write("train.tsv", "a b\tc d\n");
  const Result r = run_seqgrad(dir, "train --accept-changed-data --resume " + run);
  CAPTURE(r.err);
  CHECK(r.code == 0);
  CHECK(last_step(run) == 9);
}

TEST_CASE("another version or instruction set is told when a run goes on, and recorded") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --max-steps 3 --run-dir " + run).code == 0);
  CHECK_FALSE(has(run_seqgrad(dir, "train --max-steps 4 --resume " + run).err, "the bytes may differ"));
  nlohmann::ordered_json other = nlohmann::ordered_json::parse(slurp(run + "/run.json"));
  const std::string isa = other["isa"];
  other["isa"] = "mmx", other["seqgrad"] = "0.0.1";
  dir.write("run/run.json", other.dump());
  const Result r = run_seqgrad(dir, "train --max-steps 5 --resume " + run);
  CHECK(r.code == 0);
  CHECK(has(r.err, "warning: instruction set: mmx; now " + isa + ": the bytes may differ"));
  CHECK(has(r.err, "warning: version: 0.0.1; now "));
  CHECK(record(run)["isa"] == isa);
  CHECK(record(run)["changes"].size() == 2);
  CHECK_FALSE(has(run_seqgrad(dir, "train --max-steps 6 --resume " + run).err, "the bytes may differ"));
}

TEST_CASE("a config that was changed by hand in a run directory is told when the run goes on, and recorded") {
  const Scratch dir;
  const std::string run = dir / "run", path = run + "/config.resolved.yaml";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --max-steps 3 --run-dir " + run).code == 0);
  const std::string text = slurp(path);
  REQUIRE(has(text, "seed: 1\n"));
  dir.write("run/config.resolved.yaml", text + "# a comment\n");
  const Result r = run_seqgrad(dir, "train --max-steps 4 --resume " + run);
  CAPTURE(r.err);
  CHECK(r.code == 0);
  CHECK(has(r.err, "warning: content of config.resolved.yaml: "));
  REQUIRE(record(run)["changes"].size() == 1);
  CHECK(has(record(run)["changes"][0], "step 3: content of config.resolved.yaml: "));
  CHECK_FALSE(has(run_seqgrad(dir, "train --max-steps 5 --resume " + run).err, "content of"));
  CHECK_FALSE(has(run_seqgrad(dir, "train --max-steps 6 --set train.log_every=1 --resume " + run).err, "content of"));
  CHECK_FALSE(has(run_seqgrad(dir, "train --max-steps 7 --resume " + run).err, "content of"));
}

TEST_CASE("what is set on resume stays set, and the printed command goes on with it") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --run-dir " + run).code == 0);
  CHECK(last_step(run) == 9);
  const Result longer =
      run_seqgrad(dir, "train --set train.steps=12 --set train.log_every=1 --max-steps 10 --resume " + run);
  CHECK(longer.code == 0);
  CHECK(has(longer.err, "train.steps: 9; now 12"));
  CHECK(has(longer.err, "going on at step 9\n"));
  CHECK(has(slurp(run + "/config.resolved.yaml"), "steps: 12\n"));
  CHECK(record(run)["changes"].size() == 2);
  CHECK(has(record(run)["changes"][0], "step 9: train.steps: 9; now 12"));
  const Result rest = shell(dir, after(longer.err, "go on with: "));
  CAPTURE(rest.err);
  CHECK(rest.code == 0);
  CHECK(last_step(run) == 12);
  CHECK(has(slurp(run + "/metrics.jsonl"), "\"step\":11,"));
  // A run that was given its steps at once has taken the same ones since.
  const std::string whole = dir / "whole";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --set train.steps=12 --run-dir " + whole).code == 0);
  CHECK(slurp(whole + "/checkpoints/last/model.safetensors") == slurp(run + "/checkpoints/last/model.safetensors"));
}

TEST_CASE("more steps of a schedule that ends with them are told with both learning rates") {
  const Scratch dir;
  const std::string config = small_config(dir, steps);
  const auto extended = [&](const std::string& schedule) {
    const std::string run = dir / schedule;
    REQUIRE(run_seqgrad(dir, "train " + config + " --set schedule.name=" + schedule + " --run-dir " + run).code == 0);
    return run_seqgrad(dir, "train --set train.steps=90 --max-steps 10 --resume " + run).err;
  };
  for (const char* schedule : {"cosine", "linear"}) {
    const std::string said = after(extended(schedule), "warning: the learning rate goes from ");
    CAPTURE(schedule, said);
    CHECK(has(said,
              fmt::format(" at step 10: schedule {} depends on the number of steps, 9 before and 90 now", schedule)));
    const double last = std::stod(said), next = std::stod(after(said, " to "));
    CHECK(last < 0.0015);  // of a base of 0.01, near its end
    CHECK(next > 0.008);   // a ninth of the way
    CHECK(next < 0.01);
  }
  CHECK_FALSE(has(extended("constant"), "learning rate goes"));
}

TEST_CASE("a run refuses to go on with other class weights, or another prior, than it began with") {
  const Scratch dir;
  const std::string config = small_config(dir, steps);
  const auto numbers = [&](const std::string& file, int count, const std::string& first) {
    std::string text = first + "\n";
    for (int i = 1; i < count; ++i) text += "0\n";
    dir.write(file, text);
  };
  const std::string prior = " --set loss.smoothing.epsilon=0.1 --set loss.smoothing.kind=prior";
  for (const std::string key : {"loss.weights.class.file", "loss.smoothing.prior"}) {
    const std::string set = key == "loss.smoothing.prior" ? prior : "";
    CAPTURE(key);
    const std::string run = dir / key;
    int count = 0;  // entries of the target vocabulary
    const auto train = [&] {
      return run_seqgrad(
          dir, "train " + config + " --max-steps 2 --run-dir " + run + set + " --set " + key + "=" + (dir / "n"));
    };
    numbers("n", 1, "1");
    const Result short_of = train();
    REQUIRE(short_of.code == 2);
    count = std::stoi(after(short_of.err, "the target vocabulary has "));
    numbers("n", count, "1");
    REQUIRE(train().code == 0);
    CHECK(record(run)["data"][key]["numbers"] == count);
    CHECK(run_seqgrad(dir, "train --max-steps 3 --resume " + run).code == 0);
    std::string other = "0.5\n0.5\n";
    for (int i = 2; i < count; ++i) other += "0\n";
    dir.write("n", other);
    const Result r = run_seqgrad(dir, "train --max-steps 4 --resume " + run);
    CAPTURE(r.err);
    CHECK(r.code == 2);
    CHECK(
        has(r.err, "the data have changed since the run began\n" + key + fmt::format(": {} numbers, content ", count)));
    CHECK(last_step(run) == 3);
    CHECK(has(run_seqgrad(dir, "evaluate " + run + " --split dev --checkpoint last").err,
              "warning: the data have changed since the run: " + key));
    CHECK(run_seqgrad(dir, "train --accept-changed-data --max-steps 4 --resume " + run).code == 0);
    CHECK(run_seqgrad(dir, "train --max-steps 5 --resume " + run).code == 0);
  }
}

TEST_CASE("a run is resumed to more steps or epochs than are done") {
  const Scratch dir;
  const std::string config = small_config(dir, steps), run = dir / "run", epochs = dir / "epochs";
  REQUIRE(run_seqgrad(dir, "train " + config + " --run-dir " + run).code == 0);
  REQUIRE(run_seqgrad(
              dir, "train " + config + " --set train.steps=null --set train.epochs=4 --max-steps 7 --run-dir " + epochs)
              .code == 0);  // of two batches an epoch
  const auto said = [&](const std::string& path, const std::string& set) {
    const auto before = slurp(path + "/config.resolved.yaml") + slurp(path + "/run.json");
    const int64_t step = last_step(path);
    const Result r = run_seqgrad(dir, "train --resume " + path + set);
    CHECK(r.code == 2);
    CHECK(run_seqgrad(dir, "train --dry-run --resume " + path + set).code == 2);
    CHECK(slurp(path + "/config.resolved.yaml") + slurp(path + "/run.json") == before);
    CHECK(last_step(path) == step);
    return r.err;
  };
  const std::string leave = "; to leave the length of the run as it is, leave this out\n";
  const auto fewer = [&](const char* key, int asked, const char* done, int more) {
    return fmt::format(
        "--set train.{0}={1}: {2} {0} are done; to train on, write a larger number, such as --set train.{0}={3}{4}",
        key, asked, done, more, leave);
  };
  CHECK(has(said(run, " --set train.steps=5"), fewer("steps", 5, "9", 18)));
  CHECK(has(said(run, " --set train.steps=null --set train.epochs=3"), fewer("epochs", 3, "4.50", 10)));
  CHECK(has(said(epochs, " --set train.epochs=2"), fewer("epochs", 2, "3.50", 8)));
  CHECK(has(said(epochs, " --set train.epochs=null --set train.steps=6"), fewer("steps", 6, "7", 14)));
  const std::string two = dir / "two";
  REQUIRE(run_seqgrad(dir,
                      "train " + config + " --set train.steps=null --set train.epochs=4 --max-steps 4 --run-dir " + two)
              .code == 0);
  CHECK(has(said(two, " --set train.epochs=2"), fewer("epochs", 2, "2", 4)));
  CHECK(has(said(two, " --set train.epochs=null --set train.steps=4"), fewer("steps", 4, "4", 8)));
  for (const std::string set : {"", " --set train.epochs=4", " --set train.epochs=5"})
    CHECK(run_seqgrad(dir, "train --resume " + epochs + set).code == 0);
  CHECK(last_step(epochs) == 10);
}

TEST_CASE("a run that is finished is tested again, whatever --max-steps says") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --run-dir " + run).code == 0);
  const Result r = run_seqgrad(dir, "train --max-steps 4 --resume " + run);
  CAPTURE(r.err);
  CHECK(r.code == 0);
  CHECK(has(r.err, "this run is finished: step 9 of 9"));
  CHECK_FALSE(has(r.err, "go on with"));
  CHECK(has(r.err, "Try:"));
}

TEST_CASE("a directory that is no run is told apart when it is to go on") {
  const Scratch dir;
  const std::string run = dir / "phrases-0001";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --max-steps 1 --run-dir " + run).code == 0);
  fs::create_directories(dir / "empty");
  const auto said = [&](const std::string& path) {
    const Result r = run_seqgrad(dir, "train --resume " + path);
    CHECK(r.code == 2);
    return first_line(r.err);
  };
  CHECK(said(dir / "phrases-0010") == dir / "phrases-0010: error: no such run directory (did you mean " + run + "?)");
  CHECK(said(dir / "phrase-0001/") == dir / "phrase-0001/: error: no such run directory (did you mean " + run + "?)");
  CHECK(said(dir / "elsewhere") == dir / "elsewhere: error: no such run directory");
  CHECK(said(dir / "nowhere/x") == dir / "nowhere/x: error: no such run directory");
  CHECK(said(dir / "small.yaml") == dir / "small.yaml: error: no run directory, but a file");
  CHECK(said(dir / "small.yaml/x") == dir / "small.yaml/x: error: no such run directory");
  CHECK(said(run + "/config.yaml") == run + "/config.yaml: error: no run directory; it lies in " + run);
  CHECK(said(run + "/checkpoints/last") == run + "/checkpoints/last: error: no run directory; it lies in " + run);
  CHECK(has(said(dir / "empty"), "empty: error: no run directory; it holds no run.json"));
}

TEST_CASE("a run that had saved nothing says that it begins again") {
  const Scratch dir;
  const std::string run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --max-steps 1 --run-dir " + run).code == 0);
  fs::remove_all(run + "/checkpoints");
  CHECK(has(run_seqgrad(dir, "train --max-steps 2 --resume " + run).err,
            "nothing was saved yet: beginning again at step 0\n"));
}

TEST_CASE("a run that began with weights of a file reads it until it has a checkpoint, and never again") {
  const Scratch dir;
  const std::string config = small_config(dir, steps), weights = dir / "weights.safetensors";
  REQUIRE(run_seqgrad(dir, "train " + config + " --max-steps 2 --run-dir " + (dir / "first")).code == 0);
  fs::copy_file(dir / "first/checkpoints/last/model.safetensors", weights);
  const std::string from = "train " + config + " --set model.init.file=" + weights + " --run-dir ";
  REQUIRE(run_seqgrad(dir, from + (dir / "whole")).code == 0);
  for (const char* run : {"killed", "stopped"})
    REQUIRE(run_seqgrad(dir, from + (dir / run) + " --max-steps 3").code == 0);
  fs::remove_all(dir / "killed/checkpoints");
  REQUIRE(run_seqgrad(dir, "train --resume " + (dir / "killed")).code == 0);
  fs::remove(weights);
  REQUIRE(run_seqgrad(dir, "train --resume " + (dir / "stopped")).code == 0);
  for (const char* run : {"killed", "stopped"})
    CHECK(slurp(dir / run + "/checkpoints/last/model.safetensors") ==
          slurp(dir / "whole/checkpoints/last/model.safetensors"));
  fs::remove_all(dir / "stopped/checkpoints");
  CHECK(has(run_seqgrad(dir, "train --resume " + (dir / "stopped")).err,
            "model.init.file: " + weights + ": cannot be read"));
}

TEST_CASE("a copy of a run that has directories for links goes on as the run does") {
  const Scratch dir;
  const std::string config = small_config(dir, steps), run = dir / "run";
  REQUIRE(run_seqgrad(dir, "train " + config + " --max-steps 6 --run-dir " + run).code == 0);
  for (const char* copy : {"all", "last"}) REQUIRE(shell(dir, "cp -rL " + run + " " + (dir / copy)).code == 0);
  for (const int64_t step : {4, 6}) fs::remove_all(dir / ("last/checkpoints/" + checkpoint_name(step)));
  REQUIRE(run_seqgrad(dir, "train --resume " + run).code == 0);
  for (const char* copy : {"all", "last"}) {
    CAPTURE(copy);
    const Result r = run_seqgrad(dir, "train --resume " + (dir / copy));
    CAPTURE(r.err);
    CHECK(r.code == 0);
    for (const char* link : {"/checkpoints/last", "/checkpoints/best"}) {
      CHECK(fs::is_symlink(dir / copy + link));
      CHECK(slurp(dir / copy + link + "/state.json") == slurp(run + link + "/state.json"));
    }
  }
}

TEST_CASE("a damaged line of the metrics is told when the run goes on, half a line at their end is not") {
  const Scratch dir;
  const std::string run = dir / "run", metrics = run + "/metrics.jsonl";
  REQUIRE(run_seqgrad(dir, "train " + small_config(dir, steps) + " --max-steps 6 --run-dir " + run).code == 0);
  const std::string text = slurp(metrics);
  dir.write("run/metrics.jsonl", text + "{\"kind\": \"tr");
  CHECK_FALSE(has(run_seqgrad(dir, "train --max-steps 7 --resume " + run).err, "metrics.jsonl"));
  dir.write("run/metrics.jsonl", "no json\n" + text);
  CHECK(has(run_seqgrad(dir, "train --max-steps 8 --resume " + run).err,
            "warning: metrics.jsonl has 1 line that is no metrics of a step; reports and tables leave it out\n"));
}

TEST_CASE("runs stopped after one step, in the midst of an interval, after a validation end in the same bytes") {
  const Scratch dir;
  const std::string config = small_config(dir, steps), whole = dir / "whole";
  REQUIRE(run_seqgrad(dir, "train " + config + " --run-dir " + whole).code == 0);
  for (const int stop : {1, 3, 4, 8}) {
    CAPTURE(stop);
    const std::string run = dir / ("run" + std::to_string(stop));
    REQUIRE(run_seqgrad(dir, fmt::format("train {} --max-steps {} --run-dir {}", config, stop, run)).code == 0);
    REQUIRE(last_step(run) == stop);
    REQUIRE(run_seqgrad(dir, "train --resume " + run).code == 0);
    for (const char* file : {"model.safetensors", "optim.safetensors", "state.json"})
      CHECK(slurp(whole + "/checkpoints/last/" + file) == slurp(run + "/checkpoints/last/" + file));
    CHECK_FALSE(record(run).contains("changes"));
  }
}

TEST_CASE("a name that is no folder's is refused with its place, and so is such a run directory") {
  const Scratch dir;
  const std::string config = small_config(dir, steps);
  const auto code = [&](const std::string& yaml, const std::string& why) {
    dir.write("named.yaml", slurp(config) + "name: " + yaml + "\n");
    const Result r = run_seqgrad(dir, "train " + (dir / "named.yaml"));
    CAPTURE(yaml, r.err);
    CHECK(has(first_line(r.err), "named.yaml:6:7: error: name: expected the name of a folder, got '"));
    CHECK(has(first_line(r.err), why));
    CHECK(std::none_of(r.err.begin(), r.err.end(), [](char c) { return c == '\x1b'; }));
    return r.code;
  };
  CHECK(code("../../evil", "it holds '/'") == 2);
  CHECK(code("a/b", "it holds '/'") == 2);
  CHECK(code("..", "it names another folder") == 2);
  CHECK(code("'.'", "it names another folder") == 2);
  CHECK(code("''", "it is empty") == 2);
  CHECK(code("\"a\\nb\"", "character 2 is a control character") == 2);
  CHECK(code("\"\\e[31m\"", "character 1 is a control character") == 2);
  CHECK(code("\"ä\\u009b1m\"", "character 2 is a control character") == 2);
  CHECK(code("\"abc\\u202e\"", "character 4 is a control character") == 2);
  CHECK(code(std::string(251, 'x'), "251 bytes are too long for a name; at most 250 fit") == 2);
  CHECK_FALSE(fs::exists("runs/evil-0001"));
  const auto directory = [&](const std::string& argument, const std::string& why) {
    const Result r = run_seqgrad(dir, "train " + config + " --run-dir " + argument);
    CAPTURE(argument, r.err);
    CHECK(has(first_line(r.err), "error: --run-dir: expected the path of a new directory, got '"));
    CHECK(has(first_line(r.err), why));
    return r.code;
  };
  CHECK(directory("\"$(printf 'a\\nb')\"", "character 2 is a control character") == 2);
  CHECK(directory((dir / "x/") + std::string(256, 'y'), "256 bytes are too long for a name") == 2);
  CHECK(directory((dir / "x/") + std::string(4000, '/') + "y", "at most 3584 fit") == 2);
  CHECK_FALSE(fs::exists(dir / "x"));
}

TEST_CASE("a new run tells what differs from the defaults in few lines, as --set takes it") {
  const Scratch dir;
  const Result r = run_seqgrad(dir, "train " + small_config(dir, steps) + " --max-steps 1 --run-dir " + (dir / "run"));
  REQUIRE(r.code == 0);
  CHECK_FALSE(has(r.err, "(default"));
  CHECK(has(r.err, "train.steps=9"));
  CHECK(has(r.err, "optim.lr=0.01"));
  int64_t lines = 0;
  std::stringstream in(r.err);
  for (std::string line; std::getline(in, line);) lines += line.starts_with("  ") && has(line, "=");
  CHECK(lines <= 5);
}
