// The tape's one loop, and the life of gradients.
#include "engine/core/tape.h"

#include <algorithm>
#include <utility>

#include "engine/core/scratch.h"

namespace seqgrad {
// What a thread has for the ops that it runs.
static auto& this_thread() {
  thread_local struct {
    Tape own;
    Tape* current = &own;  // that of its innermost TapeScope
    Arena scratch{Device::cpu};
  } state;
  return state;
}

Tape::Tape() = default;

Tape::~Tape() {
  for (int d = 0; d < device_count; ++d)
    if (ones_[d]) backend(static_cast<Device>(d)).release(ones_[d], sizeof(Ones));
}

Tape& Tape::current() { return *this_thread().current; }

TapeScope::TapeScope() : outer_(std::exchange(this_thread().current, &tape_)) {}

TapeScope::~TapeScope() { this_thread().current = outer_; }

Scratch::Scratch() : arena_(this_thread().scratch), begin_(arena_.mark()) {}

Scratch::~Scratch() {
  arena_.rewind(begin_);
  if (begin_ == Arena::Mark{}) arena_.reset();
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
  for (const auto* arenas : {grads_, values_})
    for (int d = 0; d < device_count; ++d)
      if (arenas[d]) arenas[d]->reset();
  nodes_.reset();
  last_ = nullptr;
  recorded_ = 0;
  backwards_ = 0;
  parts_.clear();
  epoch_ = ++last_epoch_;
}

Tape::Extent Tape::extent(Device device) {
  const Arena &v = values(device), &g = grads(device);
  return {v.mark(), g.mark(), v.layout(), g.layout()};
}

void Tape::go_on_from(const Extent& extent, Device device) {
  if (const Extent now = this->extent(device);
      now.values_layout != extent.values_layout || now.grads_layout != extent.grads_layout)
    refuse("tape: its memory is another one by now");
  values(device).rewind(extent.values);
  grads(device).rewind(extent.grads);
  nodes_.reset();
  last_ = nullptr;
  recorded_ = 0;
  backwards_ = 0;
}

const void* Tape::one(DType dtype, Device device) {
  Ones*& ones = ones_[static_cast<int>(device)];
  if (!ones) {
    ones = static_cast<Ones*>(backend(device).allocate(sizeof(Ones)));
    const Ones values;
    backend(device).upload(ones, &values, sizeof values);
  }
  return dtype == DType::f64 ? static_cast<const void*>(&ones->f64) : &ones->f32;
}

uint64_t Tape::epoch(Device device) const {
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part)
    if (part->device == device) return part->epoch;
  return epoch_;
}

bool Tape::is_alive(uint64_t epoch) const {
  return epoch == 0 || epoch == epoch_ ||
         std::any_of(parts_.begin(), parts_.end(), [=](const Part& p) { return p.epoch == epoch; });
}

bool Tape::wants_grad(std::initializer_list<Tensor> inputs) const {
  if (!recording_) return false;
  for (const Tensor& x : inputs)
    if (x.requires_grad()) return true;
  return false;
}

GradSlot* Tape::new_slot() { return new (nodes_.allocate(sizeof(GradSlot))) GradSlot; }

Tape::Entry* Tape::push(Tensor& y, const Recorded& of, size_t bytes) {
  y.slot = new_slot();
  y.slot->saved = of.saves_result;
  for (const Tensor& x : of.saves)
    if (x.slot) x.slot->saved = true;
  last_ = new (nodes_.allocate(bytes)) Entry{last_, y, nullptr, nullptr, phases_.name()};
  ++recorded_;
  return last_;
}

void Tape::backward(const Tensor& y, const Tensor& upstream) {
  check_alive("backward", {y, upstream});
  if (!y.requires_grad()) refuse("backward: the result does not depend on anything that requires a gradient");
  if (upstream.defined() ? !(upstream.shape == y.shape && upstream.dtype == y.dtype) : y.numel() != 1)
    refuse("backward: {} needs an upstream gradient of the same shape and dtype", y.shape.str());
  if (backwards_ > 0)  // inner gradients begin anew, or the second pass would carry the first one's along
    for (const Entry* e = last_; e; e = e->previous) e->y.slot->written = false;
  ++backwards_;

  const Tensor dy = grad_target(y).tensor;
  one_ = nullptr;
  backend(y.device).copy(dy.data, upstream.defined() ? upstream.data : one(y.dtype, y.device), dy.bytes());
  if (!upstream.defined()) one_ = dy.data;
  const NoGrad guard;
  backward_states_.clear();
  for (const Entry* e = last_; e; e = e->previous) {
    if (!e->y.slot->written) continue;
    const Phase phase(e->phase, true);
    e->run(e->closure, grad(e->y));
  }
  for (const auto& state : backward_states_) state->end_backward();
}

Tensor Tape::empty(Shape shape, DType dtype, Device device) {
  Tensor t;
  t.shape = shape;
  t.dtype = dtype;
  t.device = device;
  t.epoch = epoch(device);
  t.exists = true;
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

GradTarget grad_target(const Tensor& x) {
  if (!x.slot) refuse("grad: {} {} does not require a gradient", name_of(x.dtype), x.shape.str());
  Tensor g = detach(x);
  if (!x.slot->grad) x.slot->grad = Tape::current().grads(x.device).allocate(x.bytes());
  g.data = x.slot->grad;
  return {g, std::exchange(x.slot->written, true)};
}

Tensor grad(const Tensor& x) {
  const GradTarget g = grad_target(x);
  if (!g.accumulate) backend(x.device).zero(g.tensor.data, g.tensor.bytes());
  return g.tensor;
}

Tensor variable(Tensor x) {
  Tape& tape = Tape::current();
  check_alive("variable", {x});
  x.slot = tape.new_slot();
  if (x.epoch == 0) x.epoch = tape.epoch_;  // its slot is of this step
  return x;
}

void check_alive(const char* op, const Tensor& x, const Tensor& other) {
  if (!Tape::current().is_alive(x.epoch))
    refuse("{}: a tensor of an earlier step ({}) was used; its memory has been given away", op, x.shape.str());
  if (x.slot && x.slot->consumed)
    refuse("{}: a tensor ({}) was used after an op overwrote it in place", op, x.shape.str());
  if (x.device != other.device)
    refuse("{}: one operand ({}) is on {}, another ({}) on {}; they must be on one device", op, other.shape.str(),
           name_of(other.device), x.shape.str(), name_of(x.device));
}

void check_alive(const char* op, std::initializer_list<Tensor> inputs) {
  const Tensor* first = nullptr;
  for (const Tensor& x : inputs)
    if (x.defined()) {
      if (!first) first = &x;
      check_alive(op, x, *first);
    }
}

Tensor empty(Shape shape, DType dtype, Device device) { return Tape::current().empty(shape, dtype, device); }

Tensor zeros(Shape shape, DType dtype, Device device) {
  const Tensor t = empty(shape, dtype, device);
  backend(device).zero(t.data, t.bytes());
  return t;
}

ArenaMark::ArenaMark(Device device)
    : tape_(Tape::current()), device_(device), mark_(tape_.values(device).mark()), epoch_(tape_.last_epoch_ + 1) {
  if (tape_.recording_) refuse("ArenaMark: a recorded tensor could outlive it; use it under NoGrad");
  tape_.parts_.push_back({++tape_.last_epoch_, device});
}

ArenaMark::~ArenaMark() {
  const auto is_this = [this](const Tape::Part& p) { return p.epoch == epoch_; };
  const auto part = std::find_if(tape_.parts_.begin(), tape_.parts_.end(), is_this);
  if (part == tape_.parts_.end()) return;  // a reset has given everything back meanwhile
  tape_.parts_.erase(part);
  tape_.values(device_).rewind(mark_);
}

}  // namespace seqgrad
