// The autograd tape: backward closures in the order of the forward pass, all in arenas that one reset rewinds.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "engine/core/arena.h"
#include "engine/core/phases.h"
#include "engine/core/tensor.h"

namespace seqgrad {

// What ops collect over one backward pass, for instance sums over time steps.
class BackwardState {
 public:
  virtual ~BackwardState() = default;
  virtual void end_backward() = 0;  // called when backward has passed the whole tape
};

class PreparedWeights;  // device/prepared_weights.h

class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  static Tape& current();  // this thread's tape, or that of its innermost TapeScope

  // Begins a step: forgets closures, activations and their gradients. Parameters and their gradients stay.
  void reset();

  // How far a step has come in the tape's memory of a device. Where two are equal, what is allocated next is at the
  // same address.
  struct Extent {
    Arena::Mark values, grads;
    uint64_t values_layout = 0, grads_layout = 0;
    bool operator==(const Extent&) const = default;
  };
  Extent extent(Device device);
  // Forgets what was recorded, and goes on from there: back, when nothing has been written beyond, or ahead, when the
  // device does by itself what once led there.
  void go_on_from(const Extent& extent, Device device);

  // Adds d(sum of y·upstream)/dx into grad(x) for every x that y was made from; without `upstream`, y is a scalar and
  // upstream 1. Calling it again adds the same once more.
  void backward(const Tensor& y, const Tensor& upstream = {});

  // While backward runs: its state of type S, which is made when it is first asked for.
  template <class S>
  S& backward_state() {
    for (const auto& state : backward_states_)
      if (S* found = dynamic_cast<S*>(state.get())) return *found;
    return static_cast<S&>(*backward_states_.emplace_back(std::make_unique<S>()));
  }

  // Whether dy is the gradient of 1 that this backward began with.
  bool began_with_one(const Tensor& dy) const { return dy.data && dy.data == one_; }

  struct Recorded {
    std::initializer_list<Tensor> inputs;      // of which y is a differentiable function
    std::initializer_list<Tensor> saves = {};  // what the closure reads: no loss overwrites those in place
    bool saves_result = false;                 // it reads y, too
  };
  // Makes y part of the graph when recording is on and an input wants a gradient. `closure(dy)` then writes or adds to
  // the gradient of each input that requires one: grad_target(x) where it writes all of it, grad(x) where it adds. The
  // closure holds handles and numbers only: it is never destroyed.
  template <class F>
  void record(Tensor& y, const Recorded& of, F closure) {
    static_assert(std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>);
    if (!wants_grad(of.inputs)) return;
    static_assert(alignof(F) <= Arena::alignment);
    constexpr size_t place = (sizeof(Entry) + alignof(F) - 1) / alignof(F) * alignof(F);  // behind the entry
    Entry* e = push(y, of, place + sizeof(F));
    e->closure = new (reinterpret_cast<char*>(e) + place) F(closure);
    e->run = [](const void* c, const Tensor& dy) { (*static_cast<const F*>(c))(dy); };
  }

  // For an op without a gradient: backward that reaches y throws "<op>: not differentiable". `op` is a literal.
  void record_not_differentiable(Tensor& y, std::initializer_list<Tensor> inputs, const char* op) {
    record(y, {.inputs = inputs}, [op](const Tensor&) { refuse("{}: not differentiable", op); });
  }

  bool wants_grad(std::initializer_list<Tensor> inputs) const;

  Tensor empty(Shape shape, DType dtype, Device device);  // contents unspecified
  void* scratch(size_t bytes, Device device);             // until the next reset (or the end of an ArenaMark)
  template <class T>
  T* scratch(int64_t count, Device device) {
    return static_cast<T*>(scratch(static_cast<size_t>(count) * sizeof(T), device));
  }

  // Of the products of this tape; fp32 from the start. A reset keeps it.
  MatmulPrecision matmul_precision() const { return matmul_precision_; }
  void set_matmul_precision(MatmulPrecision precision) { matmul_precision_ = precision; }
  // What the logits of a fused loss may take of a GPU's memory; 256 MiB from the start. A reset keeps it.
  int64_t logits_bytes() const { return logits_bytes_; }
  void set_logits_bytes(int64_t bytes) { logits_bytes_ = bytes; }
  // That products of this tape take their right factors from; null: none are prepared.
  PreparedWeights* prepared_weights() const { return prepared_weights_; }
  void set_prepared_weights(PreparedWeights* weights) { prepared_weights_ = weights; }

  PhaseClock& phases() { return phases_; }

  Arena& values(Device device);
  // What new tensors of a device carry: a number for this step, or for the innermost ArenaMark of that device.
  uint64_t epoch(Device device) const;
  bool is_alive(uint64_t epoch) const;              // whether the memory of tensors that carry it is still theirs
  int64_t backwards() const { return backwards_; }  // how often backward has begun since the last reset
  size_t recorded() const { return recorded_; }
  int64_t system_allocations() const;  // of all arenas, since the tape exists
  size_t high_water() const;           // bytes, of all arenas

 private:
  friend class NoGrad;
  friend class ArenaMark;
  friend struct GradTarget grad_target(const Tensor&);
  friend Tensor variable(Tensor);

  struct Entry {
    Entry* previous;
    Tensor y;
    const void* closure;
    void (*run)(const void*, const Tensor&);
    const char* phase;  // in which it was recorded
  };
  Entry* push(Tensor& y, const Recorded& of, size_t bytes);
  GradSlot* new_slot();
  Arena& grads(Device device);
  const void* one(DType dtype, Device device);  // a 1 in memory that outlives steps

  Arena nodes_{Device::cpu};  // entries, closures and slots, always on the host
  std::unique_ptr<Arena> values_[device_count], grads_[device_count];
  struct Ones {
    double f64 = 1;
    float f32 = 1;
  };
  Ones* ones_[device_count] = {};  // in memory of the device
  Entry* last_ = nullptr;
  struct Part {  // of the step: while an ArenaMark lives
    uint64_t epoch;
    Device device;
  };
  std::vector<Part> parts_;
  uint64_t epoch_ = 1, last_epoch_ = 1;
  int64_t backwards_ = 0;
  size_t recorded_ = 0;
  std::vector<std::unique_ptr<BackwardState>> backward_states_;
  const void* one_ = nullptr;  // while backward runs: where its upstream of 1 is, if it was given none
  bool recording_ = true;
  PhaseClock phases_;
  MatmulPrecision matmul_precision_ = MatmulPrecision::fp32;
  int64_t logits_bytes_ = int64_t{256} << 20;
  PreparedWeights* prepared_weights_ = nullptr;
};

// The gradient of x, which must require one, for whoever writes every element of it: where `accumulate`, others have
// written theirs, and it must be added; else the contents are unspecified.
struct GradTarget {
  Tensor tensor;
  bool accumulate;
};
GradTarget grad_target(const Tensor& x);

// The gradient of x, for whoever reads it or adds to some of it: zeros where nobody has written it.
Tensor grad(const Tensor& x);

// The same data as a leaf whose gradient is wanted (tests, gradient checks); it lives until the next reset.
Tensor variable(Tensor x);

// The same data with no way back: gradients stop here, by the caller's word.
inline Tensor detach(Tensor x) {
  x.slot = nullptr;
  return x;
}

// Throws when x is not of this step any more, or was overwritten in place, or is not on the device of `other`. Ops
// call it by expect().
void check_alive(const char* op, const Tensor& x, const Tensor& other);
// Of all of them, but those that are absent.
void check_alive(const char* op, std::initializer_list<Tensor> inputs);

// A copy of the values in memory of the current tape.
template <class T>
T* to_device(std::span<const T> values, Device device) {
  T* copy = Tape::current().scratch<T>(static_cast<int64_t>(values.size()), device);
  backend(device).upload(copy, values.data(), values.size_bytes());
  return copy;
}

// A tensor of the current tape with the given host values.
template <class T>
Tensor from_host(std::span<const T> values, Shape shape, Device device = Device::cpu) {
  if (static_cast<int64_t>(values.size()) != shape.numel())
    refuse("{} values do not fill a tensor of shape {}", values.size(), shape.str());
  Tensor t = Tape::current().empty(shape, dtype_of<T>, device);
  if (values.empty()) return t;
  backend(device).upload(t.data, values.data(), t.bytes());
  if constexpr (std::is_same_v<T, int32_t>) t.bounds = bounds_of(values);
  return t;
}
template <class T>
Tensor from_host(const std::vector<T>& values, Shape shape, Device device = Device::cpu) {
  return from_host(std::span<const T>(values), shape, device);
}

Tensor empty(Shape shape, DType dtype, Device device = Device::cpu);
Tensor zeros(Shape shape, DType dtype, Device device = Device::cpu);
inline Tensor empty_like(const Tensor& x) { return empty(x.shape, x.dtype, x.device); }

// While it lives, this thread has another tape: whoever calls may be in the middle of a step. Its memory goes with it.
class TapeScope {
 public:
  TapeScope();
  ~TapeScope();
  TapeScope(const TapeScope&) = delete;
  TapeScope& operator=(const TapeScope&) = delete;

 private:
  Tape tape_;
  Tape* const outer_;
};

// While it lives, nothing is recorded.
class NoGrad {
 public:
  NoGrad() : tape_(Tape::current()), was_recording_(tape_.recording_) { tape_.recording_ = false; }
  ~NoGrad() { tape_.recording_ = was_recording_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Tape& tape_;
  bool was_recording_;
};

// Gives back, at its end, all value memory of a device taken during its life (decoding loops): tensors made meanwhile
// are refused from then on. Only under NoGrad.
class ArenaMark {
 public:
  explicit ArenaMark(Device device);
  ~ArenaMark();
  ArenaMark(const ArenaMark&) = delete;
  ArenaMark& operator=(const ArenaMark&) = delete;

 private:
  Tape& tape_;
  Device device_;
  Arena::Mark mark_;
  uint64_t epoch_;
};

}  // namespace seqgrad
