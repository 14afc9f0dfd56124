// `--which`: on the fixture every preset finds itself; wrong ways of computing are named; digits as typed.
#include <test_paths.h>

#include "engine/check/case_inputs.h"
#include "engine/check/name_case.h"
#include "engine/loss/presets.h"
#include "tests/support/loss_fixture.h"
#include "tests/support/scratch.h"

using namespace seqgrad;
using namespace seqgrad::testing;

namespace {

// The fixture as a case; with probabilities and dense targets where a preset takes them.
LossCase fixture_case(const Fixture& f, bool probs, bool dense, bool class_weights) {
  SafetensorsFile file;
  std::vector<double> x = f.logits, q;
  for (size_t i = 0; i < 18; ++i) {
    if (probs) x[2 * i] = 1 / (1 + std::exp(f.logits[2 * i + 1])), x[2 * i + 1] = 1 - x[2 * i];
    q.insert(q.end(), {f.in.targets[i] == 0 ? 1 : NaN, f.in.targets[i] == 0 ? 0 : NaN});
  }
  file.tensors.push_back(named_array(probs ? "probs" : "logits", {3, 6, 2}, x.data()));
  if (dense)
    file.tensors.push_back(named_array("targets", {3, 6, 2}, q.data()));
  else
    file.tensors.push_back(named_array("targets", {3, 6}, f.in.targets.data()));
  if (f.in.lengths) file.tensors.push_back(named_array("lengths", {3}, f.in.lengths->data()));
  if (f.in.token_weight) file.tensors.push_back(named_array("token_weight", {3, 6}, f.in.token_weight->data()));
  const double ones[] = {1, 1};
  if (class_weights) file.tensors.push_back(named_array("class_weight", {2}, ones));
  return make_case(parse_yaml(fmt::format("loss: {{input: {}, target: {}, reduce: {{over: all, divide: one}}}}",
                                          probs ? "probs" : "logits", dense ? "dense" : "ids"),
                              "fixture.yaml"),
                   std::move(file), "fixture");
}

std::vector<std::string> names_of(const Which& w) {
  std::vector<std::string> out;
  for (const WhichMatch& f : w.matches)
    if (f.change.empty()) out.insert(out.end(), f.names.begin(), f.names.end());
  return out;
}

std::string all_lines(const LossCase& c, const std::string& value) {
  const Asked asked = asked_value(value);
  return fmt::format("{}", fmt::join(lines_of(which(c, inputs_of(c), asked.value, asked.tolerance), value), "\n"));
}

}  // namespace

TEST_CASE("on the fixture every preset finds itself, flags and all") {
  for (const Preset& p : presets()) {
    const LossOptions o = options_of(p);
    const bool probs = o.input == Input::probs, dense = o.target == Target::dense || p.given == Given::dense;
    Fixture f(true);
    const LossCase c = fixture_case(f, probs, dense, p.given == Given::class_weight);
    const CaseInputs in = inputs_of(c);
    LossOptions own = o;
    own.target = dense ? Target::dense : Target::ids;
    const LiveRows rows = build_live_rows(in.loss, own);
    const std::vector<double> value = loss_of(c, arrays_of(c, in), in.loss, rows, own, in).values;
    std::string name = p.name;
    const std::vector<std::string> found = names_of(which(c, in, value, 1e-9));
    CAPTURE(p.name, p.flags, value, found);
    CHECK(std::any_of(found.begin(), found.end(), [&](const std::string& n) {
      return n == name || (p.flags >= 0 && p.flags != p.default_flags && n.starts_with(name + "["));
    }));
  }
}

TEST_CASE("an answer names presets, the form and the divisor; typed digits count") {
  const LossCase c = fixture_case(Fixture(true), false, false, false);
  const std::string lines = all_lines(c, "2.7777778");
  CHECK(has(lines,
            "2.7777778 = tf1.contrib_sequence_loss = tfa.sequence_loss = tf1.losses.mean = "
            "keras.mean_with_sample_weight = {over: all, divide: weight} (divisor 4.5, sum of weights)"));
  CHECK(has(all_lines(c, "1.8,4,0"), "tf1.sequence_loss_by_example"));
  CHECK(has(all_lines(c, "2.78"), "tfa.sequence_loss"));
  CHECK(has(all_lines(c, "2.75"), "2.75 = sentence_mean = {over: all, divide: {time: active, batch: active_batch}}"));
  const std::string misses = all_lines(c, "3.75");
  CHECK(has(misses, "3.75 is none of them; the nearest:"));
  CHECK(has(misses, "9/10 x 4.16666667 = batch_mean"));
  CHECK_THROWS_AS(asked_value("many"), InputError);
  CHECK_THROWS_AS(asked_value("1,,2"), InputError);
  CHECK_THROWS_AS(asked_value(""), InputError);
  CHECK_THROWS_AS(asked_value("+-1"), InputError);
  CHECK(asked_value("+1.8, -4,0").value == std::vector<double>{1.8, -4, 0});
}

TEST_CASE("wrong ways of computing are named") {
  const LossCase c = fixture_case(Fixture(true), false, false, false);
  CHECK(has(all_lines(c, "15"), "with the token weights left out"));
  CHECK(has(all_lines(c, "2.4995001"), "with 1e-3 added to the divisor"));
  // Micro-batches of two sentences and one: (12.5/5 + 0)/2.
  CHECK(has(all_lines(c, "1.25"), "mean of means: micro-batches of 2 sentences, each over its active tokens"));
}

TEST_CASE("loss --which answers on the command line, and exits 1 without a match") {
  const Scratch dir;
  const std::string path =
      dir.write("c.yaml",
                "loss: {}\ntensors: {logits: [[[0.0, 1.0], [2.0, 0.0]], [[1.0, 0.5], [0.0, 0.0]]], "
                "targets: [[0, 1], [1, 0]], lengths: [2, 1]}\n");
  const std::string value = run_seqgrad(dir, "loss " + path).out.substr(6, 10);
  const Result yes = run_seqgrad(dir, "loss " + path + " --which " + value);
  CHECK(yes.code == 0);
  CHECK(has(yes.out, " = token_mean = "));
  CHECK(has(run_seqgrad(dir, "loss " + path + " --json --which " + value).out, "\"names\""));
  const Result no = run_seqgrad(dir, "loss " + path + " --which 1234.5");
  CHECK(no.code == 1);
  CHECK(has(no.out, "1234.5 is none of them; the nearest:"));
  CHECK(run_seqgrad(dir, "loss " + path + " --which abc").code == 2);
}

TEST_CASE("the cause of two bugs, planted in a PyTorch loop and in a Keras loss, is named") {
  const Scratch dir;
  const Result torch = run_seqgrad(dir, "check " SEQGRAD_SOURCE_DIR "/tests/planted/torch_loop");
  CHECK(torch.code == 1);
  CHECK(has(torch.out, "mean of means: micro-batches of 2 sentences, each over its active tokens"));
  const Result keras = run_seqgrad(dir, "check " SEQGRAD_SOURCE_DIR "/tests/planted/keras_weight");
  CHECK(keras.code == 1);
  CHECK(has(keras.out, " = keras.sum_over_batch_size = "));
  CHECK(has(keras.out, "(divisor 12, active tokens)"));
}

TEST_CASE("a case's own tolerance holds for names too") {
  const Scratch dir;
  for (const char* name : {"sum_f64", "g11", "mean_f64", "sum_over_batch_size_f64"}) {
    const Result r =
        run_seqgrad(dir, fmt::format("loss " SEQGRAD_SOURCE_DIR "/tests/cases/tf1losses/{} --which gold", name));
    CAPTURE(name, r.out);
    CHECK(r.code == 0);
    CHECK(has(r.out, "gold of 1 case = "));
  }
  const std::string off = dir.write("off.yaml",
                                    "loss: {preset: sum}\ntolerance: {rtol: 1.0e-4}\n"
                                    "tensors: {row_loss: [[1.0, 2.0], [3.0, 4.0]], gold.value: 2.5001}\n");
  CHECK(has(run_seqgrad(dir, "check " + off).out, "which: 2.5001 = token_mean = "));
  // Float32 beside float64 logits, whether or not the case says so.
  for (const char* tolerance : {"", "tolerance: {class: f32}\n"}) {
    const std::string floats =
        dir.write("floats.yaml", fmt::format("loss: {{preset: sum}}\n{}tensors: {{row_loss: [[1.0, 2.0], [3.0, 4.0]], "
                                             "gold.value: {:.17g}}}\n",
                                             tolerance, 2.5 + 0x1p-22));
    CHECK(has(run_seqgrad(dir, "check " + floats).out, " = token_mean = "));
  }
}

TEST_CASE("of a typed number no more digits count than the case's dtype has") {
  SafetensorsFile file;
  const std::vector<float> logits = {0.3F, 1.7F, -0.4F, 2.1F, 0.0F, 0.9F};
  const std::vector<int64_t> targets = {0, 1, 1};
  file.tensors.push_back(named_array("logits", {1, 3, 2}, logits.data()));
  file.tensors.push_back(named_array("targets", {1, 3}, targets.data()));
  const LossCase c = make_case(parse_yaml("loss: {preset: token_mean}", "a.yaml"), std::move(file), "a");
  const auto value = static_cast<float>(run_case(c, DType::f64, Device::cpu).of("value").numbers[0]);
  for (const float next : {value, std::nextafterf(value, 9), std::nextafterf(value, 0)})
    CHECK(has(all_lines(c, fmt::format("{:.17g}", static_cast<double>(next))), " = token_mean = "));
  CHECK(has(all_lines(c, fmt::format("{:.17g}", value * 1.0001)), "is none of them"));
}

TEST_CASE("one more or less in the divisor is told before rarer changes, with the divisor that it makes") {
  const LossCase c = make_case(parse_yaml("loss: {preset: token_mean}\ntensors:\n  row_loss: [[1.3, 2.1, 0.7, 3.2, "
                                          "1.9, 0.4], [0.9, 2.6, 1.7, 0.3, 1.1, 0.0], [2.2, 0.8, 1.4, 0.0, 0.0, 0.0]]\n"
                                          "  lengths: [6, 5, 3]\n",
                                          "a.yaml"),
                               std::nullopt, "a.yaml");
  const auto first_line = [&](const std::string& value) {
    const std::string lines = all_lines(c, value);
    return lines.substr(0, lines.find('\n'));
  };
  CHECK(has(first_line("1.5846153846"), "token_mean = "));
  CHECK(has(first_line("1.5846153846"), " with -1 added to the divisor (divisor 13)"));
  CHECK(has(first_line("1.3733333333"), " with 1 added to the divisor (divisor 15)"));
}

TEST_CASE("a case that its loss refuses is no evidence of another, and is named among others") {
  const Scratch dir;
  const auto write = [&](const char* name, const char* target) {
    return dir.write(name, fmt::format("loss: {{preset: sum}}\ntensors: {{logits: [[[0.0, 0.0]]], targets: [[{}]], "
                                       "gold.value: 0.6931471805599453}}\n",
                                       target));
  };
  const std::string good = write("good.yaml", "1"), bad = write("bad.yaml", "-1");
  CHECK(run_seqgrad(dir, "loss " + good + " --which gold").code == 0);
  for (const std::string& paths : {bad, good + " " + bad}) {
    const Result r = run_seqgrad(dir, "loss " + paths + " --which gold");
    CHECK(r.code == 2);
    CHECK(has(r.err, "error: " + bad + ": target id -1 at (b=0,t=0) is outside [0,2)"));
  }
}

TEST_CASE("a value is named, and a gradient beside it that differs is told") {
  const Scratch dir;
  const auto note = [&](const std::string& loss, const std::string& gradient) {
    const std::string path = dir.write("c.yaml", fmt::format("loss: {{preset: {}}}\ntensors: {{row_loss: [[1.0, 2.0], "
                                                             "[3.0, 4.0]], gold.value: 2.5{}}}\n",
                                                             loss, gradient));
    const Result r = run_seqgrad(dir, "loss " + path + " --which gold");
    CHECK(r.code == 0);
    return r.err;
  };
  const std::string half = ", gold.d_row_loss: [[0.5, 0.5], [0.5, 0.5]]";
  CHECK(has(note("token_mean", half), "the gradient differs from that of the case's loss: d_row_loss[0,0]"));
  CHECK(has(note("sum", half), "the gradients of its gold were not compared"));
  CHECK(note("token_mean", ", gold.d_row_loss: [[0.25, 0.25], [0.25, 0.25]]").empty());
  CHECK(note("token_mean", "").empty());
}

TEST_CASE("options that --which does not heed are refused") {
  const Scratch dir;
  const std::string path =
      dir.write("c.yaml", "loss: {}\ntensors: {row_loss: [[1.0, 2.0], [3.0, 4.0]], gold.value: 2.5}\n");
  for (const char* which : {"gold", "2.5"}) {
    const Result preset = run_seqgrad(dir, fmt::format("loss {} --preset sum --which {}", path, which)),
                 out = run_seqgrad(dir, fmt::format("loss {} --out o.safetensors --which {}", path, which));
    CHECK(preset.code == 2);
    CHECK(has(preset.err, "--preset goes without --which"));
    CHECK(out.code == 2);
    CHECK(has(out.err, "--out goes without --which"));
  }
}
