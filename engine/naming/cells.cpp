// Counting for hypotheses; the divisors' own table says what is made of the counts.
#include <algorithm>

#include "engine/naming/reducers.h"

namespace seqgrad {
namespace {

struct Cell {
  bool active = false;
  double weight = 0, class_weight = 0;  // ω; what divisor class_weight adds up
};

void add(Counts& c, const Cell& cell) {
  c.active += cell.active;
  c.nonzero += cell.active && cell.weight != 0;
  c.weight += cell.weight;
  c.class_weight += cell.class_weight;
}

double target_class_weight(const LossInputs& in, size_t n) {
  if (!in.class_weight) return 1;
  const auto v = static_cast<size_t>(in.classes);
  if (in.dense.empty()) {
    const int64_t y = in.targets[n];
    return y >= 0 && y < in.classes ? (*in.class_weight)[static_cast<size_t>(y)] : 0;
  }
  double sum = 0;
  for (size_t j = 0; j < v; ++j) sum += (*in.class_weight)[j] * in.dense[n * v + j];
  return sum;
}

}  // namespace

Cells cells_of(const Variant& x) {
  const LossInputs& in = x.inputs;
  Cells out;
  out.batch = in.batch;
  out.steps = in.steps;
  out.classes = in.classes;
  out.active = active_cells(in, x.options);
  out.weight.assign(out.active.size(), 0.0);
  out.example_weight = in.example_weight.value_or(std::vector<double>(static_cast<size_t>(in.batch), 1.0));
  Counts empty;
  empty.batch = in.batch;
  empty.steps = in.steps;
  out.all = empty;
  out.by_example.assign(static_cast<size_t>(in.batch), empty);
  out.by_step.assign(static_cast<size_t>(in.steps), empty);
  out.all.positions = in.batch * in.steps;
  for (Counts& c : out.by_example) c.positions = in.steps;
  for (Counts& c : out.by_step) c.positions = in.batch;
  for (size_t n = 0; n < out.active.size(); ++n) {
    const size_t b = n / static_cast<size_t>(in.steps), t = n % static_cast<size_t>(in.steps);
    if (!out.active[n]) continue;
    const double w = (in.token_weight ? (*in.token_weight)[n] : 1.0) * out.example_weight[b];
    const double c = target_class_weight(in, n);
    const Cell cell{true, x.options.class_scope == ClassScope::target ? w * c : w, w * c};
    out.weight[n] = cell.weight;
    out.all.active_batch += out.by_example[b].active == 0;
    for (Counts* counts : {&out.all, &out.by_example[b], &out.by_step[t]}) add(*counts, cell);
    out.by_example[b].active_batch = 1;
    ++out.by_step[t].active_batch;
  }
  return out;
}

}  // namespace seqgrad
