// Output projection and loss in tiles: gather live rows, multiply, row kernel in place, multiply back.
#include <algorithm>

#include "engine/device/gemm.h"
#include "engine/loss/move_rows.h"
#include "engine/loss/result_shape.h"
#include "engine/loss/row_report.h"
#include "engine/loss/unfinished_loss.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"

namespace seqgrad {
namespace {

constexpr int64_t tile_rows = 384;  // a fixed height: kernels and sums never depend on the batch
constexpr int64_t block_rows = 32;  // the last tile is filled with zero rows up to a multiple of this

int64_t padded_to(int64_t count) { return (count + block_rows - 1) / block_rows * block_rows; }

// Everything but the coefficients; backward of a vector loss runs it again with its upstream in them.
struct Job {
  Tensor hidden, weight, bias;
  RowRule rule;
  const int64_t* places;  // of each row: b·T + t; -1: it only rounds their number up
  int64_t live, rows;     // the live ones come first
  int32_t* stop = nullptr;
};

// What is wanted; tensors without data are not formed.
struct Gradients {
  Tensor hidden, weight, bias;
  bool any() const { return hidden.data || weight.data || bias.data; }
};

Gradients gradients_of(const Job& job, ParameterGradients when = ParameterGradients::in_backward) {
  const auto like = [](const Tensor& x) { return x.requires_grad() ? zeros(x.shape, x.dtype, x.device) : Tensor{}; };
  const auto own = [&](const Tensor& x) {
    return when == ParameterGradients::now && x.requires_grad() ? grad(x) : like(x);
  };
  return {like(job.hidden), own(job.weight), own(job.bias)};
}

// `tasks` of row i start at (i mod tile)·V. A row that is refused ends it: `inspect(first, count, logits)` sees each
// tile before the row kernel has been trusted. On a GPU, where each look would wait for it, results are fetched once,
// after the last tile, and the tile of a row that is not finite is made again to be seen. Without `results` they stay
// there; where, is returned.
template <class T, class Inspect>
const RowResult* run_tiles(const Job& job, const RowTask* tasks, RowResult* results, const Gradients& g,
                           const Inspect& inspect) {
  const Device device = job.hidden.device;
  Backend& memory = backend(device);
  Tape& tape = Tape::current();
  const int64_t d = job.hidden.shape[-1], v = job.rule.classes;
  const int64_t height = std::min(tile_rows, padded_to(job.rows));
  T *hidden = tape.scratch<T>(height * d, device), *logits = tape.scratch<T>(height * v, device),
    *dhidden = tape.scratch<T>(g.hidden.data ? height * d : 0, device);
  const uint64_t weight = new_operand_name();
  RowResult* kept = device == Device::cpu ? nullptr : tape.scratch<RowResult>(job.rows, device);
  const auto forward = [&](int64_t first, int64_t count, T* gradient) {
    const int64_t padded = padded_to(count);
    kernels::move_rows<T>(device, {job.hidden.as<T>(), hidden, job.places + first, count, d, false});
    if (padded > count) memory.zero(hidden + count * d, static_cast<size_t>((padded - count) * d) * sizeof(T));
    kernels::gemm<T>(device, {false, true, padded, v, d, hidden, d, job.weight.as<T>(), d, T{0}, logits, v, weight});
    kernels::row_loss<T>(device, {logits, gradient, tasks + first, kept ? nullptr : results + first, count, job.rule,
                                  job.bias.data ? job.bias.as<T>() : nullptr, kept ? kept + first : nullptr, job.stop});
  };
  for (int64_t first = 0; first < job.rows; first += tile_rows) {
    const int64_t count = std::min(tile_rows, job.rows - first), padded = padded_to(count);
    forward(first, count, g.any() ? logits : nullptr);
    if (!kept) inspect(first, count, logits);
    if (!g.any()) continue;
    if (padded > count) memory.zero(logits + count * v, static_cast<size_t>((padded - count) * v) * sizeof(T));
    if (g.hidden.data) {
      kernels::gemm<T>(device,
                       {false, false, padded, d, v, logits, v, job.weight.as<T>(), d, T{0}, dhidden, d, weight});
      kernels::move_rows<T>(device, {dhidden, g.hidden.as<T>(), job.places + first, count, d, true});
    }
    if (g.weight.data)
      kernels::gemm<T>(device, {true, false, v, d, padded, logits, v, hidden, d, T{1}, g.weight.as<T>(), d});
    if (g.bias.data) kernels::sum_rows<T>(device, {logits, g.bias.as<T>(), padded, v});
  }
  if (!kept || !results) return kept;
  memory.download(results, kept, static_cast<size_t>(job.live) * sizeof(RowResult));
  const RowResult* bad = std::find_if(results, results + job.live, [](const RowResult& r) { return r.nonfinite; });
  if (bad == results + job.live || job.rule.propagate) return kept;
  const int64_t first = (bad - results) / tile_rows * tile_rows, count = std::min(tile_rows, job.live - first);
  forward(first, count, nullptr);
  inspect(first, count, logits);
  return kept;
}

template <class T>
void add_scaled(T scale, const Gradients& from, const Job& to) {
  const std::pair<Tensor, Tensor> all[] = {{from.hidden, to.hidden}, {from.weight, to.weight}, {from.bias, to.bias}};
  for (const auto& [g, x] : all)
    if (g.data && g.data != grad(x).data)
      kernels::axpy<T>(g.device, {scale, g.template as<T>(), grad(x).template as<T>(), g.numel()});
}

// `sizes` has batch, steps and classes: LossInputs or LiveRows.
template <class Sizes>
void check_shapes(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const Sizes& sizes,
                  const LossOptions& options) {
  if (options.input == Input::probs)
    refuse(LossCode::combination, "loss: hidden states give logits; input: probs needs a softmax after them");
  const bool flat = hidden.shape.rank() == 2;
  if ((!flat && hidden.shape.rank() != 3) || weight.shape.rank() != 2 || hidden.shape[-1] != weight.shape[1] ||
      (bias.data && !(bias.shape == Shape{weight.shape[0]})))
    refuse(LossCode::combination,
           "loss: hidden {}, weight {} and bias {} do not fit; expected [B,T,D] or [B·T,D], [V,D] and [V]",
           hidden.shape.str(), weight.shape.str(), bias.shape.str());
  const bool fits = flat ? hidden.shape[0] == sizes.batch * sizes.steps
                         : hidden.shape[0] == sizes.batch && hidden.shape[1] == sizes.steps;
  if (!fits || weight.shape[0] != sizes.classes)
    refuse(
        LossCode::shape,
        "loss: targets are [B={},T={}] with V={} but hidden is {} and weight {}; T must match (did you forget to shift "
        "or trim?)",
        sizes.batch, sizes.steps, sizes.classes, hidden.shape.str(), weight.shape.str());
}

// One call of the loss: what it computes, with the coefficients of an upstream of 1.
struct Call {
  Job job;
  RowTask* tasks;
  int64_t* groups;  // the entry of a vector loss that each row adds to
  Shape shape;
  bool wanted, vector;
};

Call make_call(const Tensor& hidden, const Tensor& weight, const Tensor& bias, const LossInputs& inputs,
               const LiveRows& rows, const LossOptions& options, double divisor) {
  check_alive("linear_sequence_loss", {hidden, weight, bias});
  check_shapes(hidden, weight, bias, rows, options);
  const Coefficients c = coefficients(rows, options, divisor);
  const auto live = static_cast<int64_t>(rows.rows.size()), count = computed_rows(rows, hidden.device);
  Tape& tape = Tape::current();
  auto *places = tape.scratch<int64_t>(count, Device::cpu), *groups = tape.scratch<int64_t>(count, Device::cpu);
  RowTask* tasks = row_tasks(rows, count);
  for (int64_t i = 0; i < count; ++i) {
    tasks[i].at = i % tile_rows * rows.classes;
    places[i] = -1;
    groups[i] = 0;
    if (i >= live) continue;
    const LiveRow& r = rows.rows[static_cast<size_t>(i)];
    places[i] = r.row;
    groups[i] = group_of(rows, r, options.over);
    tasks[i].coefficient = c.rows[static_cast<size_t>(i)];
  }
  const Shape shape = result_shape(rows, options);
  return {{hidden, weight, bias, row_rule(inputs, options), places, live, count},
          tasks,
          groups,
          shape,
          tape.wants_grad({hidden, weight, bias}),
          shape.rank() > 0};
}

// The way back of a scalar whose gradients `g`, for an upstream of 1, exist already.
void record_scalar(Tensor& value, const Job& job, const Gradients& g, ParameterGradients when) {
  bool* ran = Tape::current().scratch<bool>(1, Device::cpu);
  *ran = false;
  Tape::current().record(value, {job.hidden, job.weight, job.bias}, [=](const Tensor& dy) {
    with_floating(job.hidden.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (when == ParameterGradients::now && (*ran || upstream<T>(dy) != 1))
        refuse(
            "linear_sequence_loss: its parameters have their gradients already, for one backward with an upstream of "
            "1; call it with ParameterGradients::in_backward for any other");
      *ran = true;
      add_scaled<T>(upstream<T>(dy), g, job);
    });
  });
}

}  // namespace

int64_t computed_rows(const LiveRows& rows, Device device) {
  const auto live = static_cast<int64_t>(rows.rows.size());
  if (device == Device::cpu) return live;
  const int64_t level = padded_to(std::max<int64_t>(1, rows.batch * rows.steps / 8));
  return (live + level - 1) / level * level;
}

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                double divisor, ParameterGradients when) {
  const Call call = make_call(hidden, weight, bias, inputs, rows, options, divisor);
  const Job& job = call.job;
  const bool scalar_wanted = call.wanted && !call.vector;  // a vector loss learns its upstream only in backward
  const Gradients g = scalar_wanted ? gradients_of(job, when) : Gradients{};
  std::vector<RowResult> results(rows.rows.size());
  with_floating(hidden.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_tiles<T>(job, call.tasks, results.data(), g, [&](int64_t first, int64_t count, const T* logits) {
      for (int64_t i = 0; i < count && first + i < job.live && !job.rule.propagate; ++i)
        if (const auto n = static_cast<size_t>(first + i); results[n].nonfinite)
          refuse(LossCode::nonfinite, "{}",
                 offending_logit(to_host<T>(logits + i * rows.classes, rows.classes, hidden.device).data(), rows,
                                 rows.rows[n]));
    });
  });
  LossResult out =
      finish(rows, call.tasks, results, job.rule, options, divisor, [](size_t) { return "the loss is not finite"; });
  out.value = value_tensor(out.values, call.shape, hidden);
  if (!call.vector) {
    record_scalar(out.value, job, g, when);
    return out;
  }
  Tape::current().record(out.value, {hidden, weight, bias}, [=](const Tensor& dy) {
    with_floating(hidden.dtype, [&](auto zero) {
      using T = decltype(zero);
      RowResult* unused = Tape::current().scratch<RowResult>(job.rows, Device::cpu);
      const Gradients now = gradients_of(job);
      run_tiles<T>(job, with_upstream<T>(call.tasks, call.groups, job.rows, dy), unused, now, [](auto&&...) {});
      add_scaled<T>(T{1}, now, job);
    });
  });
  for (const Tensor& x : {hidden, weight, bias})
    if (call.wanted && x.slot) x.slot->saved = true;
  return out;
}

UnfinishedLoss unfinished_linear_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                      const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                      double divisor, int32_t* stop) {
  Call call = make_call(hidden, weight, bias, inputs, rows, options, divisor);
  if (hidden.device == Device::cpu || call.vector)
    refuse("unfinished_linear_loss: only a scalar on a GPU can wait for its results");
  call.job.stop = stop;
  const Gradients g = call.wanted ? gradients_of(call.job, ParameterGradients::now) : Gradients{};
  UnfinishedLoss out{empty({}, hidden.dtype, hidden.device), nullptr};
  with_floating(hidden.dtype, [&](auto zero) {
    out.results = run_tiles<decltype(zero)>(call.job, call.tasks, nullptr, g, [](auto&&...) {});
  });
  record_scalar(out.value, call.job, g, ParameterGradients::now);
  return out;
}

LossResult finish_loss(const LossInputs& inputs, const LiveRows& rows, const LossOptions& options, double divisor,
                       std::span<const RowResult> results) {
  const NoGrad no_grad;
  const ArenaMark until_return(Device::cpu);
  return finish(rows, row_tasks(rows), results, row_rule(inputs, options), options, divisor,
                [](size_t) { return "the loss is not finite"; });
}

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LossOptions& options) {
  check_options(options, inputs.classes);
  check_shapes(hidden, weight, bias, inputs, options);
  const LiveRows rows = build_live_rows(inputs, options);
  return linear_sequence_loss(hidden, weight, bias, inputs, rows, options, rows.divisor);
}

}  // namespace seqgrad
