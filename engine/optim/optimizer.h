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

// One update in place; `step` counts from 1. Formulas and order of operations as in torch.optim.
struct Optimizer {
  const char* name;
  const char* doc;
  void (*update)(ParameterStore&, const OptimOptions&, int64_t step);
};

const std::map<std::string, Optimizer>& optimizers();
bool register_optimizer(const Optimizer& optimizer);
std::vector<std::string> optimizer_names();

double grad_norm(const ParameterStore& store);  // Euclidean norm of all gradients, summed in float64
void scale_grads(const ParameterStore& store, double factor);

// On a GPU: the norm of all gradients and what scales them to a norm of at most `clip` (infinity: any), into *state.
void measure_gradient(const ParameterStore& store, double clip, GradientState* state);

namespace kernels {
template <class T>
struct Adam {
  T *x, *m, *v;
  const T* g;
  int64_t n;
  double lr, beta1, beta2, eps, decay, correction1, correction2;
  bool decoupled;
  const GradientState* state = nullptr;
};
// Adam's update of one element, the same on every device (Kingma and Ba 2015, algorithm 1, with ε outside of the root
// of the corrected moment; Loshchilov and Hutter 2019 for `decoupled`).
template <class T>
struct AdamStep {
  T beta1, beta2, one_minus_beta1, one_minus_beta2, l2, decay, step_size, inv_sqrt_bias2, eps;

  static AdamStep of(const Adam<T>& k) {
    const auto as = [](double x) { return static_cast<T>(x); };
    return {as(k.beta1),
            as(k.beta2),
            as(1 - k.beta1),
            as(1 - k.beta2),
            as(k.decoupled ? 0 : k.decay),
            as(k.decoupled ? 1 - k.lr * k.decay : 1),
            as(k.lr / k.correction1),
            as(1 / std::sqrt(k.correction2)),
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
  double lr, momentum, decay;
  bool first;
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
