// What check, loss and gradcheck say to somebody who tries a loss of his own: the cure beside the error, what a batch
// cannot tell, and flat tensors taken as they are.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>

#include "engine/check/case_inputs.h"
#include "engine/check/check_case.h"
#include "engine/check/junit.h"
#include "engine/check/name_case.h"
#include "engine/check/separate.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

NamedArray zeros(const std::string& name, std::vector<int64_t> shape, DType dtype = DType::f64) {
  NamedArray a{name, dtype, std::move(shape), {}};
  a.bytes.assign(static_cast<size_t>(a.numel()) * size_of(dtype), '\0');
  return a;
}

std::string refusal(const std::string& loss, std::vector<NamedArray> tensors) {
  SafetensorsFile file;
  file.path = "t";
  file.tensors = std::move(tensors);
  return error_of([&] {
    run_case(make_case(parse_yaml("loss: {" + loss + "}\n", "c.yaml"), std::move(file), "c"), DType::f64, Device::cpu);
  });
}

LossCase case_of_text(const std::string& text) { return make_case(parse_yaml(text, "c.yaml"), std::nullopt, "c.yaml"); }

const std::string full =
    "loss: {preset: token_mean}\ntensors:\n  logits: [[[0.0, 1.0], [2.0, 0.0]], [[1.0, 0.5], [0.0, 0.25]]]\n"
    "  targets: [[0, 1], [1, 0]]\n";
const std::string ragged = full + "  lengths: [2, 1]\n";

std::string value_line(const std::string& text) {
  return fmt::format("  gold.value: {:.17g}\n",
                     run_case(case_of_text(text), DType::f64, Device::cpu).of("value").numbers[0]);
}

}  // namespace

TEST_CASE("shapes of other frameworks are met with the cure") {
  const auto ids = [](std::vector<int64_t> shape) { return zeros("targets", std::move(shape), DType::i64); };
  CHECK(has(refusal("", {zeros("logits", {2, 7, 3}), ids({2, 3})}),
            "are the logits [B,V,T], as PyTorch's cross_entropy takes them? Write logits.transpose(1, 2)"));
  CHECK(has(refusal("", {zeros("logits", {5, 2, 4}), ids({2, 5})}),
            "are the logits time-major, [T,B,…]? Transpose one of them; layout: time takes both so"));
  CHECK(
      has(refusal("layout: time", {zeros("logits", {5, 2, 4}), ids({2, 5})}), "Transpose them: layout: time has all"));
  CHECK(has(refusal("", {zeros("logits", {5, 2, 4}), ids({5, 2}), zeros("lengths", {2}, DType::i64)}),
            "lengths is [2]; expected [B] = [5]; are the others time-major, [T,B,…]? Then write layout: time"));
  CHECK(
      has(refusal("", {zeros("logits", {2, 5, 4}), zeros("targets", {2, 5, 4})}),
          "targets must be int32/int64, got float64; distributions [2,5,4], one-hot ones too, go with target: dense"));
  CHECK(has(refusal("", {zeros("logits", {2, 5, 4}), ids({2, 5, 4})}), "as floats, go with target: dense"));
  CHECK(
      has(refusal("target: dense", {zeros("logits", {2, 5, 4}), ids({2, 5})}),
          "dense targets must be float32/float64, got int64 [2,5]; these are ids: write target: ids, or leave it out"));
  CHECK(has(refusal("", {zeros("logits", {2, 5, 4}), ids({2, 5}), zeros("token_weight", {2, 1})}),
            "token_weight is [2,1]; expected [2,5]. Per-example weights go in example_weight, as [2]"));
  CHECK(has(refusal("", {zeros("logits", {2, 5, 4}), ids({2, 5}), zeros("example_weight", {2, 1})}),
            "squeeze its last dimension"));
  CHECK(refusal("", {zeros("logits", {2, 1, 4}), ids({2, 1}), zeros("token_weight", {2, 1})}).empty());  // T = 1
  CHECK(has(refusal("", {zeros("logits", {10, 4}), ids({2, 5})}), "or flat, [N,V] beside targets [N]"));
}

TEST_CASE("probabilities taken for logits are noticed where every row is one") {
  const std::string text =
      "loss: {}\ntensors:\n  logits: [[[0.25, 0.75], [0.5, 0.5]]]\n  targets: [[0, 1]]\n  gold.value: 1.0397\n";
  const CaseReport r = check_case(case_of_text(text), {});
  REQUIRE(r.verdict == Verdict::differs);
  CHECK(has(r.lines.back(), "the rows of logits are all in [0,1] and sum to 1: are they probabilities?"));
  std::string other = text;
  const CaseReport logits = check_case(case_of_text(other.replace(other.find("0.75"), 4, "0.95")), {});
  CHECK_FALSE(has(fmt::format("{}", fmt::join(logits.lines, "\n")), "probabilities?"));
}

TEST_CASE("a batch that cannot tell two reductions apart says so; one that can does not") {
  const auto others = [](const std::string& text) {
    const LossCase c = case_of_text(text);
    const CaseInputs in = inputs_of(c);
    return fmt::format("{}", fmt::join(not_separated(in.loss, in.options), " "));
  };
  // Equal lengths: a mean of sentences, of positions, of tokens are one number with one gradient.
  CHECK(has(others(full), "sentence_mean"));
  CHECK(has(others(full), "tf1.losses.sum_over_batch_size"));
  CHECK_FALSE(has(others(full), "batch_mean"));
  CHECK_FALSE(has(others(full), "tfa.sequence_loss"));  // without weights it is the same loss on every batch
  CHECK(others(ragged).find("sentence_mean") == std::string::npos);
  CHECK(others(ragged).find("tf1.losses.sum_over_batch_size") == std::string::npos);
  const std::string ones = ragged + "  token_weight: [[1.0, 1.0], [1.0, 1.0]]\n";
  CHECK(has(others(ones), "tf1.contrib_sequence_loss"));
  CHECK_FALSE(has(others(ragged + "  token_weight: [[1.0, 0.5], [2.0, 1.0]]\n"), "tf1.contrib_sequence_loss"));

  const CaseReport r = check_case(case_of_text(full + value_line(full)), {});
  CHECK(r.verdict == Verdict::as_expected);
  REQUIRE(r.notes.size() == 1);
  CHECK(has(r.notes[0], "this batch does not separate token_mean from "));
  CHECK(has(r.notes[0], ": every sentence has 2 tokens that count"));

  const Scratch dir;
  std::filesystem::create_directories(dir / "many");
  const std::string one = dir.write("many/c.yaml", full + value_line(full));
  CHECK(has(run_seqgrad(dir, "check " + one).out, "note: this batch does not separate token_mean from "));
  CHECK(has(run_seqgrad(dir, "check -v " + (dir / "many")).out, "note: this batch does not separate"));
  CHECK(run_seqgrad(dir, "check " + (dir / "many")).out == "1 case: 1 as expected\n");  // many: the tally is enough
  const std::string value = value_line(full).substr(14, 9);
  CHECK(has(run_seqgrad(dir, "loss " + one + " --which " + value).out, "note: this batch does not separate "));
  CHECK(has(run_seqgrad(dir, "loss " + one + " --json --which " + value).out, "\"not_separated\": ["));
}

TEST_CASE("check --loss tries another meaning on a case as it stands") {
  const Scratch dir;
  const std::string two = ragged + "  gold.value: 1.0\n";
  std::string text = two;
  text.replace(text.find("gold.value: 1.0"), 15, value_line(ragged).substr(2));
  const std::string path = dir.write("c.yaml", text);
  CHECK(run_seqgrad(dir, "check " + path).code == 0);
  CHECK(run_seqgrad(dir, "check " + path + " --loss '{preset: sum}'").code == 1);
  CHECK(run_seqgrad(dir, "check " + path + " --loss '{reduce: {over: all, divide: active}}'").code == 0);
  CHECK(run_seqgrad(dir, "check " + path + " --loss '{smoothing: {epsilon: 0.1}}'").code == 1);
  const Result bad = run_seqgrad(dir, "check " + path + " --loss sum");
  CHECK(bad.code == 2);
  CHECK(has(bad.err, "--loss: expected keys of a loss section"));
  CHECK(has(run_seqgrad(dir, "check " + path + " --loss '{preset: nobody}'").err, "nobody"));
  CHECK(run_seqgrad(dir, "check --files a b --loss '{preset: sum}'").code == 2);
}

TEST_CASE("names that do not fit the line are unfolded by -v") {
  const Scratch dir;
  const std::string path = dir.write("c.yaml", ragged + "  gold.value: 99.0\n");
  const std::string value = value_line(ragged).substr(14, 10);
  const Result few = run_seqgrad(dir, "loss " + path + " --which " + value);
  CHECK(few.code == 0);
  CHECK(has(few.out, " more names (-v)"));
  const Result all = run_seqgrad(dir, "loss -v " + path + " --which " + value);
  CHECK_FALSE(has(all.out, "more names"));
  CHECK(has(all.out, "hf.causal_lm"));
  const std::string sum = dir.write("s.yaml", ragged + value_line(ragged));
  CHECK(has(run_seqgrad(dir, "check --loss '{preset: sum}' " + sum).out, " more names (-v)"));
  CHECK_FALSE(has(run_seqgrad(dir, "check -v --loss '{preset: sum}' " + sum).out, "more names"));
}

TEST_CASE("a NaN recorded where nothing counts is 0/0, and losses with that answer are named") {
  const std::string empty = std::string(full) + "  lengths: [0, 0]\n  gold.value: .nan\n";
  const CaseReport value = check_case(case_of_text(empty), {});
  REQUIRE(value.verdict == Verdict::differs);
  CHECK_FALSE(has(value.lines[0], "multiplied by 0"));
  CHECK(has(value.lines[1], "which: nan = "));
  CHECK(has(value.lines[1], "torch.mean"));
  CHECK(has(value.lines[1], "(0/0: no active tokens)"));
  const CaseReport gradient = check_case(
      case_of_text(empty + "  gold.d_logits: [[[.nan, .nan], [.nan, .nan]], [[.nan, .nan], [.nan, .nan]]]\n"), {});
  CHECK(has(gradient.lines.at(1), "recorded is NaN everywhere: 0/0, where nothing counts?"));
  const Scratch dir;
  const std::string path = dir.write("c.yaml", empty);
  const Result which = run_seqgrad(dir, "loss " + path + " --which nan");
  CHECK(which.code == 0);
  CHECK(has(which.out, " = torch.mean = hf.causal_lm"));
  CHECK(has(run_seqgrad(dir, "loss " + path + " --which inf").out, "inf is none of them"));
  CHECK(run_seqgrad(dir, "loss " + dir.write("d.yaml", ragged) + " --which nan").code == 1);
}

TEST_CASE("gradcheck of a case says whose gradients it tried") {
  const Scratch dir;
  const Result r = run_seqgrad(dir, "gradcheck " + dir.write("c.yaml", ragged));
  CHECK(r.code == 0);
  CHECK(has(r.out, "all of seqgrad's gradients agree with its own loss; `seqgrad check` compares recorded ones"));
}

TEST_CASE("flat tensors are one sentence, or with lengths several, end to end or padded") {
  const auto value_of = [](const std::string& text) {
    return run_case(case_of_text(text), DType::f64, Device::cpu).of("value").numbers.at(0);
  };
  const std::string rows = "[[0.0, 1.0], [2.0, 0.0], [1.0, 0.5]]";
  const std::string nested = "loss: {preset: sentence_mean}\ntensors:\n  logits: ";
  const double padded = value_of(nested +
                                 "[[[0.0, 1.0], [2.0, 0.0]], [[1.0, 0.5], [.nan, .nan]]]\n"
                                 "  targets: [[0, 1], [1, 9]]\n  lengths: [2, 1]\n");
  CHECK(value_of(nested + rows + "\n  targets: [0, 1, 1]\n  lengths: [2, 1]\n") == padded);
  CHECK(value_of(nested + "[[0.0, 1.0], [2.0, 0.0], [1.0, 0.5], [.nan, .nan]]\n  targets: [0, 1, 1, 9]\n"
                          "  lengths: [2, 1]\n") == padded);
  const double one = value_of(nested + "[" + rows + "]\n  targets: [[0, 1, 1]]\n");
  CHECK(value_of(nested + rows + "\n  targets: [0, 1, 1]\n") == one);
  CHECK(one != padded);
  // Gold and weights lie as flat as the logits do.
  const std::string end_to_end = nested + rows + "\n  targets: [0, 1, 1]\n  lengths: [2, 1]\n";
  const std::string more = end_to_end + "  token_weight: [1.0, 0.5, 2.0]\n  mask: [1, 1, 1]\n";
  const CaseRun run = run_case(case_of_text(more), DType::f64, Device::cpu);
  std::string gold;
  for (const size_t i : {0, 2, 4})
    gold += fmt::format("{}[{:.17g}, {:.17g}]", i ? ", " : "", run.of("d_logits").numbers[i],
                        run.of("d_logits").numbers[i + 1]);
  const CaseReport r = check_case(case_of_text(more + "  gold.d_logits: [" + gold + "]\n"), {});
  CAPTURE(r.lines);
  CHECK(r.verdict == Verdict::as_expected);
  CHECK(has(error_of([&] { case_of_text(nested + rows + "\n  targets: [0, 1, 1]\n  lengths: [2, 2]\n"); }),
            "3 flat rows with 2 lengths up to 2"));
  CHECK(value_of("loss: {target: dense}\ntensors:\n  logits: " + rows +
                 "\n  targets: [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]\n") ==
        value_of("loss: {}\ntensors:\n  logits: " + rows + "\n  targets: [0, 1, 1]\n"));
}

TEST_CASE("a folder that cannot be read is one unreadable case, and the others are checked and counted") {
  const Scratch dir;
  dir.write("good.yaml", full + value_line(full));
  // A path longer than the system takes, which not even root can read.
  const std::string name(200, 'x');
  const int root = open(dir.path.c_str(), O_RDONLY | O_DIRECTORY);
  int at = dup(root);
  for (int depth = 0; depth < 25; ++depth) {
    REQUIRE(mkdirat(at, name.c_str(), 0755) == 0);
    const int next = openat(at, name.c_str(), O_RDONLY | O_DIRECTORY);
    close(at);
    at = next;
  }
  close(at);
  close(root);
  const Result r = run_seqgrad(dir, "check --junit " + (dir / "report.xml") + " " + dir.path.string());
  CHECK(r.code == 2);
  CHECK(has(r.out, "2 cases: 1 as expected, 1 unreadable"));
  CHECK(has(slurp(dir / "report.xml"), "tests=\"2\" failures=\"0\" errors=\"1\""));
  // std::filesystem cannot remove it by its path either.
  for (int depth = 24; depth >= 0; --depth) {
    int folder = open(dir.path.c_str(), O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < depth; ++i) {
      const int next = openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY);
      close(folder);
      folder = next;
    }
    CHECK(unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0);
    close(folder);
  }
}

TEST_CASE("two files of tensors are compared by --files, which says whether limits hid a difference") {
  const Scratch dir;
  const std::vector<float> x{1, 2, 3}, y{1, 2, 3.0000005F};
  const auto file = [&](const char* name, const std::vector<float>& v) {
    write_safetensors(dir / name, {named_array("w", {3}, v.data())});
    return dir / name;
  };
  const std::string a = file("a.safetensors", x), b = file("b.safetensors", y);
  CHECK(run_seqgrad(dir, "check --files " + a + " " + b + " --atol 1e-6").out ==
        "1 tensor, differences within the limits\n");
  CHECK(run_seqgrad(dir, "check --files " + a + " " + a + " --atol 1e-6").out == "1 tensor, no difference\n");
  CHECK(run_seqgrad(dir, "check " + a + " " + b).err ==
        "error: check: " + a +
            " holds tensors, and a case is a folder or a YAML file; to compare two files of tensors: --files "
            "A B\n");
}
