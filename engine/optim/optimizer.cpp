// Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and SGD with momentum, one pass each.
#include "engine/optim/optimizer.h"

#include <cmath>
#include <numeric>

#include "engine/core/registry.h"
#include "engine/core/simd.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

constexpr int64_t block = 1 << 14;

template <class T>
SEQGRAD_SIMD void adam_range(const kernels::Adam<T>& k, int64_t begin, int64_t end) {
  const auto step = kernels::AdamStep<T>::of(k);
  SEQGRAD_IVDEP
  for (int64_t i = begin; i < end; ++i) step.update(k.x[i], k.m[i], k.v[i], k.g[i]);
}
template <class T>
void adam_cpu(const kernels::Adam<T>& k) {
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) { adam_range(k, begin, end); });
}

template <class T>
void sgd_cpu(const kernels::Sgd<T>& k) {
  const T lr = static_cast<T>(k.numbers[sgd_lr]), momentum = static_cast<T>(k.numbers[sgd_momentum]),
          decay = static_cast<T>(k.decay);
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T g = k.g[i] + decay * k.x[i];
      if (k.momentum != 0) g = k.m[i] = momentum != 0 ? momentum * k.m[i] + g : g;
      k.x[i] -= lr * g;
    }
  });
}

template <class T>
SEQGRAD_SIMD double squares_of(const T* x, int64_t n) {
  constexpr int64_t lanes = 32;
  double sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}
template <class T>
void sum_squares_cpu(const kernels::SumSquares<T>& k) {
  std::vector<double> parts(static_cast<size_t>((k.n + block - 1) / block));
  parallel_ranges(k.n, block, [&](int64_t begin, int64_t end) {
    parts[static_cast<size_t>(begin / block)] = squares_of(k.x + begin, end - begin);
  });
  *k.sum = std::accumulate(parts.begin(), parts.end(), 0.0);
}

template <bool decoupled>
std::vector<double> adam_numbers(const OptimOptions& o, int64_t step) {
  const double bias1 = 1 - std::pow(o.beta1, static_cast<double>(step)),
               bias2 = 1 - std::pow(o.beta2, static_cast<double>(step));
  return {o.lr / bias1, 1 / std::sqrt(bias2), decoupled ? 1 - o.lr * o.weight_decay : 1};
}
template <bool decoupled>
void adam(ParameterStore& store, const OptimOptions& o, const double* numbers) {
  dispatch(store.dtype(), [&]<class T> {
    kernels::adam<T>(store.device(),
                     {store.values().as<T>(), store.moment(0).as<T>(), store.moment(1).as<T>(), store.grads().as<T>(),
                      store.size(), o.beta1, o.beta2, o.eps, decoupled ? 0 : o.weight_decay, numbers, o.state});
  });
}

std::vector<double> sgd_numbers(const OptimOptions& o, int64_t step) { return {o.lr, step == 1 ? 0 : o.momentum}; }
void sgd(ParameterStore& store, const OptimOptions& o, const double* numbers) {
  dispatch(store.dtype(), [&]<class T> {
    kernels::sgd<T>(store.device(), {store.values().as<T>(), store.moment(0).as<T>(), store.grads().as<T>(),
                                     store.size(), o.momentum, o.weight_decay, numbers, o.state});
  });
}

std::map<std::string, Optimizer>& registry() {
  static std::map<std::string, Optimizer> all;
  return all;
}

template <class T>
bool install_kernels() {
  return install<Device::cpu>(kernels::adam<T>, adam_cpu<T>) && install<Device::cpu>(kernels::sgd<T>, sgd_cpu<T>) &&
         install<Device::cpu>(kernels::sum_squares<T>, sum_squares_cpu<T>);
}

const bool registered =
    install_kernels<float>() && install_kernels<double>() &&
    register_optimizer({"adam", "Adam; weight_decay is added to the gradient", adam_numbers<false>, adam<false>}) &&
    register_optimizer({"adamw", "Adam; weight_decay shrinks the parameters", adam_numbers<true>, adam<true>}) &&
    register_optimizer({"sgd", "gradient descent, with momentum if set", sgd_numbers, sgd});

}  // namespace

void Optimizer::operator()(ParameterStore& store, const OptimOptions& options, int64_t step) const {
  const std::vector<double> numbers = step_numbers(options, step);
  update(store, options, store.device() == Device::cpu ? numbers.data() : to_device<double>(numbers, store.device()));
}

const std::map<std::string, Optimizer>& optimizers() { return registry(); }
bool register_optimizer(const Optimizer& optimizer) {
  return register_once(registry(), "optimizer", optimizer.name, optimizer);
}

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const auto& [name, o] : registry()) names.push_back(name);
  return names;
}

double grad_norm(const ParameterStore& store) {
  double sum = 0;
  dispatch(store.dtype(), [&]<class T> {
    kernels::sum_squares<T>(store.device(), {store.grads().as<T>(), store.size(), &sum});
  });
  return std::sqrt(sum);
}

void scale_grads(const ParameterStore& store, double factor) {
  dispatch(store.dtype(), [&]<class T> {
    kernels::scale_in_place<T>(store.device(), {store.grads().as<T>(), store.size(), static_cast<T>(factor)});
  });
}

void measure_gradient(const ParameterStore& store, double clip, GradientState* state) {
  dispatch(store.dtype(), [&]<class T> {
    kernels::measure_gradient<T>(store.device(), {store.grads().as<T>(), store.size(), clip, state});
  });
}

}  // namespace seqgrad
