// Smoothing kinds differ in u only.
#include "engine/loss/row_target.h"

#include <algorithm>
#include <cmath>

#include "engine/core/tape.h"

namespace seqgrad {
namespace {

const double* keep(const std::vector<double>& v) {
  double* p = Tape::current().scratch<double>(static_cast<int64_t>(v.size()), Device::cpu);
  std::copy(v.begin(), v.end(), p);
  return p;
}

double surprise(double q) { return q > 0 ? -q * std::log(q) : 0; }

}  // namespace

RowRule row_rule(const LossInputs& in, const LossOptions& o) {
  RowRule rule;
  rule.classes = in.classes;
  rule.softcap = o.softcap.value_or(0);
  rule.z_loss = o.z_loss;
  rule.input = o.input;
  rule.probs_mode = o.probs_mode;
  rule.probs_eps = o.probs_eps;
  rule.propagate = o.nonfinite == Nonfinite::propagate;
  const auto v = static_cast<double>(in.classes);
  const double e = o.smoothing;
  if (e > 0) {
    switch (o.smoothing_kind) {
      case SmoothingKind::uniform:
        rule.off = e / v;
        rule.on = 1 - e;
        break;
      case SmoothingKind::others:
        rule.off = e / (v - 1);
        rule.on = 1 - e - rule.off;
        break;
      case SmoothingKind::others_excluding: {
        const double share = e / (v - 1 - static_cast<double>(o.smoothing_excluding.size()));
        std::vector<double> off(static_cast<size_t>(in.classes), share);
        for (const int64_t id : o.smoothing_excluding) off[static_cast<size_t>(id)] = 0;
        rule.off_row = keep(off);
        rule.on = 1 - e - share;
        break;
      }
      case SmoothingKind::prior: {
        std::vector<double> off = *in.prior;
        for (double& u : off) u *= e;
        rule.off_row = keep(off);
        rule.on = 1 - e;
        break;
      }
    }
  }
  const auto one = [](double c) { return c == 1; };
  if (in.class_weight && o.class_scope == ClassScope::per_class &&
      !std::all_of(in.class_weight->begin(), in.class_weight->end(), one))  // all ones are none, to the bit
    rule.class_weight = keep(*in.class_weight);
  return rule;
}

RowTask* row_tasks(const LiveRows& rows, int64_t count) {
  const double* dense = rows.dense.empty() ? nullptr : keep(rows.dense);
  const auto live = static_cast<int64_t>(rows.rows.size());
  auto* tasks = Tape::current().scratch<RowTask>(std::max(live, count), Device::cpu);
  for (int64_t i = live; i < count; ++i) tasks[i] = {0, -1, nullptr, 0};
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const LiveRow& r = rows.rows[i];
    tasks[i] = {0, r.target, r.dense < 0 ? nullptr : dense + r.dense, 0};
  }
  return tasks;
}

TargetEntropy::TargetEntropy(const RowRule& rule) : rule_(rule) {
  for (int64_t v = 0; rule.off_row && v < rule.classes; ++v) off_ += surprise(rule.off_row[v]);
  if (!rule.off_row) off_ = static_cast<double>(rule.classes) * surprise(rule.off);
}

double TargetEntropy::operator()(const RowTask& task) const {
  if (!task.q) {
    const double off = rule_.off_row ? rule_.off_row[task.target] : rule_.off;
    return off_ - surprise(off) + surprise(rule_.smoothed(task, task.target));
  }
  double h = 0;
  for (int64_t v = 0; v < rule_.classes; ++v) h += surprise(rule_.smoothed(task, v));
  return h;
}

}  // namespace seqgrad
