// The loss of logits: live rows in, gradients scattered into zeros.
#include "engine/loss/sequence_loss.h"

#include <cmath>
#include <limits>

#include "engine/loss/order_free_sum.h"
#include "engine/loss/row_report.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

// What backward needs, in the tape's arena.
struct Saved {
  const RowTask* tasks;   // with the coefficient for an upstream gradient of 1
  const int64_t* groups;  // the entry of the result that each row belongs to
  int64_t count;
};

template <class T>
T* copy_to_arena(const std::vector<T>& v) {
  T* p = Tape::current().scratch<T>(static_cast<int64_t>(v.size()), Device::cpu);
  std::copy(v.begin(), v.end(), p);
  return p;
}

Shape result_shape(const LiveRows& rows, const LossOptions& o) {
  if (o.over == Over::all || o.then != Then::nothing) return {};
  return o.over == Over::time    ? Shape{rows.batch}
         : o.over == Over::batch ? Shape{rows.steps}
                                 : Shape{rows.batch, rows.steps};
}

Tensor value_tensor(const std::vector<double>& values, Shape shape, DType dtype, Device device) {
  return with_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    return from_host(std::vector<T>(values.begin(), values.end()), shape, device);
  });
}

LossResult run(const Tensor& logits, bool in_place, const LossInputs& inputs, const LiveRows& rows,
               const LossOptions& options, double divisor, Layout layout) {
  check_alive("sequence_loss", {logits});
  const Shape want = layout == Layout::batch ? Shape{rows.batch, rows.steps, rows.classes}
                                             : Shape{rows.steps, rows.batch, rows.classes};
  if (!(logits.shape == want))
    refuse("loss: targets are [B={},T={}] but logits are {}; T must match (did you forget to shift or trim?)",
           rows.batch, rows.steps, logits.shape.str());
  const RowTarget target = row_target(inputs, options);
  const Coefficients c = coefficients(rows, options, divisor);
  const Shape shape = result_shape(rows, options);
  const bool wanted = Tape::current().wants_grad({logits});
  const bool vector = shape.rank() > 0;

  std::vector<RowTask> tasks;
  std::vector<int64_t> groups;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const LiveRow& r = rows.rows[i];
    const int64_t b = r.row / rows.steps, t = r.row % rows.steps;
    tasks.push_back({(layout == Layout::batch ? r.row : t * rows.batch + b) * rows.classes, r.target, c.rows[i]});
    groups.push_back(group_of(rows, r, options.over));
  }
  std::vector<RowResult> results(tasks.size());
  Tensor gradient;  // for an upstream gradient of 1; a vector loss learns its upstream only in backward
  if (wanted && !vector) gradient = in_place ? detach(logits) : zeros(logits.shape, logits.dtype, logits.device);

  LossResult out;
  with_floating(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    auto k = row_arguments<T>(target, options, rows.classes);
    k.z = logits.as<T>();
    k.g = gradient.data ? gradient.as<T>() : nullptr;
    k.tasks = tasks.data();
    k.results = results.data();
    k.rows = static_cast<int64_t>(tasks.size());
    kernels::row_loss<T>(logits.device, k);
    if (in_place && gradient.data) {  // dead rows still hold logits
      std::vector<uint8_t> live(static_cast<size_t>(rows.batch * rows.steps), 0);
      for (const RowTask& task : tasks) live[static_cast<size_t>(task.at / rows.classes)] = 1;
      for (size_t n = 0; n < live.size(); ++n)
        if (!live[n])
          backend(logits.device)
              .zero(gradient.as<T>() + static_cast<int64_t>(n) * rows.classes,
                    static_cast<size_t>(rows.classes) * sizeof(T));
    }
    // A NaN stays a NaN where the row kernel overwrote its input, and it stops before it overwrites an infinity.
    out = finish(rows, results, target, options, divisor,
                 [&](size_t i) { return offending_logit(logits.as<T>() + tasks[i].at, rows, rows.rows[i]); });
  });
  out.value = value_tensor(out.values, shape, logits.dtype, logits.device);
  if (!wanted) return out;

  if (!vector) {
    GradSlot* slot = logits.slot;
    if (in_place) slot->consumed = true;
    Tape::current().record(out.value, {logits}, [=](const Tensor& dy) {
      with_floating(logits.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (in_place) {  // the gradient already stands where it belongs, but for an upstream other than 1
          if (slot->grad)
            refuse("sequence_loss: backward ran twice over logits that were moved in; pass them without std::move");
          slot->grad = gradient.data;
          if (const T g = *dy.as<T>(); g != 1)
            kernels::axpy<T>(logits.device, {g - 1, gradient.as<T>(), gradient.as<T>(), gradient.numel()});
        } else {
          kernels::axpy<T>(logits.device, {*dy.as<T>(), gradient.as<T>(), grad(logits).as<T>(), gradient.numel()});
        }
      });
    });
    return out;
  }
  if (logits.slot) logits.slot->saved = true;
  const Saved saved{copy_to_arena(tasks), copy_to_arena(groups), static_cast<int64_t>(tasks.size())};
  const double* off_row = target.off_row.empty() ? nullptr : copy_to_arena(target.off_row);
  const double* class_weight = target.class_weight.empty() ? nullptr : copy_to_arena(target.class_weight);
  const double off = target.off, on = target.on, softcap = options.softcap.value_or(0), z_loss = options.z_loss;
  const int64_t classes = rows.classes;
  Tape::current().record(out.value, {logits}, [=](const Tensor& dy) {
    with_floating(logits.dtype, [&](auto zero) {
      using T = decltype(zero);
      RowTask* again = Tape::current().scratch<RowTask>(saved.count, Device::cpu);
      RowResult* results = Tape::current().scratch<RowResult>(saved.count, Device::cpu);
      for (int64_t i = 0; i < saved.count; ++i) {
        again[i] = saved.tasks[i];
        again[i].coefficient *= static_cast<double>(dy.as<T>()[saved.groups[i]]);
      }
      const Tensor g = zeros(logits.shape, logits.dtype, logits.device);
      kernels::row_loss<T>(logits.device, {logits.as<T>(), g.as<T>(), again, results, saved.count, classes, off, on,
                                           off_row, class_weight, softcap, z_loss});
      kernels::axpy<T>(logits.device, {T{1}, g.as<T>(), grad(logits).as<T>(), g.numel()});
    });
  });
  return out;
}

}  // namespace

LossResult sequence_loss(const Tensor& logits, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, double divisor, Layout layout) {
  return run(logits, false, inputs, rows, options, divisor, layout);
}

LossResult sequence_loss(const Tensor& logits, const LossInputs& inputs, const LiveRows& rows,
                         const LossOptions& options, Layout layout) {
  return run(logits, false, inputs, rows, options, rows.divisor, layout);
}

LossResult sequence_loss(Tensor&& logits, const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                         double divisor, Layout layout) {
  const bool in_place = logits.slot && !logits.slot->saved && result_shape(rows, options).rank() == 0;
  LossResult out = run(logits, in_place, inputs, rows, options, divisor, layout);
  if (in_place) logits = {};
  return out;
}

}  // namespace seqgrad
