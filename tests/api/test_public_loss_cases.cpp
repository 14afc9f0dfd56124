// Every recorded case of logits or probabilities, through the public function: each option arrives where it belongs.
#include <test_paths.h>
#include "engine/api/include/seqgrad/seqgrad.h"

#include <filesystem>

#include "engine/check/run_case.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

std::vector<std::string> recorded_cases() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SEQGRAD_SOURCE_DIR "/tests/cases"))
    if (entry.is_directory() && is_case(entry.path().string())) paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

template <class T>
LossArray<T> array_of(const LossCase& c, const char* name) {
  const NamedArray* a = c.find(name);
  if (!a) return {};
  const std::vector<double> x = to_doubles(*a);
  return std::vector<T>(x.begin(), x.end());
}

// The section's fields by hand, and the tensors in the order of the file.
LossArguments arguments_of(const LossCase& c) {
  const LossConfig& l = c.config->loss;
  LossArguments a;
  a.lengths = array_of<int64_t>(c, "lengths");
  a.mask = array_of<uint8_t>(c, "mask");
  a.token_weight = array_of<double>(c, "token_weight");
  a.example_weight = array_of<double>(c, "example_weight");
  a.class_weight = array_of<double>(c, "class_weight");
  a.prior = array_of<double>(c, "prior");
  a.upstream = array_of<double>(c, "upstream");
  a.ignore_index = l.mask.ignore_index();
  a.class_scope = l.weights.classes.scope().value_or("");
  a.allow_negative_weights = l.weights.allow_negative();
  a.preset = l.preset().value_or("");
  for (const auto& [name, bit] : {std::pair{"average_across_timesteps", average_across_timesteps},
                                  {"average_across_batch", average_across_batch},
                                  {"sum_over_timesteps", sum_over_timesteps},
                                  {"sum_over_batch", sum_over_batch}})
    if (l.flags().written & bit) a.flags[name] = (l.flags().bits & bit) != 0;
  a.over = l.reduce.over().value_or("");
  if (l.reduce.divide()) a.divide = l.reduce.divide.yaml();
  a.divide_eps = l.reduce.divide_eps();
  a.on_zero = l.reduce.on_zero().value_or("");
  a.then = l.reduce.then().value_or("");
  if (l.input() != "hidden") a.input = l.input().value_or("");
  a.probs_mode = l.probs.mode().value_or("");
  a.probs_eps = l.probs.eps();
  a.dense_sum = l.dense_sum.is_default() ? "" : l.dense_sum();
  a.smoothing = l.smoothing.epsilon();
  a.smoothing_kind = l.smoothing.kind().value_or("");
  a.smoothing_excluding = l.smoothing.excluding();
  a.smoothing_report = l.smoothing.report().value_or("");
  a.softcap = l.softcap();
  a.z_loss = l.z_loss();
  a.nonfinite = l.nonfinite();
  a.layout = l.layout();
  return a;
}

template <class T>
LossOutput<T> public_loss(const LossCase& c, LossArguments arguments, const CaseInputs& in) {
  LossArray<int64_t> targets;
  if (in.options.target != Target::dense)
    targets = array_of<int64_t>(c, "targets");
  else if (const std::vector<double> q = to_doubles(*c.find("targets")); c.find("targets")->dtype == DType::f32)
    arguments.dense = std::vector<float>(q.begin(), q.end());
  else
    arguments.dense = q;
  const NamedArray& x = in.options.input == Input::probs ? *c.find("probs") : *c.find("logits");
  const std::vector<double> wide = to_doubles(x);
  return loss(std::vector<T>(wide.begin(), wide.end()), {in.loss.batch, in.loss.steps, in.loss.classes}, targets,
              arguments);
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

template <class T>
void compare(const LossCase& c, const CaseRun& run) {
  const LossOutput<T> r = public_loss<T>(c, arguments_of(c), run.inputs);
  const auto equal = [](const std::vector<double>& want, const auto& got) {
    return std::equal(want.begin(), want.end(), got.begin(), got.end(), same_number);
  };
  CHECK(equal(run.of("value").numbers, r.values));
  CHECK(equal(run.of(run.inputs.options.input == Input::probs ? "d_probs" : "d_logits").numbers, r.d_logits));
  std::vector<double> row_loss;
  for (const TokenLoss& token : r.tokens) row_loss.push_back(token.loss);
  CHECK(equal(run.of("row_loss").numbers, row_loss));
}

std::string refused_as(const LossCase& c, const CaseInputs& in) {
  try {
    public_loss<double>(c, arguments_of(c), in);
  } catch (const LossRefused& e) {
    return e.code();
  }
  return "computed";
}

}  // namespace

TEST_CASE("the recorded cases have the same numbers through the public function") {
  int compared = 0, refused = 0;
  for (const std::string& path : recorded_cases()) {
    CAPTURE(path);
    const LossCase c = read_case(path);
    if (c.refused || c.layout == Layout::list || c.has_prediction("hidden") || c.has_prediction("row_loss")) continue;
    if (const std::string code = c.config->expect().error; !code.empty()) {
      std::string got;
      try {
        got = refused_as(c, inputs_of(c));
      } catch (const LossError&) {  // types and shapes of a file, which arrays do not have
        continue;
      }
      CHECK(got == code);
      ++refused;
      continue;
    }
    ++compared;
    const CaseRun run = run_case(c, c.dtype(), Device::cpu);
    c.dtype() == DType::f32 ? compare<float>(c, run) : compare<double>(c, run);
  }
  CHECK(compared > 250);
  CHECK(refused > 3);
}
