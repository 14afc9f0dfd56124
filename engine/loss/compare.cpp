// A compared preset is the loss's options with another reduction.
#include "engine/loss/compare.h"

#include "engine/loss/errors.h"
#include "engine/loss/presets.h"

namespace seqgrad {

std::vector<ComparedPreset> compared_presets(const std::vector<std::string>& names, const LossOptions& loss,
                                             bool class_weights) {
  const Given given = loss.target == Target::dense ? Given::dense
                      : class_weights              ? Given::class_weight
                                                   : Given::anything;
  std::vector<ComparedPreset> out;
  for (const std::string& name : names) {
    const Preset& p = preset(name, -1, given);
    if (const std::string own = own_row_loss(p, loss, class_weights); !own.empty())
      refuse(
          LossCode::combination,
          "loss: compare: preset '{}' has a row loss of its own ({}); only presets with the loss's row loss can stand "
          "beside it",
          name, own);
    LossOptions o = loss;
    o.over = p.over;
    o.divide = p.divide;
    o.divide_eps = p.divide_eps;
    o.on_zero = p.on_zero;
    o.scope = p.scope;
    o.report = p.report;
    o.then = p.over == Over::all ? Then::nothing : Then::mean;
    out.push_back({name, o});
  }
  return out;
}

std::vector<double> whole_row_losses(const LossResult& result) {
  std::vector<double> losses = result.row_loss;
  for (size_t i = 0; i < losses.size(); ++i) losses[i] += result.row_z[i];
  return losses;
}

ReportedLoss compared(const ComparedPreset& preset, std::span<const LossInputs> micro_batches,
                      std::span<const std::vector<double>> row_losses) {
  const LossOptions& o = preset.options;
  std::vector<LiveRows> rows;
  for (const LossInputs& inputs : micro_batches) rows.push_back(build_live_rows(inputs, o));
  if (o.scope != Scope::micro) share_counts(rows, o);
  std::vector<LossSum> sums;
  for (size_t i = 0; i < rows.size(); ++i) sums.push_back(reduce(rows[i], row_losses[i], o, rows[i].divisor).sum);
  return report_step(sums, o);
}

void add_compared(const ComparedPreset& preset, const LossInputs& inputs, const std::vector<double>& row_losses,
                  CorpusLoss& to) {
  const LiveRows rows = build_live_rows(inputs, preset.options);
  const Reduced reduced = reduce(rows, row_losses, preset.options, rows.divisor);
  to.add(rows, reduced.sum, reduced.numerator);
}

std::string beside(const std::vector<ComparedPreset>& presets, const std::vector<double>& values) {
  std::string out;
  for (size_t i = 0; i < presets.size() && i < values.size(); ++i)
    out += fmt::format("{}{} {}", i ? "  " : "", presets[i].name, printed_loss(values[i], presets[i].options));
  return out;
}

}  // namespace seqgrad
