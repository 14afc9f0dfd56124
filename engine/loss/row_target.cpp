// Smoothing kinds differ in u only; all of them are a base that rows share and what each adds to it.
#include "engine/loss/row_target.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/vector_math.h"

namespace seqgrad {
namespace {

template <class T>
const T* keep(const std::vector<T>& v) {
  T* p = Tape::current().scratch<T>(static_cast<int64_t>(v.size()), Device::cpu);
  std::copy(v.begin(), v.end(), p);
  return p;
}

double surprise(double q) { return q > 0 ? -q * std::log(q) : 0; }

// What r is of every row but for its own spike or distribution.
void add_base(RowRule& rule) {
  if (!rule.off_row && !(rule.class_weight && rule.off != 0)) {
    rule.base_sum = rule.off * static_cast<double>(rule.classes);
    return;
  }
  auto* f64 = Tape::current().scratch<double>(rule.classes, Device::cpu);
  auto* f32 = Tape::current().scratch<float>(rule.classes, Device::cpu);
  for (int64_t v = 0; v < rule.classes; ++v) {
    f64[v] = (rule.off_row ? rule.off_row[v] : rule.off) * (rule.class_weight ? rule.class_weight[v] : 1);
    f32[v] = as_weight<float>(f64[v]);
    rule.base_sum += f64[v];
  }
  rule.base_f64 = f64;
  rule.base_f32 = f32;
}

}  // namespace

RowRule row_rule(const LossInputs& in, const LossOptions& o) {
  RowRule rule;
  rule.classes = in.classes;
  if (o.softcap) rule.softcap = *o.softcap;
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
  add_base(rule);
  return rule;
}

Distribution dense_rows(StepInputs& in, const LiveRows& rows, bool keep_them) {
  const auto numbers = [&]<class T>(const std::vector<T>& v) -> const T* {
    if (v.empty()) return nullptr;
    if (keep_them && in.device() == Device::cpu) return keep(v);
    return on_device(in, v.data(), static_cast<int64_t>(v.size()));
  };
  return {numbers(rows.dense.f64), numbers(rows.dense.f32)};
}

RowTask* row_tasks(const RowRule& rule, const LiveRows& rows, const Distribution& dense, int64_t count) {
  const auto base = [&](int64_t v) { return rule.base_f64 ? rule.base_f64[v] : rule.class_weight ? 0 : rule.off; };
  int64_t bases = 0, last_base = -1;  // classes that have one, up to three
  for (int64_t v = 0; v < rule.classes && bases < 3; ++v)
    if (base(v) != 0) ++bases, last_base = v;
  const auto live = static_cast<int64_t>(rows.rows.size());
  auto* tasks = Tape::current().scratch<RowTask>(std::max(live, count), Device::cpu);
  for (int64_t i = live; i < count; ++i) tasks[i] = {0, -1};
  for (int64_t i = 0; i < live; ++i) {
    const LiveRow& r = rows.rows[static_cast<size_t>(i)];
    RowTask& task = tasks[i] = {0, r.target, r.dense < 0 ? Distribution{} : dense.from(r.dense), r.q_sum};
    task.in_place = r.in_place;
    task.spike = rule.on * (rule.class_weight ? r.class_weight : r.q_sum);
    if (task.q) continue;
    const double own = base(r.target);
    const int64_t others = bases - (own != 0);
    task.single_target = own + task.spike != 0 ? (others == 0 ? r.target : -1) : (others == 1 ? last_base : -1);
  }
  return tasks;
}

RowRule on_device(StepInputs& in, RowRule rule, DType dtype, bool is_dense) {
  const auto move = [&](auto*& table) { table = on_device(in, table, rule.classes); };
  if (dtype == DType::f32)
    move(rule.base_f32);
  else
    move(rule.base_f64);
  if (!is_dense && rule.input == Input::logits) return rule;  // which read nothing else
  move(rule.off_row);
  move(rule.class_weight);
  return rule;
}

TargetEntropy::TargetEntropy(const RowRule& rule) : rule_(rule) {
  for (int64_t v = 0; rule.off_row && v < rule.classes; ++v) off_ += surprise(rule.off_row[v]);
  if (!rule.off_row) off_ = static_cast<double>(rule.classes) * surprise(rule.off);
}

double TargetEntropy::operator()(const LiveRows& rows, const LiveRow& row) const {
  const RowTask task{0, row.target, rows.distribution(row)};
  if (!task.q) {
    const double off = rule_.off_row ? rule_.off_row[row.target] : rule_.off;
    return off_ - surprise(off) + surprise(rule_.smoothed(task, row.target));
  }
  double h = 0;
  for (int64_t v = 0; v < rule_.classes; ++v) h += surprise(rule_.smoothed(task, v));
  return h;
}

}  // namespace seqgrad
