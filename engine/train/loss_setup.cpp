// Files are read once, before the first step.
#include "engine/train/loss_setup.h"

#include <charconv>
#include <cmath>
#include <numeric>

#include "engine/io/lines.h"
#include "engine/text/numbers.h"

namespace seqgrad {

static std::optional<std::vector<double>> read_numbers(const Path& path, int64_t count, const char* key,
                                                       bool negative) {
  if (path.value.empty()) return std::nullopt;
  std::vector<double> values;
  for (const std::string& line : read_lines(path.value)) {
    double x = 0;
    const auto end = std::from_chars(line.data(), line.data() + line.size(), x);
    if (end.ec != std::errc() || end.ptr != line.data() + line.size() || !std::isfinite(x) || (x < 0 && !negative))
      refuse("{}:{}: error: {}: expected one number{}, got '{}'", shown_path(path.value), values.size() + 1, key,
             negative ? "" : " of at least 0", shown(line));
    values.push_back(x);
  }
  if (static_cast<int64_t>(values.size()) != count)
    refuse("{}: error: {}: {}; the target vocabulary has {} entries", shown_path(path.value), key,
           counted(static_cast<int64_t>(values.size()), "number"), count);
  return values;
}

// Refused by the loss, too, which does not know the file.
static void check_prior(const std::vector<double>& prior, const Path& path) {
  constexpr double tolerance = 1e-4;  // that of the loss
  const double sum = std::accumulate(prior.begin(), prior.end(), 0.0);
  if (std::abs(sum - 1) > tolerance)
    refuse("{}: error: loss.smoothing.prior: the numbers sum to {:.6g}; expected probabilities, which sum to 1",
           shown_path(path.value), sum);
}

LossSetup make_loss_setup(const LossConfig& config, int64_t classes) {
  LossSetup s;
  s.options = config.options();
  s.classes = classes;
  s.lengths = config.mask.lengths();
  s.mask = config.mask.file();
  s.token_weight = config.weights.token();
  s.example_weight = config.weights.example();
  s.options.target = Target::ids;  // a preset of dense targets: ids are its one-hot rows, to the bit
  s.fused = config.prediction() == "hidden";
  s.class_weight =
      read_numbers(config.weights.classes.file(), classes, "loss.weights.class.file", s.options.allow_negative_weights);
  s.prior = read_numbers(config.smoothing.prior(), classes, "loss.smoothing.prior", false);
  if (s.prior) check_prior(*s.prior, config.smoothing.prior());
  check_options(s.options, classes);
  s.compare = compared_presets(config.compare(), s.options, s.class_weight.has_value());
  return s;
}

void check_weights(const LossSetup& setup, const DataConfig& config, const Corpus& train) {
  const auto check = [&](const char* what, const Path& file, int64_t line, double weight) {
    if (weight >= 0) return;
    const std::string place = file.value.empty() ? fmt::format("{}, line {}", train.name, line)
                                                 : fmt::format("{}:{}", shown_path(file.value), line);
    refuse("{}: {} {}; expected at least 0 (loss.weights.allow_negative: true takes it)", place, what, weight);
  };
  if (setup.options.allow_negative_weights) return;
  const Path &token = config.weights.token(),
             &example = train.weight_column ? config.train.tsv() : config.weights.example();
  for (int64_t i = 0; i < train.size(); ++i) {
    if (setup.example_weight) check("example weight", example, train.lines[i], train.example_weight[i]);
    if (!setup.token_weight) continue;
    for (const double weight : train.token_weight[i]) check("token weight", token, train.lines[i], weight);
  }
}

LossInputs loss_inputs(const Batch& batch, const LossSetup& setup) {
  LossInputs in;
  in.batch = batch.batch;
  in.steps = batch.target_steps;
  in.classes = setup.classes;
  in.targets.assign(batch.target_out.begin(), batch.target_out.end());
  if (setup.lengths) in.lengths.emplace(batch.target_lengths.begin(), batch.target_lengths.end());
  if (setup.mask) in.mask = batch.mask;
  if (setup.token_weight) in.token_weight = batch.token_weight;
  if (setup.example_weight) in.example_weight = batch.example_weight;
  in.class_weight = setup.class_weight;
  in.prior = setup.prior;
  return in;
}

}  // namespace seqgrad
