// Optimisers over flat buffers: clip by global norm, then one pass that moves every parameter.
#pragma once
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "engine/core/host_device.h"
#include "engine/core/kernel.h"
#include "engine/nn/parameters.h"

namespace seqgrad {

// What a GPU knows of a step's gradient, in its own memory: an update need not wait until the host has seen the norm.
struct GradientState {
  double norm;      // Euclidean, of all gradients, before clipping
  double scale;     // what clips it
  int32_t stopped;  // 1 since a loss or a gradient was not finite: no update is made any more
};

struct OptimOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, momentum = 0;
  const GradientState* state = nullptr;  // GPU only: scales the gradient, and may stop the update
};

// Formulas and order of operations as in torch.optim.
struct Optimizer {
  const char* name;
  const char* doc;
  // What differs from update to update; `step` counts from 1.
  std::vector<double> (*step_numbers)(const OptimOptions&, int64_t step);
  // One update in place; the numbers are in memory of the store's device.
  void (*update)(ParameterStore&, const OptimOptions&, const double* step_numbers);

  void operator()(ParameterStore& store, const OptimOptions& options, int64_t step) const;
};

const std::map<std::string, Optimizer>& optimizers();
bool register_optimizer(const Optimizer& optimizer);
std::vector<std::string> optimizer_names();

double grad_norm(const ParameterStore& store);  // Euclidean norm of all gradients, summed in float64
void scale_grads(const ParameterStore& store, double factor);

// On a GPU: the norm of all gradients and what scales them to a norm of at most `clip` (infinity: any), into *state.
void measure_gradient(const ParameterStore& store, double clip, GradientState* state);

// What step_numbers are, in order.
enum AdamNumbers {
  adam_step_size,       // lr / bias correction of the first moment
  adam_inv_sqrt_bias2,  // 1 / √(bias correction of the second moment)
  adam_decay            // what parameters are multiplied by: 1 − lr·weight_decay where that is decoupled
};
enum SgdNumbers {
  sgd_lr,
  sgd_momentum  // 0 in the first step
};

namespace kernels {
template <class T>
struct Adam {
  T *x, *m, *v;
  const T* g;
  int64_t n;
  double beta1, beta2, eps;
  double l2;              // times parameters, added to the gradient
  const double* numbers;  // AdamNumbers
  const GradientState* state = nullptr;
};
// Adam's update of one element, the same on every device (Kingma and Ba 2015, algorithm 1, with ε outside of the root
// of the corrected moment; Loshchilov and Hutter 2019 for `decoupled`).
template <class T>
struct AdamStep {
  T beta1, beta2, one_minus_beta1, one_minus_beta2, l2, decay, step_size, inv_sqrt_bias2, eps;

  SEQGRAD_HD static AdamStep of(const Adam<T>& k) {
    const auto as = [](double x) { return static_cast<T>(x); };
    return {as(k.beta1),
            as(k.beta2),
            as(1 - k.beta1),
            as(1 - k.beta2),
            as(k.l2),
            as(k.numbers[adam_decay]),
            as(k.numbers[adam_step_size]),
            as(k.numbers[adam_inv_sqrt_bias2]),
            as(k.eps)};
  }
  SEQGRAD_HD void update(T& x, T& m, T& v, T gradient) const {
    const T g = gradient + l2 * x;
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * g * g;
    x = x * decay - step_size * m / (std::sqrt(v) * inv_sqrt_bias2 + eps);
  }
};
template <class T>
struct Sgd {
  T *x, *m;
  const T* g;
  int64_t n;
  double momentum, decay;
  const double* numbers;  // SgdNumbers
  const GradientState* state = nullptr;
};
template <class T>
struct SumSquares {
  const T* x;
  int64_t n;
  double* sum;
};
template <class T>
struct MeasureGradient {
  const T* g;
  int64_t n;
  double clip;
  GradientState* state;
};
template <class T>
inline constinit Kernel<Adam<T>> adam{"adam"};
template <class T>
inline constinit Kernel<Sgd<T>> sgd{"sgd"};
template <class T>
inline constinit Kernel<SumSquares<T>> sum_squares{"sum_squares"};
template <class T>
inline constinit Kernel<MeasureGradient<T>> measure_gradient{"measure_gradient"};  // of GPUs
}  // namespace kernels

}  // namespace seqgrad
