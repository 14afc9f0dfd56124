// Output projection and loss in tiles: gather live rows, multiply, row kernel in place, multiply back.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/device/gemm.h"
#include "engine/loss/order_free_sum.h"
#include "engine/loss/row_report.h"
#include "engine/loss/sequence_loss.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"

namespace seqgrad {
namespace {

constexpr int64_t tile_rows = 512;   // a fixed height: kernels and sums never depend on the batch
constexpr int64_t block_rows = 128;  // the last tile is filled with zero rows up to a multiple of this

template <class T>
struct Tiles {
  T *hidden, *logits, *dhidden;  // [tile,D], [tile,V], [tile,D]
};

void add_scaled(const Tensor& dy, const Tensor& from, const Tensor& to) {
  with_floating(from.dtype, [&](auto zero) {
    using T = decltype(zero);
    kernels::axpy<T>(from.device, {*dy.as<T>(), from.as<T>(), to.as<T>(), from.numel()});
  });
}

}  // namespace

LossResult linear_sequence_loss(const Tensor& hidden, const Tensor& weight, const Tensor& bias,
                                const LossInputs& inputs, const LiveRows& rows, const LossOptions& options,
                                double divisor) {
  check_alive("linear_sequence_loss", {hidden, weight, bias});
  if (hidden.shape.rank() != 3 || weight.shape.rank() != 2 || hidden.shape[2] != weight.shape[1] ||
      (bias.data && !(bias.shape == Shape{weight.shape[0]})))
    refuse("loss: hidden {}, weight {} and bias {} do not fit; expected [B,T,D], [V,D] and [V]", hidden.shape.str(),
           weight.shape.str(), bias.shape.str());
  if (hidden.shape[0] != rows.batch || hidden.shape[1] != rows.steps || weight.shape[0] != rows.classes)
    refuse(
        "loss: targets are [B={},T={}] with V={} but hidden is {} and weight {}; T must match (did you forget to shift "
        "or trim?)",
        rows.batch, rows.steps, rows.classes, hidden.shape.str(), weight.shape.str());
  if (options.over != Over::all && options.then == Then::nothing)
    refuse(
        "loss: over: time, batch or none gives a vector, which the fused loss cannot differentiate; add `then: sum` or "
        "`then: mean` to reduce");
  const int64_t d = hidden.shape[2], v = rows.classes, live = static_cast<int64_t>(rows.rows.size());
  const bool wanted = Tape::current().wants_grad({hidden, weight, bias});
  const RowTarget target = row_target(inputs, options);
  const Coefficients c = coefficients(rows, options, divisor);

  const Tensor dh = wanted && hidden.requires_grad() ? zeros(hidden.shape, hidden.dtype, hidden.device) : Tensor{};
  const Tensor dw = wanted && weight.requires_grad() ? zeros(weight.shape, weight.dtype, weight.device) : Tensor{};
  const Tensor db = wanted && bias.requires_grad() ? zeros(bias.shape, bias.dtype, bias.device) : Tensor{};
  std::vector<RowResult> results(rows.rows.size());
  std::vector<RowTask> tasks(rows.rows.size());
  LossResult out;
  with_floating(hidden.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Device device = hidden.device;
    Tape& tape = Tape::current();
    const int64_t height = std::min(tile_rows, (live + block_rows - 1) / block_rows * block_rows);
    const Tiles<T> tile{tape.scratch<T>(height * d, device), tape.scratch<T>(height * v, device),
                        tape.scratch<T>(wanted ? height * d : 0, device)};
    auto k = row_arguments<T>(target, options, v);
    k.z = tile.logits;
    k.g = wanted ? tile.logits : nullptr;
    std::string offending;
    for (int64_t first = 0; first < live && offending.empty(); first += tile_rows) {
      const int64_t count = std::min(tile_rows, live - first),
                    padded = (count + block_rows - 1) / block_rows * block_rows;
      for (int64_t i = 0; i < count; ++i) {
        const auto n = static_cast<size_t>(first + i);
        backend(device).copy(tile.hidden + i * d, hidden.as<T>() + rows.rows[n].row * d,
                             static_cast<size_t>(d) * sizeof(T));
        tasks[n] = {i * v, rows.rows[n].target, c.rows[n]};
      }
      backend(device).zero(tile.hidden + count * d, static_cast<size_t>((padded - count) * d) * sizeof(T));
      if (bias.data) kernels::fill_rows<T>(device, {bias.as<T>(), tile.logits, padded, v});
      kernels::gemm<T>(device, {false, true, padded, v, d, tile.hidden, d, weight.as<T>(), d, bias.data ? T{1} : T{0},
                                tile.logits, v});
      k.tasks = tasks.data() + first;
      k.results = results.data() + first;
      k.rows = count;
      kernels::row_loss<T>(device, k);
      for (int64_t i = 0; i < count && options.nonfinite == Nonfinite::error; ++i)
        if (const auto n = static_cast<size_t>(first + i); results[n].nonfinite && offending.empty())
          offending = offending_logit(tile.logits + i * v, rows, rows.rows[n]);
      if (!wanted || !offending.empty()) continue;
      backend(device).zero(tile.logits + count * v, static_cast<size_t>((padded - count) * v) * sizeof(T));
      if (dh.data) {
        kernels::gemm<T>(device,
                         {false, false, padded, d, v, tile.logits, v, weight.as<T>(), d, T{0}, tile.dhidden, d});
        for (int64_t i = 0; i < count; ++i)
          backend(device).copy(dh.as<T>() + rows.rows[static_cast<size_t>(first + i)].row * d, tile.dhidden + i * d,
                               static_cast<size_t>(d) * sizeof(T));
      }
      if (dw.data)
        kernels::gemm<T>(device, {true, false, v, d, padded, tile.logits, v, tile.hidden, d, T{1}, dw.as<T>(), d});
      if (db.data) kernels::sum_rows<T>(device, {tile.logits, db.as<T>(), padded, v});
    }
    if (!offending.empty()) refuse("{}", offending);
    out = finish(rows, results, target, options, divisor, [](size_t) { return std::string("the loss is not finite"); });
    out.value = from_host(std::vector<T>{static_cast<T>(out.values[0])}, {}, device);
  });
  Tape::current().record(out.value, {hidden, weight, bias}, [=](const Tensor& dy) {
    if (dh.data) add_scaled(dy, dh, grad(hidden));
    if (dw.data) add_scaled(dy, dw, grad(weight));
    if (db.data) add_scaled(dy, db, grad(bias));
  });
  return out;
}

}  // namespace seqgrad
