// The tape's one loop, and the life of gradients.
#include "engine/core/tape.h"

#include <algorithm>

#include "engine/core/phases.h"

namespace seqgrad {

Tape::Tape() = default;

Tape& Tape::current() {
  thread_local Tape tape;
  return tape;
}

Arena& Tape::values(Device device) {
  auto& arena = values_[static_cast<int>(device)];
  if (!arena) arena = std::make_unique<Arena>(device);
  return *arena;
}

Arena& Tape::grads(Device device) {
  auto& arena = grads_[static_cast<int>(device)];
  if (!arena) arena = std::make_unique<Arena>(device);
  return *arena;
}

void Tape::reset() {
  for (const auto& arena : grads_)
    if (arena) {
      arena->zero_used();  // beyond what was used it still is zero, so that grad() never fills
      arena->reset();
    }
  for (const auto& arena : values_)
    if (arena) arena->reset();
  nodes_.reset();
  last_ = nullptr;
  recorded_ = 0;
  ran_backward_ = false;
  ++epoch_;
}

bool Tape::wants_grad(std::initializer_list<Tensor> inputs) const {
  if (!recording_) return false;
  for (const Tensor& x : inputs)
    if (x.requires_grad()) return true;
  return false;
}

GradSlot* Tape::new_slot() { return new (nodes_.allocate(sizeof(GradSlot))) GradSlot; }

Tape::Entry* Tape::push(Tensor& y, size_t closure_bytes) {
  y.slot = new_slot();
  last_ = new (nodes_.allocate(sizeof(Entry) + closure_bytes)) Entry{last_, y, nullptr, nullptr, Phase::current()};
  ++recorded_;
  return last_;
}

void Tape::backward(const Tensor& y, const Tensor& upstream) {
  check_alive("backward", {y});
  if (!y.requires_grad()) refuse("backward: the result does not depend on anything that requires a gradient");
  if (upstream.data ? !(upstream.shape == y.shape && upstream.dtype == y.dtype) : y.numel() != 1)
    refuse("backward: {} needs an upstream gradient of the same shape and dtype", y.shape.str());
  if (ran_backward_)  // inner gradients begin anew, or the second pass would carry the first one's along
    for (const Entry* e = last_; e; e = e->previous)
      if (e->y.slot->grad) backend(e->y.device).zero(e->y.slot->grad, e->y.bytes());
  ran_backward_ = true;

  Tensor dy = grad(y);
  one_ = nullptr;
  if (upstream.data) {
    backend(y.device).copy(dy.data, upstream.data, dy.bytes());
  } else {
    with_floating(y.dtype, [&](auto zero) {
      const decltype(zero) one = 1;
      one_ = dy.data = y.slot->grad = backend(y.device).upload(dy.data, &one, sizeof(one));
    });
  }
  const NoGrad guard;
  at_end_.clear();
  for (const Entry* e = last_; e; e = e->previous) {
    if (!e->y.slot->grad) continue;
    const Phase phase(e->phase, true);
    e->run(e->closure, grad(e->y));
  }
  for (const auto last : at_end_) last();
}

bool Tape::at_end(void (*last)()) {
  if (std::find(at_end_.begin(), at_end_.end(), last) != at_end_.end()) return false;
  at_end_.push_back(last);
  return true;
}

Tensor Tape::empty(Shape shape, DType dtype, Device device) {
  Tensor t;
  t.shape = shape;
  t.dtype = dtype;
  t.device = device;
  t.epoch = epoch_;
  t.data = values(device).allocate(t.bytes());
  return t;
}

void* Tape::scratch(size_t bytes, Device device) { return values(device).allocate(bytes); }

int64_t Tape::system_allocations() const {
  int64_t sum = nodes_.system_allocations();
  for (int d = 0; d < device_count; ++d)
    for (const Arena* a : {values_[d].get(), grads_[d].get()}) sum += a ? a->system_allocations() : 0;
  return sum;
}

size_t Tape::high_water() const {
  size_t sum = nodes_.high_water();
  for (int d = 0; d < device_count; ++d)
    for (const Arena* a : {values_[d].get(), grads_[d].get()}) sum += a ? a->high_water() : 0;
  return sum;
}

Tensor grad(const Tensor& x) {
  if (!x.slot) refuse("grad: {} {} does not require a gradient", name_of(x.dtype), x.shape.str());
  Tensor g = x;
  g.slot = nullptr;
  if (!x.slot->grad) x.slot->grad = Tape::current().grads(x.device).allocate(x.bytes());
  g.data = x.slot->grad;
  return g;
}

Tensor variable(Tensor x) {
  Tape& tape = Tape::current();
  x.slot = tape.new_slot();
  x.epoch = tape.epoch();
  return x;
}

void check_alive(const char* op, std::initializer_list<Tensor> inputs) {
  for (const Tensor& x : inputs) {
    if (x.epoch != 0 && x.epoch != Tape::current().epoch())
      refuse("{}: a tensor of an earlier step ({}) was used; its memory has been given away", op, x.shape.str());
    if (x.slot && x.slot->consumed)
      refuse("{}: a tensor ({}) was used after an op overwrote it in place", op, x.shape.str());
  }
}

Tensor empty(Shape shape, DType dtype, Device device) { return Tape::current().empty(shape, dtype, device); }

Tensor zeros(Shape shape, DType dtype, Device device) {
  const Tensor t = empty(shape, dtype, device);
  backend(device).zero(t.data, t.bytes());
  return t;
}

ArenaMark::ArenaMark(Device device) : arena_(Tape::current().values(device)), mark_(arena_.mark()) {
  if (Tape::current().recording_) refuse("ArenaMark: a recorded tensor could outlive it; use it under NoGrad");
}

}  // namespace seqgrad
