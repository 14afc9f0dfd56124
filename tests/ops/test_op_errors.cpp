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
      {[&] { matmul(a, b); }, "matmul: a float32 [2,3], b float32 [4,5]; expected a [M,K], b [K,N]"},
      {[&] { matmul(a, a, true, true); }, "matmul: a float32 [2,3], b float32 [2,3]; expected a [K,M], b [N,K]"},
      {[&] { matmul(vector, b); }, "matmul: a float32 [3], b float32 [4,5]; expected a [M,K], b [K,N]"},
      {[&] { matmul(a, vector); }, "matmul: a float32 [2,3], b float32 [3]; expected a [M,K], b [K,N]"},
      {[&] {
         matmul(a, f64({3, 2}));
       },
       "matmul: a float32 [2,3], b float64 [3,2]; expected a [M,K], b [K,N]; numbers all float32 or all float64"},
      {[&] { linear(a, b); },
       "linear: x float32 [2,3], w float32 [4,5], bias none; expected x [...,I], w [I,O], bias [O] or none"},
      {[&] { linear(a, vector); },
       "linear: x float32 [2,3], w float32 [3], bias none; expected x [...,I], w [I,O], bias [O] or none"},
      {[&] { linear(scalar, b); },
       "linear: x float32 [], w float32 [4,5], bias none; expected x [...,I], w [I,O], bias [O] or none"},
      {[&] {
         linear(a, f64({3, 2}));
       },
       "linear: x float32 [2,3], w float64 [3,2], bias none; expected x [...,I], w [I,O], bias [O] or none; numbers "
       "all float32 or all float64"},
      {[&] {
         linear(a, f32({3, 2}), f32({3}));
       },
       "linear: x float32 [2,3], w float32 [3,2], bias float32 [3]; expected x [...,I], w [I,O], bias [O] or none"},
      {[&] {
         linear(a, f32({3, 2}), f64({2}));
       },
       "linear: x float32 [2,3], w float32 [3,2], bias float64 [2]; expected x [...,I], w [I,O], bias [O] or none; "
       "numbers all float32 or all float64"},
      {[&] {
         batched_matmul(a, f32({2, 3, 4}));
       },
       "batched_matmul: a float32 [2,3], b float32 [2,3,4]; expected a [B,M,K], b [B,K,N]"},
      {[&] {
         batched_matmul(f32({2, 3, 4}), a);
       },
       "batched_matmul: a float32 [2,3,4], b float32 [2,3]; expected a [B,M,K], b [B,K,N]"},
      {[&] {
         batched_matmul(f32({2, 1, 3}), f64({2, 3, 1}));
       },
       "batched_matmul: a float32 [2,1,3], b float64 [2,3,1]; expected a [B,M,K], b [B,K,N]; numbers all float32 or "
       "all float64"},
      {[&] {
         batched_matmul(f32({2, 1, 3}), f32({4, 3, 1}));
       },
       "batched_matmul: a float32 [2,1,3], b float32 [4,3,1]; expected a [B,M,K], b [B,K,N]"},
      {[&] {
         batched_matmul(f32({2, 1, 3}), f32({2, 4, 1}));
       },
       "batched_matmul: a float32 [2,1,3], b float32 [2,4,1]; expected a [B,M,K], b [B,K,N]"},
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
      {[&] { embedding(ints({0}), vector); },
       "embedding: ids int32 [1], table float32 [3]; expected ids [...] i32, table [V,E]"},
      {[&] { embedding(a, b); },
       "embedding: ids float32 [2,3], table float32 [4,5]; expected ids [...] i32, table [V,E]; numbers all float32 or "
       "all float64"},
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
      {[&] { log_softmax(scalar); },
       "log_softmax: x float32 [], lengths none; expected x [...,N], lengths [...] i32 or none"},
      {[&] { mean(f32({0})); }, "mean: [0] has no elements"},
      {[&] { tanh(ints({1})); }, "tanh: x int32 [1]; expected x [...]; numbers all float32 or all float64"},
      {[&] { tanh(zeros({1}, DType::i64)); },
       "tanh: x int64 [1]; expected x [...]; numbers all float32 or all float64"},
      {[&] { tanh(zeros({1}, DType::u8)); }, "tanh: x uint8 [1]; expected x [...]; numbers all float32 or all float64"},
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
      {gru_of("gx", {2, 3}),
       "gru: gx float32 [2,3], w_hh float32 [2,6], b_hh float32 [6], h0 float32 [2,2], lengths int32 [2]; expected gx "
       "[B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {gru_of("w", {6}),
       "gru: gx float32 [2,3,6], w_hh float32 [6], b_hh float32 [6], h0 float32 [2,2], lengths int32 [2]; expected gx "
       "[B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {gru_of("gx", {2, 3, 5}),
       "gru: gx float32 [2,3,5], w_hh float32 [2,6], b_hh float32 [6], h0 float32 [2,2], lengths int32 [2]; expected "
       "gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {gru_of("w", {2, 5}),
       "gru: gx float32 [2,3,6], w_hh float32 [2,5], b_hh float32 [6], h0 float32 [2,2], lengths int32 [2]; expected "
       "gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {gru_of("bias", {5}),
       "gru: gx float32 [2,3,6], w_hh float32 [2,6], b_hh float32 [5], h0 float32 [2,2], lengths int32 [2]; expected "
       "gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {gru_of("h0", {1, 2}),
       "gru: gx float32 [2,3,6], w_hh float32 [2,6], b_hh float32 [6], h0 float32 [1,2], lengths int32 [2]; expected "
       "gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {[&] { gru(gx, w, bias, h0, ints({1})); },
       "gru: gx float32 [2,3,6], w_hh float32 [2,6], b_hh float32 [6], h0 float32 [2,2], lengths int32 [1]; expected "
       "gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
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
       "bidirectional_gru: gx float32 [2,3,6], reverse.gx float32 [2,3,6], reverse.w_hh float32 [2,6], reverse.b_hh "
       "float32 [6], reverse.h0 float32 [1,2]; expected gx [B,T,3H], reverse.gx [B,T,3H], reverse.w_hh [H,3H], "
       "reverse.b_hh [3H], reverse.h0 [B,H] or none"},
      {[&] {
         bidirectional_gru({gx, w, f32({5}), {}}, {gx, w, bias, {}}, good);
       },
       "bidirectional_gru: gx float32 [2,3,6], w_hh float32 [2,6], b_hh float32 [5], h0 none, lengths int32 [2]; "
       "expected gx [B,T,3H], w_hh [H,3H], b_hh [3H], h0 [B,H] or none, lengths [B] i32"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {f32({2, 4, 6}), w, bias, {}}, good);
       },
       "bidirectional_gru: gx float32 [2,3,6], reverse.gx float32 [2,4,6], reverse.w_hh float32 [2,6], reverse.b_hh "
       "float32 [6], reverse.h0 none; expected gx [B,T,3H], reverse.gx [B,T,3H], reverse.w_hh [H,3H], reverse.b_hh "
       "[3H], reverse.h0 [B,H] or none"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {f32({2, 3, 3}), f32({1, 3}), f32({3}), {}}, good);
       },
       "bidirectional_gru: gx float32 [2,3,6], reverse.gx float32 [2,3,3], reverse.w_hh float32 [1,3], reverse.b_hh "
       "float32 [3], reverse.h0 none; expected gx [B,T,3H], reverse.gx [B,T,3H], reverse.w_hh [H,3H], reverse.b_hh "
       "[3H], reverse.h0 [B,H] or none"},
      {[&] {
         bidirectional_gru({gx, w, bias, {}}, {gx, w, bias, {}}, ints({1, 4}));
       },
       "bidirectional_gru: lengths[1]=4 is outside [0,3]"},
      {[&] { last_states(w, good, 1); },
       "last_states: y float32 [2,6], lengths int32 [2]; expected y [B,T,H], lengths [B] i32"},
      {[&] { last_states(keys, good, 2); }, "last_states: y [2,3,5] of 2 directions; expected 1, or 2 of one width"},
      {[&] { last_states(gx, good, 3); }, "last_states: y [2,3,6] of 3 directions; expected 1, or 2 of one width"},
      {[&] { last_states(gx, ints({1}), 2); },
       "last_states: y float32 [2,3,6], lengths int32 [1]; expected y [B,T,H], lengths [B] i32"},
      {[&] {
         last_states(gx, ints({-1, 1}), 2);
       },
       "last_states: lengths[0]=-1 is outside [0,3]"},
      {[&] {
         last_states(gx, ints({1, 4}), 2);
       },
       "last_states: lengths[1]=4 is outside [0,3]"},
      {[&] { attention(one, keys, values, good); },
       "attention: query float32 [2,5], keys float32 [2,3,5], values float32 [2,3,7], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(f32({2, 5}), values, good),
       "attention: query float32 [2,4,5], keys float32 [2,5], values float32 [2,3,7], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(keys, f32({2, 3}), good),
       "attention: query float32 [2,4,5], keys float32 [2,3,5], values float32 [2,3], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(f32({1, 3, 5}), values, good),
       "attention: query float32 [2,4,5], keys float32 [1,3,5], values float32 [2,3,7], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(keys, f32({1, 3, 7}), good),
       "attention: query float32 [2,4,5], keys float32 [2,3,5], values float32 [1,3,7], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(keys, f32({2, 4, 7}), good),
       "attention: query float32 [2,4,5], keys float32 [2,3,5], values float32 [2,4,7], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(f32({2, 3, 6}), values, good),
       "attention: query float32 [2,4,5], keys float32 [2,3,6], values float32 [2,3,7], lengths int32 [2]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(keys, values, ints({1})),
       "attention: query float32 [2,4,5], keys float32 [2,3,5], values float32 [2,3,7], lengths int32 [1]; expected "
       "query [B,T,D], keys [B,S,D], values [B,S,C], lengths [B] i32"},
      {attend(keys, values, ints({4, 1})), "attention: lengths[0]=4 is outside [0,3]"},
      {attend(keys, values, ints({1, -1})), "attention: lengths[1]=-1 is outside [0,3]"},
      {[&] { additive_attention(query, keys, f32({5}), values, good); },
       "additive_attention: query float32 [2,4,5], keys float32 [2,3,5], v float32 [5], values float32 [2,3,7], "
       "lengths int32 [2]; expected query [B,D], keys [B,S,D], v [D], values [B,S,C], lengths [B] i32"},
      {[&] { additive_attention(one, keys, f32({4}), values, good); },
       "additive_attention: query float32 [2,5], keys float32 [2,3,5], v float32 [4], values float32 [2,3,7], lengths "
       "int32 [2]; expected query [B,D], keys [B,S,D], v [D], values [B,S,C], lengths [B] i32"},
      {[&] {
         additive_attention(one, keys, f32({5}), f32({2, 4, 7}), good);
       },
       "additive_attention: query float32 [2,5], keys float32 [2,3,5], v float32 [5], values float32 [2,4,7], lengths "
       "int32 [2]; expected query [B,D], keys [B,S,D], v [D], values [B,S,C], lengths [B] i32"},
      {[&] { attention(query, keys, values, good, nullptr, ints({0})); },
       "attention: query float32 [2,4,5], keys float32 [2,3,5], values float32 [2,3,7], lengths int32 [2], source_rows "
       "int32 [1]; expected query [B,T,D], keys [N,S,D], values [N,S,C], lengths [N] i32, source_rows [B] i32"},
      {[&] {
         attention(query, keys, values, good, nullptr, ints({0, 2}));
       },
       "attention: source_rows[1]=2 is no sentence of 2"},
      {[&] {
         additive_attention(one, keys, f32({5}), values, good, nullptr, ints({-1, 0}));
       },
       "additive_attention: source_rows[0]=-1 is no sentence of 2"},
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
      {[&] { concat(f32({}), f32({})); }, "concat: a float32 [], b float32 []; expected a [...,M], b [...,N]"},
      {[&] {
         concat(a, f64({2, 3}));
       },
       "concat: a float32 [2,3], b float64 [2,3]; expected a [...,M], b [...,N]; numbers all float32 or all float64"},
      {[&] { slice(a, 1, 4); }, "slice: [1,4) is outside the last dimension of [2,3]"},
      {[&] { slice(a, -1, 2); }, "slice: [-1,2) is outside the last dimension of [2,3]"},
      {[&] { slice(a, 2, 1); }, "slice: [2,1) is outside the last dimension of [2,3]"},
      {[&] { slice(f32({}), 0, 0); }, "slice: [0,0) is outside the last dimension of []"},
      {[&] { time_step(a, 0); }, "time_step: x float32 [2,3]; expected x [B,T,E]"},
      {[&] { time_step(x, 3); }, "time_step: x [2,3,4] has no step 3"},
      {[&] { time_step(x, -1); }, "time_step: x [2,3,4] has no step -1"},
      {[&] { stack_steps({}); }, "stack_steps: no steps"},
      {[&] {
         stack_steps({a, f32({2, 4})});
       },
       "stack_steps: the first step float32 [2,3], a step float32 [2,4]; expected the first step [B,E], a step [B,E]"},
      {[&] { stack_steps({x}); },
       "stack_steps: the first step float32 [2,3,4], a step float32 [2,3,4]; expected the first step [B,E], a step "
       "[B,E]"},
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
