// One pass over each row.
#include "engine/ops/argmax.h"

#include <algorithm>
#include <cmath>

#include "engine/core/expect.h"
#include "engine/core/op_registry.h"

namespace seqgrad {
namespace {

template <class T>
void argmax_cpu(const kernels::Argmax<T>& k) {
  for (int64_t n = 0; n < k.rows; ++n) {
    if (k.given && k.given[n] >= 0) {
      k.y[n] = k.given[n];
      continue;
    }
    const T* x = k.x + n * k.classes;
    int64_t best = k.first;
    T top = -static_cast<T>(INFINITY);
    for (int64_t v = k.first; v < k.classes; ++v)
      if (x[v] > top) top = x[v], best = v;
    k.y[n] = static_cast<int32_t>(best);
  }
}

const bool registered = install<Device::cpu>(kernels::argmax<float>, argmax_cpu<float>) &&
                        install<Device::cpu>(kernels::argmax<double>, argmax_cpu<double>) &&
                        register_op({"argmax", "the index of the first maximum of a row"});

}  // namespace

Tensor argmax(const Tensor& x, int64_t first, const Tensor& given) {
  expect("argmax", {{"x", x, "[N,V]"}, {"given", given, "[N] i32?"}});
  if (first < 0 || first >= x.shape[1]) refuse("argmax: x {} has no class {}", x.shape.str(), first);
  Tensor y = empty({x.shape[0]}, DType::i32, x.device);
  dispatch(x.dtype, [&]<class T> {
    kernels::argmax<T>(x.device,
                       {x.as<T>(), given.as_or_null<int32_t>(), y.as<int32_t>(), x.shape[0], x.shape[1], first});
  });
  const int32_t most = static_cast<int32_t>(x.shape[1] - 1);
  if (!given.defined())
    y.bounds = {true, static_cast<int32_t>(first), most};
  else if (given.bounds.known)
    y.bounds = {true, 0, std::max(most, given.bounds.high)};
  return y;
}

}  // namespace seqgrad
