// What ops, the tape and their parts refuse: each condition on its own, in words that name the op and the shapes.
#include <functional>

#include "engine/core/kernel.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/nn/parameters.h"
#include "engine/ops/attention.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/embedding.h"
#include "engine/ops/gru.h"
#include "engine/ops/last_states.h"
#include "engine/ops/matmul.h"
#include "engine/ops/reduce.h"
#include "engine/ops/softmax.h"
#include "engine/ops/view.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

Tensor f32(Shape shape) { return zeros(shape, DType::f32); }
Tensor f64(Shape shape) { return zeros(shape, DType::f64); }
Tensor ints(const std::vector<int32_t>& values) { return from_host(values, {static_cast<int64_t>(values.size())}); }

struct Refused {
  std::function<void()> call;
  std::string error;  // after the exit code 2
};

void check_all(const std::vector<Refused>& all) {
  for (const Refused& r : all) {
    CAPTURE(r.error);
    CHECK(error_of(r.call) == "2 " + r.error);
  }
}

}  // namespace

TEST_CASE("ops refuse what does not fit, by name and shape") {
  Tape::current().reset();
  const Tensor a = f32({2, 3}), b = f32({4, 5}), scalar = f32({}), vector = f32({3});
  check_all({
      {[&] { matmul(a, b); }, "matmul: float32 [2,3] and float32 [4,5] do not fit"},
      {[&] { matmul(a, a, true, true); }, "matmul: float32 [2,3] transposed and float32 [2,3] transposed do not fit"},
      {[&] { matmul(vector, b); }, "matmul: float32 [3] and float32 [4,5] do not fit"},
      {[&] { matmul(a, vector); }, "matmul: float32 [2,3] and float32 [3] do not fit"},
      {[&] {
         matmul(a, f64({3, 2}));
       },
       "matmul: float32 [2,3] and float64 [3,2] do not fit"},
      {[&] { linear(a, b); }, "linear: x float32 [2,3], w float32 [4,5] and bias [] do not fit"},
      {[&] { linear(a, vector); }, "linear: x float32 [2,3], w float32 [3] and bias [] do not fit"},
      {[&] { linear(scalar, b); }, "linear: x float32 [], w float32 [4,5] and bias [] do not fit"},
      {[&] {
         linear(a, f64({3, 2}));
       },
       "linear: x float32 [2,3], w float64 [3,2] and bias [] do not fit"},
      {[&] {
         linear(a, f32({3, 2}), f32({3}));
       },
       "linear: x float32 [2,3], w float32 [3,2] and bias [3] do not fit"},
      {[&] {
         linear(a, f32({3, 2}), f64({2}));
       },
       "linear: x float32 [2,3], w float32 [3,2] and bias [2] do not fit"},
      {[&] {
         batched_matmul(a, f32({2, 3, 4}));
       },
       "batched_matmul: float32 [2,3] and float32 [2,3,4] do not fit"},
      {[&] {
         batched_matmul(f32({2, 3, 4}), a);
       },
       "batched_matmul: float32 [2,3,4] and float32 [2,3] do not fit"},
      {[&] {
         batched_matmul(f32({2, 1, 3}), f64({2, 3, 1}));
       },
       "batched_matmul: float32 [2,1,3] and float64 [2,3,1] do not fit"},
      {[&] {
         batched_matmul(f32({2, 1, 3}), f32({4, 3, 1}));
       },
       "batched_matmul: float32 [2,1,3] and float32 [4,3,1] do not fit"},
      {[&] {
         batched_matmul(f32({2, 1, 3}), f32({2, 4, 1}));
       },
       "batched_matmul: float32 [2,1,3] and float32 [2,4,1] do not fit"},
      {[&] {
         add(a, f64({2, 3}));
       },
       "add: float32 [2,3] and float64 [2,3] do not fit; the second needs the first's dtype and its shape or last "
       "dimensions"},
      {[&] { mul(vector, a); },
       "mul: float32 [3] and float32 [2,3] do not fit; the second needs the first's dtype and its shape or last "
       "dimensions"},
      {[&] { add(a, f32({2})); },
       "add: float32 [2,3] and float32 [2] do not fit; the second needs the first's dtype and its shape or last "
       "dimensions"},
      {[&] {
         embedding(ints({0, 9}), b);
       },
       "embedding: id 9 is outside [0,4)"},
      {[&] {
         embedding(ints({0, -1}), b);
       },
       "embedding: id -1 is outside [0,4)"},
      {[&] { embedding(ints({0}), vector); }, "embedding: table is [3]; expected [V,E]"},
      {[&] { embedding(a, b); }, "expected a int32 tensor, got float32 [2,3]"},
      {[&] { dropout(a, 1.0, DropoutDraw{}, {}); }, "dropout: the rate must lie in [0,1), got 1"},
      {[&] { dropout(a, -0.5, DropoutDraw{}, {}); }, "dropout: the rate must lie in [0,1), got -0.5"},
      {[&] { dropout(vector, 0.5, DropoutDraw{}, {}); }, "dropout: x is [3]; expected [B,E] or [B,T,E]"},
      {[&] {
         softmax(a, ints({0, 9}));
       },
       "softmax: lengths[1]=9 is outside [0,3]"},
      {[&] {
         softmax(a, ints({-1, 0}));
       },
       "softmax: lengths[0]=-1 is outside [0,3]"},
      {[&] {
         softmax(a, ints({1, 2, 3}));
       },
       "softmax: 3 lengths for 2 rows"},
      {[&] { log_softmax(scalar); }, "log_softmax: a scalar has no last dimension"},
      {[&] { mean(f32({0})); }, "mean: [0] has no elements"},
      {[&] { tanh(ints({1})); }, "expected float32 or float64, got int32"},
      {[&] { tanh(zeros({1}, DType::i64)); }, "expected float32 or float64, got int64"},
      {[&] { tanh(zeros({1}, DType::u8)); }, "expected float32 or float64, got uint8"},
  });
}

TEST_CASE("a GRU and attention refuse each tensor and length that does not fit") {
  Tape::current().reset();
  const Tensor gx = f32({2, 3, 6}), w = f32({2, 6}), bias = f32({6}), h0 = f32({2, 2}), good = ints({3, 1});
  const Tensor query = f32({2, 4, 5}), keys = f32({2, 3, 5}), values = f32({2, 3, 7}), one = f32({2, 5});
  const auto gru_of = [=](const std::string& what, Shape shape) {
    return std::function<void()>([=] {
      const auto take = [&](const char* name, const Tensor& t) { return what == name ? f32(shape) : t; };
      gru(take("gx", gx), take("w", w), take("bias", bias), take("h0", h0), good);
    });
  };
  const auto attend = [=](const Tensor& k, const Tensor& v, const Tensor& lengths) {
    return std::function<void()>([=] { attention(query, k, v, lengths); });
  };
  check_all({
      {gru_of("gx", {2, 3}), "gru: gx is [2,3], w_hh is [2,6]; expected [B,T,3H] and [H,3H]"},
      {gru_of("w", {6}), "gru: gx is [2,3,6], w_hh is [6]; expected [B,T,3H] and [H,3H]"},
      {gru_of("gx", {2, 3, 5}), "gru: gx [2,3,5], w_hh [2,6], b_hh [6], h0 [2,2], lengths [2] do not fit"},
      {gru_of("w", {2, 5}), "gru: gx [2,3,6], w_hh [2,5], b_hh [6], h0 [2,2], lengths [2] do not fit"},
      {gru_of("bias", {5}), "gru: gx [2,3,6], w_hh [2,6], b_hh [5], h0 [2,2], lengths [2] do not fit"},
      {gru_of("h0", {1, 2}), "gru: gx [2,3,6], w_hh [2,6], b_hh [6], h0 [1,2], lengths [2] do not fit"},
      {[&] { gru(gx, w, bias, h0, ints({1})); },
       "gru: gx [2,3,6], w_hh [2,6], b_hh [6], h0 [2,2], lengths [1] do not fit"},
      {[&] {
         gru(gx, w, bias, h0, ints({0, 9}));
       },
       "gru: lengths[1]=9 is outside [0,3]"},
      {[&] {
         gru(gx, w, bias, h0, ints({-1, 3}));
       },
       "gru: lengths[0]=-1 is outside [0,3]"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {gx, w, bias, f32({1, 2})}, good);
       },
       "bidirectional_gru: gx [2,3,6], w_hh [2,6], b_hh [6], h0 [1,2], lengths [2] do not fit"},
      {[&] {
         bidirectional_gru({gx, w, f32({5}), {}}, {gx, w, bias, {}}, good);
       },
       "bidirectional_gru: gx [2,3,6], w_hh [2,6], b_hh [5], h0 none, lengths [2] do not fit"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {f32({2, 4, 6}), w, bias, {}}, good);
       },
       "bidirectional_gru: gx is [2,3,6] ahead and [2,4,6] back"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {f32({2, 3, 3}), f32({1, 3}), f32({3}), {}}, good);
       },
       "bidirectional_gru: gx is [2,3,6] ahead and [2,3,3] back"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {gx, w, bias, {}}, ints({1, 4}));
       },
       "bidirectional_gru: lengths[1]=4 is outside [0,3]"},
      {[&] { last_states(w, good, 1); },
       "last_states: [2,6] of 1 directions with lengths [2]; expected [B,T,D·H], D = 1 or 2, and [B]"},
      {[&] { last_states(keys, good, 2); },
       "last_states: [2,3,5] of 2 directions with lengths [2]; expected [B,T,D·H], D = 1 or 2, and [B]"},
      {[&] { last_states(gx, good, 3); },
       "last_states: [2,3,6] of 3 directions with lengths [2]; expected [B,T,D·H], D = 1 or 2, and [B]"},
      {[&] { last_states(gx, ints({1}), 2); },
       "last_states: [2,3,6] of 2 directions with lengths [1]; expected [B,T,D·H], D = 1 or 2, and [B]"},
      {[&] {
         last_states(gx, ints({-1, 1}), 2);
       },
       "last_states: lengths[0]=-1 is outside [0,3]"},
      {[&] {
         last_states(gx, ints({1, 4}), 2);
       },
       "last_states: lengths[1]=4 is outside [0,3]"},
      {[&] { attention(one, keys, values, good); }, "attention: query is [2,5]; expected [B,T,D]"},
      {attend(f32({2, 5}), values, good),
       "attention: query [2,4,5], keys [2,5], values [2,3,7], lengths [2] do not fit"},
      {attend(keys, f32({2, 3}), good), "attention: query [2,4,5], keys [2,3,5], values [2,3], lengths [2] do not fit"},
      {attend(f32({1, 3, 5}), values, good),
       "attention: query [2,4,5], keys [1,3,5], values [2,3,7], lengths [2] do not fit"},
      {attend(keys, f32({1, 3, 7}), good),
       "attention: query [2,4,5], keys [2,3,5], values [1,3,7], lengths [2] do not fit"},
      {attend(keys, f32({2, 4, 7}), good),
       "attention: query [2,4,5], keys [2,3,5], values [2,4,7], lengths [2] do not fit"},
      {attend(f32({2, 3, 6}), values, good),
       "attention: query [2,4,5], keys [2,3,6], values [2,3,7], lengths [2] do not fit"},
      {attend(keys, values, ints({1})),
       "attention: query [2,4,5], keys [2,3,5], values [2,3,7], lengths [1] do not fit"},
      {attend(keys, values, ints({4, 1})), "attention: lengths[0]=4 is outside [0,3]"},
      {attend(keys, values, ints({1, -1})), "attention: lengths[1]=-1 is outside [0,3]"},
      {[&] { additive_attention(query, keys, f32({5}), values, good); },
       "additive_attention: query [2,4,5] with v [5]; expected [B,D] and [D]"},
      {[&] { additive_attention(one, keys, f32({4}), values, good); },
       "additive_attention: query [2,5] with v [4]; expected [B,D] and [D]"},
      {[&] {
         additive_attention(one, keys, f32({5}), f32({2, 4, 7}), good);
       },
       "additive_attention: query [2,1,5], keys [2,3,5], values [2,4,7], lengths [2] do not fit"},
  });
}

TEST_CASE("views refuse what lies outside of the tensor") {
  Tape::current().reset();
  const Tensor a = f32({2, 3}), x = f32({2, 3, 4});
  check_all({
      {[&] { reshape(a, {5}); }, "reshape: [2,3] does not have the elements of [5]"},
      {[&] {
         concat(a, f32({4, 5}));
       },
       "concat: [2,3] and [4,5] differ before the last dimension"},
      {[&] { concat(f32({}), f32({})); }, "concat: [] and [] differ before the last dimension"},
      {[&] {
         concat(a, f64({2, 3}));
       },
       "concat: [2,3] and [2,3] differ before the last dimension"},
      {[&] { slice(a, 1, 4); }, "slice: [1,4) is outside the last dimension of [2,3]"},
      {[&] { slice(a, -1, 2); }, "slice: [-1,2) is outside the last dimension of [2,3]"},
      {[&] { slice(a, 2, 1); }, "slice: [2,1) is outside the last dimension of [2,3]"},
      {[&] { slice(f32({}), 0, 0); }, "slice: [0,0) is outside the last dimension of []"},
      {[&] { time_step(a, 0); }, "time_step: step 0 of [2,3]; expected [B,T,E]"},
      {[&] { time_step(x, 3); }, "time_step: step 3 of [2,3,4]; expected [B,T,E]"},
      {[&] { time_step(x, -1); }, "time_step: step -1 of [2,3,4]; expected [B,T,E]"},
      {[&] { stack_steps({}); }, "stack_steps: no steps"},
      {[&] {
         stack_steps({a, f32({2, 4})});
       },
       "stack_steps: step 1 is [2,4], the first is [2,3]"},
      {[&] { stack_steps({x}); }, "stack_steps: step 0 is [2,3,4], the first is [2,3,4]"},
  });
  CHECK(to_host<float>(slice(f32({2, 0}), 0, 0)).empty());
  CHECK(concat(f32({2, 0}), f32({2, 0})).shape == Shape{2, 0});
}

TEST_CASE("shapes, the tape and the arena refuse what would be wrong later") {
  Tape& tape = Tape::current();
  tape.reset();
  const Tensor a = variable(f64({2, 3})), constant = f64({2, 3});
  const Tensor y = scale(a, 2);
  Arena arena(Device::cpu);
  ParameterStore store(DType::f32, Device::cpu);
  store.add("w", {2}, {});
  check_all({
      {[&] {
         f32({1, 1, 1, 1, 1});
       },
       "a tensor has at most 4 dimensions"},
      {[&] {
         f32({2, -1});
       },
       "a dimension cannot be -1"},
      {[&] {
         from_host(std::vector<double>{1, 2}, {3});
       },
       "2 values do not fill a tensor of shape [3]"},
      {[&] { tape.backward(constant); }, "backward: the result does not depend on anything that requires a gradient"},
      {[&] { tape.backward(y); }, "backward: [2,3] needs an upstream gradient of the same shape and dtype"},
      {[&] {
         tape.backward(y, f64({3, 2}));
       },
       "backward: [2,3] needs an upstream gradient of the same shape and dtype"},
      {[&] {
         tape.backward(y, f32({2, 3}));
       },
       "backward: [2,3] needs an upstream gradient of the same shape and dtype"},
      {[&] { grad(constant); }, "grad: float64 [2,3] does not require a gradient"},
      {[&] { ArenaMark mark(Device::cpu); }, "ArenaMark: a recorded tensor could outlive it; use it under NoGrad"},
      {[&] { to_host<float>(constant); }, "expected a float32 tensor, got float64 [2,3]"},
      {[&] { set_threads(0); }, "threads: expected 1 to 1024, got 0"},
      {[&] { set_threads(1025); }, "threads: expected 1 to 1024, got 1025"},
      {[&] { store.add("w", {3}, {}); }, "parameter 'w' is declared twice"},
      {[&] {
         arena.allocate(10);
         arena.reserve(100);
       },
       "arena: reserve(100) while 64 bytes are in use"},
  });
  // With an upstream of the result's shape backward is its product with the Jacobian.
  tape.backward(y, from_host(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(to_host<double>(grad(a)) == std::vector<double>{2, 4, 6, 8, 10, 12});
}

TEST_CASE("a kernel that a device lacks is named") {
  const Kernel<int> none{"frobnicate"};
  CHECK(error_of([&] { none(Device::cpu, 0); }) == "3 frobnicate: no cpu kernel in this build");
  CHECK(error_of([&] { none(Device::cuda, 0); }) == "3 frobnicate: no cuda kernel in this build");
}
