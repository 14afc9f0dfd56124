// Samples of elementwise ops, with results from other functions than theirs.
#include "engine/ops/elementwise.h"

#include <cmath>

#include "tests/support/op_samples.h"

using namespace seqgrad;

namespace {

// The range that numbers are drawn from, and the op by another function.
struct UnaryReference {
  double low, high;
  double (*f)(double);
};
struct BinaryReference {
  double low, high;
  double (*f)(double, double);
};

UnaryReference reference(Tanh) {
  return {-3, 3, [](double x) { return 1 - 2 / (std::exp(2 * x) + 1); }};
}
UnaryReference reference(Sigmoid) {
  return {-4, 4, [](double x) { return 0.5 + 0.5 * std::tanh(0.5 * x); }};
}
UnaryReference reference(Relu) {
  return {-2, 2, [](double x) { return 0.5 * (x + std::abs(x)); }};
}
UnaryReference reference(Exp) {
  return {-2, 2, [](double x) { return std::pow(2.718281828459045235, x); }};
}
UnaryReference reference(Log) {
  return {0.3, 3, [](double x) { return 2 * std::atanh((x - 1) / (x + 1)); }};
}
UnaryReference reference(Square) {
  return {-2, 2, [](double x) { return std::pow(x, 2); }};
}
UnaryReference reference(Negate) {
  return {-2, 2, [](double x) { return std::copysign(x, std::signbit(x) ? 1.0 : -1.0); }};
}
BinaryReference reference(Add) {
  return {-1, 1, [](double a, double b) { return std::fma(1.0, a, b); }};
}
BinaryReference reference(Sub) {
  return {-1, 1, [](double a, double b) { return std::fma(-1.0, b, a); }};
}
BinaryReference reference(Mul) {
  return {-1, 1, [](double a, double b) { return a / (1 / b); }};
}
BinaryReference reference(Div) {
  return {0.5, 2,
          [](double a, double b) { return std::copysign(std::exp2(std::log2(std::abs(a)) - std::log2(b)), a); }};
}

template <class Op>
bool add_unary() {
  const UnaryReference r = reference(Op{});
  const auto sample = [=](const char* label, Shape shape) {
    return OpSample{label,
                    {SampleInput::reals(shape, r.low, r.high)},
                    [](std::span<const Tensor> in) { return unary<Op>(in[0]); },
                    [=](const std::vector<Values>& in) {
                      Values y;
                      for (const double x : in[0]) y.push_back(r.f(x));
                      return y;
                    }};
  };
  return register_samples(Op::name, {sample("[5,7]", {5, 7}), sample("[0,3]", {0, 3})});
}

template <class Op>
bool add_binary() {
  const BinaryReference r = reference(Op{});
  const auto sample = [=](const char* label, Shape a, Shape b) {
    return OpSample{label,
                    {SampleInput::reals(a, r.low, r.high), SampleInput::reals(b, r.low, r.high)},
                    [](std::span<const Tensor> in) { return binary<Op>(in[0], in[1]); },
                    [=](const std::vector<Values>& in) {
                      Values y;
                      for (size_t i = 0; i < in[0].size(); ++i) y.push_back(r.f(in[0][i], in[1][i % in[1].size()]));
                      return y;
                    }};
  };
  return register_samples(Op::name, {sample("same shape", {4, 3}, {4, 3}), sample("bias", {2, 5, 3}, {3}),
                                     sample("two dimensions", {3, 2, 5}, {2, 5})});
}

template <class... Op>
bool add_all_unary(OpList<Op...>) {
  return (add_unary<Op>() && ...);
}
template <class... Op>
bool add_all_binary(OpList<Op...>) {
  return (add_binary<Op>() && ...);
}

const bool registered = add_all_unary(UnaryOps{}) && add_all_binary(BinaryOps{}) &&
                        register_samples("scale", {{"[3,4]",
                                                    {SampleInput::reals({3, 4})},
                                                    [](std::span<const Tensor> in) { return scale(in[0], -2.5); },
                                                    [](const std::vector<Values>& in) {
                                                      Values y;
                                                      for (const double x : in[0]) y.push_back(-2.5 * x);
                                                      return y;
                                                    }}});

}  // namespace
