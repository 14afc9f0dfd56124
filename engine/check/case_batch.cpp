// Layouts end here: a batch is b-major.
#include "engine/check/case_batch.h"

#include "engine/check/framework_error.h"
#include "engine/check/limits.h"
#include "engine/naming/variant.h"

namespace seqgrad {

LossBatch batch_of(const LossCase& c, const CaseInputs& in) {
  LossBatch out;
  out.kind = in.hidden                          ? PredictionKind::hidden
             : in.row_loss                      ? PredictionKind::row_loss
             : in.options.input == Input::probs ? PredictionKind::probs
                                                : PredictionKind::logits;
  out.inputs = in.loss;
  if (in.options.ignore_index) {  // an option of the loss becomes part of the batch
    out.inputs.mask = active_cells(in.loss, in.options);
    out.inputs.lengths.reset();
  }
  CaseArrays a = arrays_of(c, in);
  const int64_t width = in.hidden ? in.width : in.loss.classes;
  out.x = c.layout == Layout::batch ? std::move(a.x) : from_time_major(a.x, in.loss.batch, in.loss.steps, width);
  out.weight = std::move(a.weight);
  out.bias = std::move(a.bias);
  return out;
}

NamedCases name_cases(const std::vector<LossCase>& cases) {
  std::vector<LossBatch> batches;
  std::vector<Observed> observed;
  NamingOptions options;
  for (const LossCase& c : cases) {
    const Values* gold = c.gold_of("value");
    if (!gold) refuse("{}: error: --which gold needs gold.value, and there is none", shown_path(c.where));
    const CaseInputs in = inputs_of(c);
    batches.push_back(batch_of(c, in));
    if (batches.back().kind != batches[0].kind)
      refuse("{}: error: has {} where the first case has {}; one loss takes one of them", shown_path(c.where),
             name_of(batches.back().kind), name_of(batches[0].kind));
    observed.push_back({nullptr, {gold->numbers, {}, {}, {}}});
    options.u = std::max(options.u, arithmetic_of(class_of_gold(c)).u);
    options.fixed = {in.options.smoothing, in.options.z_loss, in.options.softcap};
  }
  for (size_t i = 0; i < batches.size(); ++i) observed[i].batch = &batches[i];
  NamedCases out{name_loss(observed, options), false};
  out.fits = !out.naming.fits.empty();
  return out;
}

std::vector<std::string> lines_of(const Naming& naming, size_t cases, size_t most) {
  const auto text = [&](const LossHypothesis& h) {
    const size_t shown = std::min(most, h.names.size());
    std::string names =
        fmt::format("{}", fmt::join(h.names.begin(), h.names.begin() + static_cast<std::ptrdiff_t>(shown), " = "));
    if (shown < h.names.size())
      names += fmt::format(" = {} more name{} (-v)", h.names.size() - shown, h.names.size() - shown == 1 ? "" : "s");
    std::string out = names.empty() ? h.sentence : fmt::format("{} = {}", h.sentence, names);
    return h.ids.empty() ? out : fmt::format("{}  {}", out, fmt::join(h.ids, " "));
  };
  const std::string all = fmt::format("gold of {} case{}", cases, cases == 1 ? "" : "s");
  std::vector<std::string> out;
  for (const LossHypothesis& h : naming.fits) out.push_back(fmt::format("{} = {}", all, text(h)));
  if (!out.empty()) return out;
  out.push_back(fmt::format("{} is none of them{}; the nearest, with answer/theirs from least to most:", all,
                            naming.stopped ? " (search stopped)" : ""));
  for (const Nearest& n : naming.nearest)
    out.push_back(fmt::format("  {:.6g} … {:.6g} x {}", n.least, n.most, text(n.hypothesis)));
  return out;
}

}  // namespace seqgrad
