// Live rows first, then on a GPU rows of no target: those that round the number up, and dead logits to be cleared.
#include "engine/loss/loss_tasks.h"

#include <algorithm>
#include <bit>

#include "engine/loss/reduction.h"

namespace seqgrad {

int64_t computed_rows(const LiveRows& rows, Device device) {
  const auto live = static_cast<int64_t>(rows.rows.size());
  if (device == Device::cpu) return live;
  const auto octave = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(live)));
  const int64_t level = std::max(tile_block_rows, octave / 8);
  return (live + level - 1) / level * level;
}

namespace {

// The rows that are not live, in order.
void add_dead_rows(const LiveRows& live, Layout layout, int64_t* to) {
  auto next = live.rows.begin();  // in the order of rows
  for (int64_t row = 0; row < live.batch * live.steps; ++row)
    if (next != live.rows.end() && next->row == row)
      ++next;
    else
      *to++ = place_of(row, live.batch, live.steps, layout);
}

}  // namespace

LossTasks::LossTasks(StepInputs& in, const Of& of, const LossInputs& inputs, const LiveRows& live_rows,
                     const LossOptions& options, double divisor)
    : device(in.device()),
      batch(live_rows.batch),
      steps(live_rows.steps),
      shape(result_shape(live_rows, options)),
      live(static_cast<int64_t>(live_rows.rows.size())),
      tile(loss_tile(device, live_rows.classes, static_cast<int64_t>(size_of(of.dtype)))) {
  Tape& tape = Tape::current();
  const bool clears = !of.is_hidden && of.wants_gradient && device != Device::cpu;
  count = of.is_hidden ? computed_rows(live_rows, device) : clears ? batch * steps : live;

  const RowRule host_rule = row_rule(inputs, options);
  const bool keeps_dense = of.wants_gradient && shape.rank() > 0;
  tasks = row_tasks(host_rule, live_rows, dense_rows(in, live_rows, keeps_dense), count);
  rule = on_device(in, host_rule, of.dtype, !live_rows.dense.empty());
  groups = tape.scratch<int64_t>(count, Device::cpu);
  rows = tape.scratch<int64_t>(count, Device::cpu);
  std::fill_n(groups, count, 0);
  std::fill_n(rows, count, -1);
  const Coefficients c = coefficients(live_rows, options, divisor);
  for (int64_t i = 0; i < live; ++i) {
    const LiveRow& r = live_rows.rows[static_cast<size_t>(i)];
    tasks[i].coefficient = c.rows[static_cast<size_t>(i)];
    groups[i] = group_of(live_rows, r, options.over);
    rows[i] = place_of(r.row, batch, steps, of.layout);
  }
  if (clears) add_dead_rows(live_rows, of.layout, rows + live);
  for (int64_t i = 0; i < count; ++i) tasks[i].offset = (of.is_hidden ? i % tile.rows : rows[i]) * rule.classes;
  device_tasks = on_device(in, tasks, count);
  device_rows = of.is_hidden ? on_device(in, rows, count) : nullptr;
  device_results = device == Device::cpu ? nullptr : tape.scratch<RowResult>(count, device);
}

}  // namespace seqgrad
