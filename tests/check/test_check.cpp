// The regression tool: every recorded case, each form that a case may have, exit codes, damage, and what a failure
// says.
#include <test_paths.h>
#include <cmath>

#include "engine/check/bless.h"
#include "engine/check/case_inputs.h"
#include "engine/check/check_case.h"
#include "engine/check/gradcheck_case.h"
#include "engine/check/junit.h"
#include "engine/check/name_case.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

const std::string recorded = SEQGRAD_SOURCE_DIR "/tests/cases";

// Two sentences, the second one token long, padding NaN; token mean 1.5·ln 2 + ….
const std::string small =
    "name: small\nloss: {reduce: {over: all, divide: active}}\n"
    "tensors:\n  logits: [[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [.nan, .nan]]]\n  targets: [[0, 1], [1, 99]]\n"
    "  lengths: [2, 1]\n";
const std::string gold_value = "  gold.value: 0.6931471805599453\n";

LossCase from_text(const std::string& text) { return make_case(parse_yaml(text, "c.yaml"), std::nullopt, "c.yaml"); }
CaseReport report_of(const std::string& text) { return check_case(from_text(text), {}); }
std::string refusal(const std::string& text) {
  return error_of([&] { from_text(text); });
}
std::string replaced(std::string text, const std::string& a, const std::string& b) {
  const size_t at = text.find(a);
  REQUIRE(at != std::string::npos);
  return text.replace(at, a.size(), b);
}

// A case as a folder, the way a recorder writes it.
std::string folder(const Scratch& dir, const std::string& name, const std::string& yaml,
                   const std::vector<NamedArray>& tensors) {
  std::filesystem::create_directories(dir / name);
  dir.write(name + "/case.yaml", yaml);
  write_safetensors(dir / (name + "/tensors.safetensors"), tensors);
  return dir / name;
}

std::vector<NamedArray> tensors_of_small(double value) {
  const std::vector<double> logits{0, 0, 0, 0, 0, 0, NAN, NAN};
  const std::vector<int64_t> targets{0, 1, 1, 99}, lengths{2, 1};
  std::vector<NamedArray> out{named_array("logits", {2, 2, 2}, logits.data()),
                              named_array("targets", {2, 2}, targets.data()),
                              named_array("lengths", {2}, lengths.data())};
  if (!std::isnan(value)) out.push_back(named_array("gold.value", {}, &value));
  return out;
}

}  // namespace

TEST_CASE("every recorded case is as expected") {
  for (const Device device : test_devices()) {
    std::vector<CaseReport> reports;
    CheckOptions options;
    options.device = device;
    for (const std::string& path : find_cases({recorded})) {
      reports.push_back(check_case(path, options));
      if (reports.back().verdict == Verdict::as_expected) continue;
      CAPTURE(test_name_of(device), path, reports.back().lines);
      CHECK(reports.back().verdict == Verdict::as_expected);
    }
    CHECK(reports.size() >= 300);
  }
}

TEST_CASE("gold under tests/cases is a peer's, never our own") {
  for (const std::string& path : find_cases({recorded})) {
    const LossCase c = read_case(path);
    CAPTURE(path);
    CHECK_FALSE(is_own(c.config->provenance()));
    CHECK_FALSE(c.config->provenance().empty());
    CHECK(c.config->name() == std::filesystem::path(path).filename());
  }
}

TEST_CASE("a float64 case holds in float32 and a float32 one in float64") {
  CheckOptions f32, f64;
  f32.dtype = DType::f32;
  f64.dtype = DType::f64;
  for (const char* name : {"/pytorch/weights_f64_over_active", "/pytorch/hidden_f64_smoothed_class_weights_mean",
                           "/tensorflow1/by_example_mean_list_f64", "/tensorflow1/by_example_mean_time_f32"})
    for (const CheckOptions* o : {&f32, &f64}) {
      const CaseReport r = check_case(recorded + name, *o);
      CAPTURE(name, r.lines);
      CHECK(r.verdict == Verdict::as_expected);
    }
}

TEST_CASE("a case in one file, and what may be wrong with it") {
  CHECK(report_of(small + gold_value).verdict == Verdict::as_expected);
  CHECK(report_of(small).verdict == Verdict::unreadable);  // no gold
  const auto refused = [](const std::string& text, const std::string& part) {
    const std::string got = refusal(text);
    CAPTURE(got, part);
    CHECK(has(got, part));
    CHECK(got.substr(0, 1) == "2");
  };
  refused("name: x\n", "'loss' is missing");
  refused(replaced(small, "  lengths: [2, 1]\n", "  lenghts: [2, 1]\n"),
          "tensor 'lenghts': is none of a case's (did you mean 'lengths'?)");
  refused(replaced(small, "logits:", "probs:"), "write input: probs");
  refused(replaced(small, "[[0.0, 0.0], [0.0, 0.0]]", "[[0.0, 0.0], [0.0]]"), "a list of 1 where others have 2");
  refused(replaced(small, "99", "1.5"), "expected whole numbers");
  refused(small + "  gold.d_hidden: [0.0]\n", "there is no 'hidden'");
  refused(small + "  gold.loss: 1.0\n", "expected one of value, row_loss");
  refused(small + "  peer.value: 1.0\n", "needs peer_differs");
  refused(replaced(small, "{reduce", "{mask: {lengths: false}, reduce"), "is false, but the tensor 'lengths' is there");
  refused(replaced(small, "{reduce", "{weights: {token: true}, reduce"),
          "is true, but the tensor 'token_weight' is not");
  refused(replaced(small, "{reduce", "{layout: list, reduce"), "one array a step");
  refused("expect: {error: E99}\n" + small, "E01 to E17");
  refused("expect: {error: E04}\n" + small + gold_value, "is an error, but there is gold");
  refused("tolerance: {clas: f32}\n" + small, "did you mean 'class'");
  refused("tolerance: {value: {rtol: -1.0}}\n" + small, "at least 0");
  refused("tolerance: {value: {rtol: far}}\n" + small, "got 'far'");
  refused("loss: {}\ntensors: 5\n", "expected names and lists");
}

TEST_CASE("what is a case: a folder with case.yaml, or a YAML file of at most 1 MiB with tensors and a loss") {
  const Scratch dir;
  CHECK(is_case(dir.write("one.yaml", small)));
  CHECK(is_case(dir.write("large.yaml", small + "#" + std::string((1 << 20) - small.size() - 1, '-'))));
  CHECK_FALSE(is_case(dir.write("larger.yaml", small + "#" + std::string((1 << 20) - small.size(), '-'))));
  CHECK_FALSE(is_case(dir.write("one.yml", small)));
  CHECK_FALSE(is_case(dir.write("no_tensors.yaml", "loss: {}\n")));
  CHECK_FALSE(is_case(dir.write("no_loss.yaml", "tensors: {}\n")));
  CHECK_FALSE(is_case(dir.write("nested.yaml", " loss: {}\n tensors: {}\n")));
  CHECK_FALSE(is_case(dir / "none.yaml"));
  std::filesystem::create_directories(dir / "folder.yaml");
  CHECK_FALSE(is_case(dir / "folder.yaml"));
  CHECK_FALSE(is_case(dir.write("folder.yaml/case.yaml", small)));  // the folder is the case
  CHECK(is_case(dir / "folder.yaml"));
}

TEST_CASE("numbers of a case in one file may be infinite") {
  const LossCase c = from_text(replaced(small, "[.nan, .nan]", "[-.inf, .inf]"));
  const auto logits = to_doubles(*c.find("logits"));
  CHECK((logits[6] == -INFINITY && logits[7] == INFINITY));
}

TEST_CASE("another preset stands for the case's reduction wherever its loss section stands, and is looked at first") {
  const Scratch dir;
  const auto preset_of = [&](const std::string& text, const std::string& preset) {
    return read_case_with_preset(dir.write("c.yaml", text), preset).config->loss.preset();
  };
  const std::string first = replaced(small, "name: small\n", "");
  CHECK(preset_of(small, "sum") == "sum");
  CHECK(preset_of(first, "sum") == "sum");
  CHECK(has(error_of([&] { read_case_with_preset(dir / "none.yaml", "nobody"); }), "unknown preset 'nobody'"));
}

TEST_CASE("expected errors: by number and words, from the section and from tensors") {
  const auto verdict = [](const std::string& expect, const std::string& text) {
    return report_of("expect: " + expect + "\n" + text).verdict;
  };
  const std::string bad_id = replaced(small, "[0, 1]", "[0, 7]");
  CHECK(verdict("{error: E04}", bad_id) == Verdict::as_expected);
  CHECK(verdict("{error: E04, message: 'target id 7 at (b=0,t=1)'}", bad_id) == Verdict::as_expected);
  CHECK(verdict("{error: E04, message: 'target id 8'}", bad_id) == Verdict::differs);
  CHECK(verdict("{error: E06}", bad_id) == Verdict::differs);
  CHECK(verdict("{error: E04}", small) == Verdict::differs);  // a value came out
  CHECK(report_of(bad_id + gold_value).verdict == Verdict::differs);
  CHECK(verdict("{error: E06}", replaced(small, "[2, 1]\n", "[3, 1]\n")) == Verdict::as_expected);
  CHECK(verdict("{error: E02}", small + "  token_weight: [1.0, 1.0]\n") == Verdict::as_expected);
  CHECK(verdict("{error: E01}", small + "  mask: [[1, 1]]\n") == Verdict::as_expected);
  CHECK(verdict("{error: E07}", small + "  token_weight: [[1.0, -1.0], [1.0, 1.0]]\n") == Verdict::as_expected);
  CHECK(verdict("{error: E08}", small + "  class_weight: [1.0]\n") == Verdict::as_expected);
  CHECK(verdict("{error: E10}", replaced(small, "[[0.0, 0.0], [0.0", "[[.nan, 0.0], [0.0")) == Verdict::as_expected);
  CHECK(verdict("{error: E11}", replaced(small, "{reduce", "{smoothing: {epsilon: 1.2}, reduce")) ==
        Verdict::as_expected);
  CHECK(verdict("{error: E13}", replaced(replaced(small, "[2, 1]\n", "[0, 0]\n"), "divide: active",
                                         "divide: active, on_zero: error")) == Verdict::as_expected);
  CHECK(verdict("{error: E14}", replaced(small, "divide: active", "divide: tokens")) == Verdict::as_expected);
  CHECK(verdict("{error: E14}", replaced(small, "{reduce", "{preset: sum, reduce")) == Verdict::as_expected);
  CHECK(verdict("{error: E15}", replaced(small, "{reduce: {over: all, divide: active}}",
                                         "{preset: tfa.sequence_loss, flags: {sum_over_timesteps: true}}")) ==
        Verdict::as_expected);
  CHECK(verdict("{error: E17}", "name: x\nloss: {layout: list}\ntensors: {}\n") == Verdict::as_expected);
}

TEST_CASE("a failing element says by how much, where, and what it looks like") {
  const std::string line = report_of(small + "  gold.value: 1.0397207708399179\n").lines.at(0);  // divided by 2
  CHECK(line ==
        "value seqgrad 6.9315e-01 recorded 1.0397e+00  abs 3.5e-01 rel 3.3e-01 ulp over a million  "
        "limit abs 1.7e-12 of f64 arithmetic, V=2  (1/1 element)");
  CHECK(report_of(small + "  gold.value: 0.0\n").lines.at(0) ==
        "value seqgrad 6.9315e-01 recorded 0.0000e+00  abs 6.9e-01 ulp over a million  "
        "limit abs 1.7e-12 of f64 arithmetic, V=2  (1/1 element)");
  CHECK(report_of(small + "  gold.value: -.inf\n").lines.at(0) ==
        "value seqgrad 6.9315e-01 recorded -inf  (1/1 element)");
  CHECK(report_of("tolerance: {class: exact}\n" + small + "  gold.value: .nan\n").lines.at(0) ==
        "value seqgrad 6.9315e-01 recorded nan  limit the same bits  (1/1 element)");
  const auto hint = [](const Values& got, const Values& want, const std::vector<std::string>& axes) {
    return compare(got, want, Limits{}, DType::f64, false, axes).line;
  };
  const std::vector<std::string> axes{"sentence", "step"};
  CHECK(has(hint({"x", {2, 2}, {1, 2, 3, 4}}, {"x", {2, 2}, {1, 2, 6, 5}}, axes), "2/4 elements, all in sentence 1"));
  CHECK(has(hint({"x", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"x", {2, 3}, {9, 1, 2, 9, 4, 5}}, axes), "shifted by one step"));
  CHECK(has(hint({"x", {2, 2}, {2, 4, 3, 6}}, {"x", {2, 2}, {1, 2, 1, 2}}, axes), "a mean of means?"));
  // One ratio in all, whether or not the small elements are off by more than their limit.
  const Values got{"x", {2, 3}, {1, 2, 1e-3, 3, 4, 2e-3}},
      want{"x", {2, 3}, {1.0007, 2.0014, 1.0007e-3, 3.0021, 4.0028, 2.0014e-3}};
  for (const double limit : {0.0, 1e-5}) {
    Limits limits;
    limits.absolute = {limit};
    const std::string text = compare(got, want, limits, DType::f64, false, axes).line;
    CHECK(has(text, "recorded = 1.0007 x seqgrad in all of them"));
  }
  const Values floats{"x", {2, 3}, {1.00000003, 1.99999995, 1e-3, 3.0000001, 4, 2e-3}};
  Limits f64;
  f64.absolute = {1e-12};
  CHECK_FALSE(has(compare(got, floats, f64, DType::f64, false, axes).line, "hint"));
  f64.basis = "f64 arithmetic, V=3";
  CHECK(has(compare(got, floats, f64, DType::f64, false, axes).line,
            "hint: they agree as float32 numbers do: tolerance: {class: f32} says so"));
  CHECK(has(hint({"x", {2}, {1, -2}}, {"x", {2}, {-1, 2}}, {}), "opposite sign"));
  // Which side has what is said; a single number is no pattern.
  CHECK(has(hint({"x", {2}, {0, 1}}, {"x", {2}, {NAN, 1}}, {}),
            "recorded has NaN or infinity where seqgrad has 0: padding multiplied by 0"));
  CHECK(has(hint({"x", {2}, {NAN, 1}}, {"x", {2}, {0, 1}}, {}), "seqgrad has NaN or infinity where recorded has 0"));
  CHECK(has(hint({"x", {2}, {0, 1}}, {"x", {2}, {3, 1}}, {}), "seqgrad has 0 where recorded has something"));
  CHECK(has(hint({"x", {2}, {3, 1}}, {"x", {2}, {0, 1}}, {}), "recorded has 0 where seqgrad has something"));
  CHECK(has(hint({"x", {2}, {2, 4}}, {"x", {2}, {1, 2}}, {}), "recorded = 1/2 x seqgrad in all of them"));
  for (const double recorded : {16.0, -13.0, 0.0, double(NAN)})
    CHECK_FALSE(has(hint({"x", {}, {13}}, {"x", {}, {recorded}}, {}), "hint"));
  CHECK(has(hint({"x", {2}, {1, 2}}, {"x", {3}, {1, 2, 3}}, {}), "seqgrad shape [2] recorded shape [3]"));
  for (const auto& [ulps, text] : {std::pair{3.0, "3"}, {999.0, "999"}, {12045.0, "12,045"}, {5.3e6, "over a million"}})
    CHECK(ulps_text(ulps) == text);
}

TEST_CASE("limits: exact bits, units in the last place, a gold's own tolerance, NaN") {
  const double ours = run_case(from_text(small), DType::f64, Device::cpu).of("value").numbers[0];
  const std::string same = small + fmt::format("  gold.value: {:.17g}\n", ours),
                    near = small + fmt::format("  gold.value: {:.17g}\n", std::nextafter(ours, 1));
  CHECK(report_of(near).verdict == Verdict::as_expected);
  CHECK(report_of("tolerance: {class: exact}\n" + near).verdict == Verdict::differs);
  CHECK(report_of("tolerance: {class: exact}\n" + same).verdict == Verdict::as_expected);
  CheckOptions ulps;
  ulps.ulps = 0;
  CHECK(check_case(from_text(near), ulps).verdict == Verdict::differs);
  ulps.ulps = 1;
  CHECK(check_case(from_text(near), ulps).verdict == Verdict::as_expected);
  const std::string far = small + "  gold.value: 0.69\n";
  CHECK(report_of(far).verdict == Verdict::differs);
  CHECK(report_of("tolerance: {value: {rtol: 0.01}}\n" + far).verdict == Verdict::as_expected);
  CHECK(report_of("tolerance: {divisor: {rtol: 0.01}}\n" + far).verdict == Verdict::differs);
  CHECK(report_of("tolerance: {atol: 0.01}\n" + far).verdict == Verdict::as_expected);
  const std::string nan =
      replaced(replaced(small, "[2, 1]\n", "[0, 0]\n"), "divide: active", "divide: active, on_zero: nan") +
      "  gold.value: .nan\n";
  CHECK(report_of(nan).verdict == Verdict::differs);
  CHECK(report_of("nan: equal\n" + nan).verdict == Verdict::as_expected);
  // A zero of the other sign passes but where bits count.
  const std::string zero = small +
                           "  gold.d_logits: [[[-0.16666666666666666, 0.16666666666666666], [0.16666666666666666, "
                           "-0.16666666666666666]], [[0.16666666666666666, -0.16666666666666666], [-0.0, 0.0]]]\n";
  CHECK(report_of(zero).verdict == Verdict::as_expected);
  CHECK(report_of("tolerance: {class: exact}\n" + zero).verdict == Verdict::differs);
}

TEST_CASE("a peer's own answer must differ as the case says") {
  const std::string base = "peer_differs: it divides by B\n" + small + gold_value;
  CHECK(report_of(base + "  peer.value: 1.04\n").verdict == Verdict::as_expected);
  CHECK(report_of(base + "  peer.value: 0.6931471805599453\n").verdict == Verdict::differs);
}

TEST_CASE("exit codes: as expected 0, a difference 1, unreadable or nothing 2, folders to any depth") {
  const Scratch dir;
  const std::string yaml = "name: a\nloss: {}\nprovenance: by hand\n";
  const std::string good = folder(dir, "deep/er/good", yaml, tensors_of_small(std::log(2.0)));
  const Result ok = run_seqgrad(dir, "check " + dir / "deep");
  CHECK(ok.code == 0);
  CHECK(ok.out == "1 case: 1 as expected\n");
  folder(dir, "deep/wrong", yaml, tensors_of_small(1.5 * std::log(2.0)));
  const Result differs = run_seqgrad(dir, "check " + dir / "deep" + " --junit " + (dir / "report.xml"));
  CHECK(differs.code == 1);
  CHECK(has(differs.out, "value seqgrad 6.9315e-01 recorded 1.0397e+00"));
  CHECK(has(differs.out, "which: 1.03972077 = batch_mean = "));
  CHECK(has(differs.out, "2 cases: 1 as expected, 1 not"));
  CHECK(has(slurp(dir / "report.xml"), "tests=\"2\" failures=\"1\" errors=\"0\""));
  folder(dir, "deep/broken", yaml, tensors_of_small(1));
  dir.write("deep/broken/tensors.safetensors", "nothing");
  const Result broken = run_seqgrad(dir, "check " + dir / "deep");
  CHECK(broken.code == 2);
  CHECK(has(broken.err, "error: "));
  CHECK(has(broken.out, "3 cases: 1 as expected, 1 not, 1 unreadable"));
  CHECK(run_seqgrad(dir, "check " + folder(dir, "goldless", yaml, tensors_of_small(NAN))).code == 2);
  std::filesystem::create_directories(dir / "empty");
  CHECK(run_seqgrad(dir, "check " + dir / "empty").code == 2);
  CHECK(run_seqgrad(dir, "check " + dir / "not_there").code == 2);
  CHECK(run_seqgrad(dir, "check").code == 2);
  if (!no_gpu(dir).empty()) CHECK(run_seqgrad(dir, "check " + good + " --device cuda").code == 3);
  CHECK(run_seqgrad(dir, "check " + good + " --device tpu").code == 2);
  CHECK(run_seqgrad(dir, "check -q " + good).out.empty());
  CHECK(has(run_seqgrad(dir, "check -v --dtype f32 --ulp 4 " + good).out, "value      1 element, at most abs"));
}

TEST_CASE("check --files compares any two safetensors files") {
  const Scratch dir;
  const std::vector<float> x{1, 2, 3}, y{2, 4, 6}, z{1, 2, 3.0000005F};
  const auto file = [&](const char* name, const std::vector<float>& v) {
    write_safetensors(dir / name, {named_array("w", {3}, v.data())});
    return dir / name;
  };
  const std::string a = file("a", x), b = file("b", y), c = file("c", z);
  CHECK(run_seqgrad(dir, "check --files " + a + " " + a).code == 0);
  const Result twice = run_seqgrad(dir, "check --files " + b + " " + a);
  CHECK(twice.code == 1);
  CHECK(has(twice.out, "w[2] first 6.0000e+00 second 3.0000e+00"));
  CHECK(has(twice.out, "hint: second = 1/2 x first in all of them"));
  CHECK(run_seqgrad(dir, "check --files " + a + " " + c).code == 1);
  CHECK(run_seqgrad(dir, "check --rtol 1e-6 --files " + a + " " + c).code == 0);
  CHECK(run_seqgrad(dir, "check --atol 1e-6 --files " + a + " " + c).code == 0);
  CHECK(run_seqgrad(dir, "check --ulp 2 --files " + a + " " + c).code == 0);
  write_safetensors(dir / "d", {named_array("v", {3}, x.data())});
  CHECK(has(run_seqgrad(dir, "check --files " + a + " " + (dir / "d")).out, "v is only in"));
  CHECK(run_seqgrad(dir, "check --files " + a + " " + (dir / "none")).code == 2);
  const int64_t large = (int64_t{1} << 53), next = large + 1;
  const auto whole = [&](const char* name, int64_t id) {
    write_safetensors(dir / name, {named_array("w", {3}, x.data()), named_array("ids", {1}, &id)});
    return dir / name;
  };
  const std::string e = whole("e", large), f = whole("f", next), g = whole("g", 7);
  CHECK(has(run_seqgrad(dir, "check --files " + e + " " + e).out, "2 tensors, no difference"));
  const Result near = run_seqgrad(dir, "check --files " + e + " " + f),
               far = run_seqgrad(dir, "check --files " + e + " " + g);
  CHECK(near.code == 1);
  CHECK(has(near.out, "ids differs in whole numbers beyond 2^53"));
  CHECK(far.code == 1);
  CHECK(has(far.out, "ids[0] first"));
}

TEST_CASE("loss prints value and gradients, as text, JSON and file, and reduces by another preset") {
  const Scratch dir;
  const std::string c = dir.write("c.yaml", small);
  const Result text = run_seqgrad(dir, "loss " + c);
  CHECK(text.code == 0);
  CHECK(has(text.out, "value 0.69314718056\n"));
  CHECK(has(text.out, "divisor 3\n"));
  CHECK(has(run_seqgrad(dir, "loss " + c + " --json").out, "\"numerator\":2.0794415416798"));
  CHECK(has(run_seqgrad(dir, "loss " + c + " --preset sum").out, "value 2.07944154168\n"));
  CHECK(run_seqgrad(dir, "loss " + c + " --preset nobody").code == 2);
  CHECK(run_seqgrad(dir, "loss " + c + " --out " + (dir / "f.safetensors")).code == 0);
  CHECK(read_safetensors(dir / "f.safetensors").at("d_logits").shape == std::vector<int64_t>{2, 2, 2});
  CHECK(run_seqgrad(dir, "loss " + (dir / "none.yaml")).code == 2);
}

TEST_CASE("record writes gold in our name, once asked with a reason, and never over a peer's") {
  const Scratch dir;
  const std::string mine = folder(dir, "mine", "name: mine\nloss: {}\n", tensors_of_small(NAN));
  CHECK(run_seqgrad(dir, "record " + mine + " --reason 'checked by hand'").code == 2);
  CHECK(run_seqgrad(dir, "record " + mine + " --bless --reason ' '").code == 2);
  CHECK(run_seqgrad(dir, "record " + mine + " --bless --reason 'checked: by hand'").code == 0);
  CHECK(is_own(read_case(mine).config->provenance()));
  CHECK(has(read_case(mine).config->provenance(), "checked: by hand"));
  CHECK(run_seqgrad(dir, "check " + mine).code == 0);
  CHECK(run_seqgrad(dir, "record " + mine + " --bless --reason again").code == 0);  // its own
  CHECK(has(slurp(mine + "/case.yaml"), "again"));
  CHECK(run_seqgrad(dir, "check " + mine).code == 0);
  const std::string theirs =
      folder(dir, "theirs", "name: theirs\nloss: {}\nprovenance: PyTorch 2.0\n", tensors_of_small(5));
  const std::string before = slurp(theirs + "/tensors.safetensors");
  const Result r = run_seqgrad(dir, "record " + theirs + " --bless --reason mine");
  CHECK(r.code == 2);
  CHECK(has(r.err, "is a peer's (PyTorch 2.0)"));
  CHECK(slurp(theirs + "/tensors.safetensors") == before);

  // What somebody else noted in the file stays, and so do its tensors.
  const SafetensorsFile unnoted = read_safetensors(theirs + "/tensors.safetensors");
  std::vector<NamedArray> tensors;
  for (const NamedArray& t : unnoted.tensors)
    if (!t.name.starts_with("gold.")) tensors.push_back(t);
  const std::string noted = folder(dir, "noted", "name: noted\nloss: {}\n", tensors);
  const Metadata notes = {{"format", "pt"}, {"recorded by", "my script, F\u00fc\u00dfe"}};
  write_safetensors(noted + "/tensors.safetensors", tensors, notes);
  CHECK(run_seqgrad(dir, "record " + noted + " --bless --reason first").code == 0);
  CHECK(run_seqgrad(dir, "record " + noted + " --bless --reason second").code == 0);
  const SafetensorsFile blessed = read_safetensors(noted + "/tensors.safetensors");
  CHECK((blessed.metadata == notes));
  for (const NamedArray& t : tensors) CHECK(blessed.at(t.name).bytes == t.bytes);
  CHECK(blessed.at("gold.value").numel() == 1);
}

TEST_CASE("a JUnit report is XML whatever a case is called") {
  CaseReport r;
  r.path = "a<b&\"c\"\x01/\xff";
  r.verdict = Verdict::differs;
  r.lines = {"got <1>", "which: \"x\""};
  const std::string xml = junit_xml({r});
  CHECK(has(xml, "classname=\"a&lt;b&amp;&quot;c&quot;\xEF\xBF\xBD\" name=\"\xEF\xBF\xBD\""));
  CHECK(has(xml, "<failure message=\"got &lt;1&gt;\">got &lt;1&gt;&#10;which: &quot;x&quot;</failure>"));
}

TEST_CASE("a lesson fails as it stands and passes repaired") {
  const Scratch dir;
  const std::string text = replaced(small + gold_value, "divide: active", "divide: positions") +
                           "repair: |\n  loss: {reduce: {over: all, divide: active}}\n";
  const std::string path = dir.write("lesson.yaml", text);
  CHECK(check_case(path, {}).verdict == Verdict::differs);
  CHECK(check_case(read_case(path, true), {}).verdict == Verdict::as_expected);
}

TEST_CASE("every truncation of a case's files is refused or runs") {
  const Scratch dir;
  const std::string yaml = "name: a\nloss: {}\nprovenance: by hand\n";
  const std::string good = folder(dir, "good", yaml, tensors_of_small(std::log(2.0)));
  const std::string bytes = slurp(good + "/tensors.safetensors");
  for (size_t n = 0; n < bytes.size(); ++n) {
    dir.write("good/tensors.safetensors", bytes.substr(0, n));
    CHECK(check_case(good, {}).verdict == Verdict::unreadable);
  }
}

TEST_CASE("gradcheck of a case: every form, along directions too, and a claim that is wrong is found") {
  for (const char* name :
       {"/pytorch/hidden_f64_smoothed_class_weights_mean", "/tensorflow1/by_example_mean_list_f64",
        "/tensorflow1/by_example_mean_time_f64", "/pytorch/vector_f64_over_batch_by_weight",
        "/keras/probs_sparse_f64_saturated", "/source/cap_20_z_001_f64", "/pytorch/nan_in_ignored_rows"})
    for (const int64_t elements : {int64_t{0}, int64_t{1000}})
      for (const TensorReport& r : check_case_gradients(read_case(recorded + name), elements)) {
        CAPTURE(name, r.name, elements, r.gradients.where);
        CHECK(r.gradients.checked > 0);
        CHECK(r.gradients.passed());
      }
  double x[] = {1, 2};
  const double wrong[] = {2, 5};
  const uint8_t still[] = {0, 1};
  const auto square = [&] { return x[0] * x[0] + x[1] * x[1]; };
  for (const int64_t elements : {int64_t{0}, int64_t{10}}) {
    const GradientClaim all{"x", x, wrong, 2}, first{"x", x, wrong, 2, still};
    CHECK_FALSE(check_gradients(square, {&all, 1}, elements).passed());
    CHECK(check_gradients(square, {&first, 1}, elements).passed());
  }
  const Scratch dir;
  const std::string c = dir.write("c.yaml", small);
  CHECK(run_seqgrad(dir, "gradcheck " + c).out.find("all of seqgrad's gradients agree") != std::string::npos);
  CHECK(run_seqgrad(dir, "gradcheck --fast " + c).code == 0);
  CHECK(run_seqgrad(dir, "gradcheck --seed 2 " + c).code == 2);
}
