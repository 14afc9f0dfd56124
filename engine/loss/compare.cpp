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

LossSum compared(const ComparedPreset& preset, const LossInputs& inputs, const LossResult& result) {
  const LossOptions& o = preset.options;
  const LiveRows rows = build_live_rows(inputs, o);
  std::vector<double> losses = result.row_loss;
  for (size_t i = 0; i < losses.size(); ++i) losses[i] += result.row_z[i];
  LossSum sum = reduce(rows, losses, o, rows.divisor).sum;
  if (o.scope == Scope::micro && sum.divisor != 0) {  // a mean of means, as such a loop prints it
    sum.numerator = sum.value(o);
    sum.divisor = 1;
    sum.divisor_adds = true;
    sum.kind = "micro-batches";
  }
  return sum;
}

double value_of(const ComparedPreset& preset, const LossSum& sum) { return sum.reported(preset.options); }

std::string beside(const std::vector<ComparedPreset>& presets, const std::vector<LossSum>& sums) {
  std::string out;
  for (size_t i = 0; i < presets.size() && i < sums.size(); ++i)
    out += fmt::format("{}{} {:.3f}{}", i ? "  " : "", presets[i].name, value_of(presets[i], sums[i]),
                       unit_of(presets[i].options));
  return out;
}

}  // namespace seqgrad
