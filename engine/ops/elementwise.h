// Elementwise ops: a struct with f and df and a place in the list is all that an op needs; loops, gradients, registry
// entry and test follow from it.
#pragma once
#include "engine/core/host_device.h"
#include "engine/core/kernel.h"
#include "engine/core/tape.h"
#include "engine/ops/vector_math.h"

namespace seqgrad {

// y = f(x); df(x, y) = dy/dx.
struct Tanh {
  static constexpr const char* name = "tanh";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return fast_tanh(x);
  }
  template <class T>
  SEQGRAD_HD static T df(T, T y) {
    return 1 - y * y;
  }
};
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return fast_sigmoid(x);
  }
  template <class T>
  SEQGRAD_HD static T df(T, T y) {
    return y * (1 - y);
  }
};
struct Relu {
  static constexpr const char* name = "relu";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return x > 0 ? x : 0;
  }
  template <class T>
  SEQGRAD_HD static T df(T x, T) {
    return x > 0 ? 1 : 0;
  }
};
struct Exp {
  static constexpr const char* name = "exp";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return fast_exp(x);
  }
  template <class T>
  SEQGRAD_HD static T df(T, T y) {
    return y;
  }
};
struct Log {
  static constexpr const char* name = "log";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return std::log(x);
  }
  template <class T>
  SEQGRAD_HD static T df(T x, T) {
    return 1 / x;
  }
};
struct Square {
  static constexpr const char* name = "square";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return x * x;
  }
  template <class T>
  SEQGRAD_HD static T df(T x, T) {
    return 2 * x;
  }
};
struct Negate {
  static constexpr const char* name = "negate";
  template <class T>
  SEQGRAD_HD static T f(T x) {
    return -x;
  }
  template <class T>
  SEQGRAD_HD static T df(T, T) {
    return -1;
  }
};

// y = f(a, b); da and db are its partial derivatives. b has a's shape, or the last dimensions of it (a bias).
struct Add {
  static constexpr const char* name = "add";
  template <class T>
  SEQGRAD_HD static T f(T a, T b) {
    return a + b;
  }
  template <class T>
  SEQGRAD_HD static T da(T, T) {
    return 1;
  }
  template <class T>
  SEQGRAD_HD static T db(T, T) {
    return 1;
  }
};
struct Sub {
  static constexpr const char* name = "sub";
  template <class T>
  SEQGRAD_HD static T f(T a, T b) {
    return a - b;
  }
  template <class T>
  SEQGRAD_HD static T da(T, T) {
    return 1;
  }
  template <class T>
  SEQGRAD_HD static T db(T, T) {
    return -1;
  }
};
struct Mul {
  static constexpr const char* name = "mul";
  template <class T>
  SEQGRAD_HD static T f(T a, T b) {
    return a * b;
  }
  template <class T>
  SEQGRAD_HD static T da(T, T b) {
    return b;
  }
  template <class T>
  SEQGRAD_HD static T db(T a, T) {
    return a;
  }
};
struct Div {
  static constexpr const char* name = "div";
  template <class T>
  SEQGRAD_HD static T f(T a, T b) {
    return a / b;
  }
  template <class T>
  SEQGRAD_HD static T da(T, T b) {
    return 1 / b;
  }
  template <class T>
  SEQGRAD_HD static T db(T a, T b) {
    return -a / (b * b);
  }
};

template <class... Op>
struct OpList {};
using UnaryOps = OpList<Tanh, Sigmoid, Relu, Exp, Log, Square, Negate>;
using BinaryOps = OpList<Add, Sub, Mul, Div>;

template <class Op>
Tensor unary(const Tensor& x);
template <class Op>
Tensor binary(const Tensor& a, const Tensor& b);

inline Tensor tanh(const Tensor& x) { return unary<Tanh>(x); }
inline Tensor sigmoid(const Tensor& x) { return unary<Sigmoid>(x); }
inline Tensor relu(const Tensor& x) { return unary<Relu>(x); }
inline Tensor exp(const Tensor& x) { return unary<Exp>(x); }
inline Tensor log(const Tensor& x) { return unary<Log>(x); }
inline Tensor square(const Tensor& x) { return unary<Square>(x); }
inline Tensor negate(const Tensor& x) { return unary<Negate>(x); }
inline Tensor add(const Tensor& a, const Tensor& b) { return binary<Add>(a, b); }
inline Tensor sub(const Tensor& a, const Tensor& b) { return binary<Sub>(a, b); }
inline Tensor mul(const Tensor& a, const Tensor& b) { return binary<Mul>(a, b); }
inline Tensor div(const Tensor& a, const Tensor& b) { return binary<Div>(a, b); }

Tensor scale(const Tensor& x, double factor);  // factor·x

namespace kernels {
template <class T>
struct Unary {
  const T* x;
  T* y;
  int64_t n;
};
template <class T>
struct UnaryGrad {
  const T *x, *y, *dy;
  T* dx;
  int64_t n;
};  // dx = dy·df
template <class T>
struct Binary {
  const T *a, *b;
  T* y;
  int64_t outer, inner;
};  // a, y [outer,inner]; b [inner]
template <class T>
struct BinaryGrad {
  const T *a, *b, *dy;
  T *da, *db;  // written; null: not wanted
  int64_t outer, inner;
};
template <class T>
struct Axpy {
  T a;
  const T* x;
  T* y;
  int64_t n;
  bool accumulate;
};  // y = a·x, or y += a·x; where x is 0 that is 0 whatever a is: rows that a loss leaves out have no gradient (P1)
template <class T>
struct ScaleInPlace {
  T* x;
  int64_t n;
  T factor;
};  // x = factor·x, but +0 where x is 0
template <class T, class Op>
inline constinit Kernel<Unary<T>> unary{Op::name};
template <class T, class Op>
inline constinit Kernel<UnaryGrad<T>> unary_grad{Op::name};
template <class T, class Op>
inline constinit Kernel<Binary<T>> binary{Op::name};
template <class T, class Op>
inline constinit Kernel<BinaryGrad<T>> binary_grad{Op::name};
template <class T>
inline constinit Kernel<Axpy<T>> axpy{"axpy"};
template <class T>
inline constinit Kernel<ScaleInPlace<T>> scale_in_place{"scale_in_place"};
}  // namespace kernels

}  // namespace seqgrad
