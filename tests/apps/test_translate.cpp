// The flags of translate and evaluate, and runs that resume with everything that has a state.
#include <test_paths.h>
#include <algorithm>

#include "engine/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;

namespace {

const std::string train_small =
    "train " SEQGRAD_SOURCE_DIR
    "/configs/copy.yaml -q --set 'data.sizes={train: 200, dev: 20, test: 20}' --set model.embedding=8 "
    "--set model.encoder.hidden=8 --set model.decoder.hidden=16 --set train.epochs=null --set train.steps=12 "
    "--set train.batch.size=16 --set train.validate_every=3 --set checkpoint.keep_best=3 --set schedule.warmup=0 "
    "--set decode.max_ratio=1.0 --set decode.max_extra=3 ";

std::string train(const Scratch& dir, const std::string& name, const std::string& more = "") {
  const Result r = run_seqgrad(dir, train_small + more + " --run-dir " + (dir / name));
  CAPTURE(r.err);
  REQUIRE(r.code == 0);
  return dir / name;
}

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> out;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

}  // namespace

TEST_CASE("translate searches as its flags say") {
  const Scratch dir;
  const std::string run = train(dir, "run"), input = "1 2 3 4 5\n\n7 7 9\n";
  const auto out = [&](const std::string& flags) {
    const Result r = run_seqgrad(dir, "translate " + run + " " + flags, input);
    CAPTURE(flags, r.err);
    CHECK(r.code == 0);
    return lines_in(r.out);
  };
  const auto greedy = out("");
  REQUIRE(greedy.size() == 3);
  CHECK(greedy[1].empty());
  CHECK(out("--beam 1") == greedy);
  const auto scored = out("--scores");
  for (size_t i = 0; i < 3; ++i) CHECK(scored[i].substr(scored[i].find('\t') + 1) == greedy[i]);
  CHECK(scored[0][0] == '-');
  CHECK(scored[1] == "0.0000\t");
  // A wider beam finds at least as much, and the length penalty divides.
  const auto wide = out("--beam 8 --length-penalty 0 --scores");
  CHECK(std::stod(wide[0]) >= std::stod(out("--length-penalty 0 --scores")[0]));
  const std::string list = "--beam 8 --nbest 8 --scores --length-penalty ";
  CHECK(out(list + "0") != out(list + "2"));
  CHECK(out("--set decode.beam=8 --set decode.length_penalty=0.0 --scores") == wide);
  const auto best = out("--beam 4 --nbest 3"), full = out("--beam 4 --nbest 3 --scores"),
             one = out("--beam 4 --scores");
  REQUIRE(best.size() == 7);
  REQUIRE(full.size() == 7);
  CHECK(best[3] == "1 ||| ");
  for (size_t i = 0; i < 7; ++i) {
    CAPTURE(full[i]);
    CHECK(full[i].find(best[i] + " ||| logp= ") == 0);
    CHECK(full[i].substr(0, 6) == fmt::format("{} ||| ", i < 3 ? 0 : i == 3 ? 1 : 2));
  }
  CHECK(one[0].substr(one[0].find('\t') + 1) == best[0].substr(6));
  CHECK(full[0].substr(full[0].rfind(' ') + 1) == one[0].substr(0, one[0].find('\t')));
  const auto score = [&](size_t i) { return std::stod(full[i].substr(full[i].rfind(' ') + 1)); };
  CHECK(score(0) >= score(1));
  CHECK(score(1) >= score(2));
  const auto refused = [&](const std::string& flags) {
    const Result r = run_seqgrad(dir, "translate " + run + " " + flags, input);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    return first_line(r.err);
  };
  CHECK(refused("--nbest 3") == "error: translate: --nbest 3 needs --beam 3 or more; the beam is 1");
  CHECK(has(refused("--beam 0"), "--beam: expected a whole number from 1 to 1000, got '0'"));
  CHECK(has(refused("--beam many"), "--beam"));
  CHECK(has(refused("--length-penalty -1"), "--length-penalty: expected a number from 0"));
  CHECK(has(refused("--nbest 0"), "--nbest"));
}

TEST_CASE("translate keeps the order of many lines, and answers a typed line at once") {
  const Scratch dir;
  const std::string run = train(dir, "run");
  std::string input;
  for (int i = 0; i < 700; ++i) {
    std::string line;
    for (int k = 0; k <= i % 9; ++k) line += std::to_string((i * 7 + k) % 50) + " ";
    input += line + "\n";
  }
  const auto all = lines_in(run_seqgrad(dir, "translate " + run, input).out);
  REQUIRE(all.size() == 700);
  const auto given = lines_in(input);
  for (size_t i = 0; i < 700; i += 53)
    CHECK(run_seqgrad(dir, "translate " + run, given[i] + "\n").out == all[i] + "\n");
  // The second line is typed after the first was answered; input ends only then.
  const std::string talk = std::string("coproc T { " SEQGRAD_BINARY " translate ") + run +
                           "; }; exec 3>&${T[1]} 4<&${T[0]}; for i in 1 2 3; do echo \"$i 2\" >&3; "
                           "read -t 20 -u 4 answer || exit 9; echo \"got $answer\"; done";
  const int status = std::system(("bash -c '" + talk + "' > " + (dir / "talk") + " 2> /dev/null").c_str());
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(lines_in(slurp(dir / "talk")).size() == 3);
}

TEST_CASE("the best checkpoints are averaged, by key or by flag") {
  const Scratch dir;
  const std::string run = train(dir, "run"), averaging = train(dir, "averaging", "--set checkpoint.average=3");
  const Result three = run_seqgrad(dir, "evaluate " + run + " --average 3 --json");
  CHECK(three.code == 0);
  CHECK(has(three.err, "weights: the average of 3 checkpoints: step-0000"));
  const Result by_key = run_seqgrad(dir, "evaluate " + averaging + " --json");
  CHECK(by_key.out == three.out);
  CHECK(run_seqgrad(dir, "evaluate " + averaging + " --average 1 --json").out ==
        run_seqgrad(dir, "evaluate " + run + " --checkpoint best --json").out);
  CHECK(three.out != run_seqgrad(dir, "evaluate " + run + " --json").out);
  CHECK(run_seqgrad(dir, "evaluate " + run + " --beam 3 --length-penalty 1 --json").out !=
        run_seqgrad(dir, "evaluate " + run + " --json").out);
  CHECK(run_seqgrad(dir, "translate " + run + " --average 2", "1 2\n").code == 0);
  const Result more = run_seqgrad(dir, "evaluate " + run + " --average 9");
  CHECK(more.code == 2);
  CHECK(has(more.err, ": error: 3 of the best checkpoints are kept, not 9 (checkpoint.keep_best)"));
  CHECK(has(run_seqgrad(dir, "evaluate " + run + " --average 2 --checkpoint last").err,
            "error: give --checkpoint or --average, not both"));
  // The mean of the weights: what a run that begins with it computes.
  std::vector<seqgrad::SafetensorsFile> files;
  for (size_t at = 0; (at = three.err.find("step-", at)) != std::string::npos; ++at)
    files.push_back(seqgrad::read_safetensors(run + "/checkpoints/" + three.err.substr(at, 11) + "/model.safetensors"));
  REQUIRE(files.size() == 3);
  std::vector<seqgrad::NamedArray> mean;
  for (const seqgrad::NamedArray& t : files[0].tensors) {
    std::vector<float> values;
    for (int64_t i = 0; i < t.numel(); ++i) {
      double sum = 0;
      for (const auto& f : files) sum += f.at(t.name).data<float>()[i];
      values.push_back(static_cast<float>(sum / 3));
    }
    mean.push_back(seqgrad::named_array(t.name, t.shape, values.data()));
  }
  fs::create_directories(run + "/checkpoints/mean");
  seqgrad::write_safetensors(run + "/checkpoints/mean/model.safetensors", mean);
  CHECK(run_seqgrad(dir, "evaluate " + run + " --checkpoint mean --json").out == three.out);
}

TEST_CASE("a stopped run goes on to the same bytes with every state that a run can have") {
  const Scratch dir;
  const std::string all =
      "--set model.attention=general --set model.input_feeding=true --set model.decoder.layers=2 --set "
      "train.teacher_forcing=0.6 "
      "--set 'model.dropout={hidden: 0.2, embedding: 0.1}' --set optim.name=adamw --set optim.weight_decay=0.01 "
      "--set 'schedule={name: plateau, patience: 0, factor: 0.5, floor: 0.01, warmup: 2}' --set optim.lr=0.05 "
      "--set train.validate_every=1 --set checkpoint.metric=bleu --set decode.beam=2 --set checkpoint.average=2 ";
  const std::string whole = train(dir, "whole", all + "--threads 1"),
                    parts = train(dir, "parts", all + "--threads 3 --max-steps 5");
  const Result rest = run_seqgrad(dir, "train -q --threads 2 --resume " + parts);
  REQUIRE(rest.code == 0);
  for (const char* file : {"model.safetensors", "optim.safetensors", "state.json"}) {
    CAPTURE(file);
    CHECK(slurp(whole + "/checkpoints/last/" + file) == slurp(parts + "/checkpoints/last/" + file));
  }
  CHECK(has(slurp(whole + "/checkpoints/last/state.json"), "\"scale\": 0."));  // the plateau was met
  for (const char* key : {"optim.lr=0.1", "seed=2", "decode.beam=3", "train.validate_every=2", "precision=fp64"})
    CHECK(has(run_seqgrad(dir, std::string("train --resume ") + parts + " --set " + key).err,
              std::string("error: ") + key + ": cannot change on resume"));
  const Result dry = run_seqgrad(dir, "train --dry-run --resume " + parts);
  CHECK(dry.code == 0);
  CHECK(has(dry.out, "next batch: "));
  CHECK(has(dry.out, "dec.cell.weight_ih"));
}

TEST_CASE("a dry run shows the batch that training begins with") {
  const Scratch dir;
  const Result dry = run_seqgrad(dir, train_small + "--dry-run --run-dir " + (dir / "none"));
  CHECK(dry.code == 0);
  CHECK_FALSE(fs::exists(dir / "none"));
  const std::string run = train(dir, "run", "--set train.log_every=1 --max-steps 1");
  const std::string metrics = slurp(run + "/metrics.jsonl");
  const double loss = std::stod(metrics.substr(metrics.find("\"loss\":") + 7));
  CAPTURE(dry.out);
  CHECK(has(dry.out, fmt::format("loss {:.4f}/tok", loss)));
  CHECK(has(dry.out, "MB parameters, gradients and moments; "));
}

TEST_CASE("evaluate says what is odd in the text that it is given, and what is unknown") {
  const Scratch dir;
  const std::string run = train(dir, "run");
  const auto notes = [&](const std::string& source, const std::string& target, const std::string& more = "") {
    dir.write("src", source), dir.write("ref", target);
    const Result r =
        run_seqgrad(dir, "evaluate " + run + " --src " + (dir / "src") + " --ref " + (dir / "ref") + " " + more);
    CAPTURE(r.err);
    CHECK(r.code == 0);
    return r.err;
  };
  CHECK(notes("1 2\n3\n", "1 2\n3\n").empty());
  CHECK(notes("1 2 3 4 5 x\n", "1 2 3 4 5 y\n").empty());  // one of six
  const std::string strange = notes("der Hund\n3 x\n", "1 2\n3 4\n");
  CHECK(has(strange, "warning: given text: 75.0 % of the source tokens are unknown: the vocabulary has "));
  CHECK_FALSE(has(strange, "target"));
  const std::string all = notes("der Hund\n", "the dog\n");
  CHECK(has(all, "warning: given text: 100 % of the source tokens are unknown"));
  CHECK(has(all, "warning: given text: 100 % of the target tokens are unknown"));
  CHECK(notes("der Hund\n", "the dog\n", "-q").empty());
  const std::string odd = notes(std::string("1 2\n3\0 4 5 6\n", 12), "1 2\n3 4 5\u200b 6\n");
  CHECK(has(odd, "warning: text: 1 control character (U+0000): " + (dir / "src") + ":2:2; "));
  CHECK(has(odd, "warning: text: 1 invisible character (U+200B): " + (dir / "ref") + ":2:6; "));
  dir.write("ref2", "1 2\u00a0\n");
  CHECK(has(notes("1 2\n", "1 2\n", "--ref " + (dir / "ref2")), "(U+00A0): " + (dir / "ref2") + ":1:4; "));
}
