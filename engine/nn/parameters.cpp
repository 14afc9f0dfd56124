// The store owns the only long-lived device memory of a model.
#include "engine/nn/parameters.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/core/random.h"

namespace seqgrad {
namespace {

constexpr int64_t alignment = 16;  // elements: each parameter begins on a cache line
constexpr int buffers = 4;

}  // namespace

ParameterStore::~ParameterStore() {
  if (memory_) backend(device_).release(memory_, static_cast<size_t>(buffers) * values().bytes());
  for (void* memory : partial_sums_)
    if (memory) backend(device_).release(memory, values().bytes());
}

Parameter& ParameterStore::add(const std::string& name, Shape shape, Init init, bool transposed) {
  if (find(name)) refuse("parameter '{}' is declared twice", name);
  Parameter& p = parameters_.emplace_back();
  p.name = name;
  p.shape = shape;
  p.transposed = transposed;
  p.init = init;
  p.offset = size_;
  size_ += (shape.numel() + alignment - 1) / alignment * alignment;
  return p;
}

void ParameterStore::allocate(uint64_t seed) {
  memory_ = backend(device_).allocate(static_cast<size_t>(buffers) * values().bytes());
  dispatch(dtype_, [&]<class T> {
    for (Parameter& p : parameters_) {
      p.tensor.exists = true;
      p.tensor.data = values().as<T>() + p.offset;
      p.tensor.shape = p.shape;
      p.tensor.dtype = dtype_;
      p.tensor.device = device_;
      p.slot.grad = grads().as<T>() + p.offset;
      p.slot.written = p.slot.saved = true;
      p.tensor.slot = &p.slot;
      if (p.init.kind == Init::Kind::zeros) continue;
      Random random(seed, XXH64(p.name.data(), p.name.size(), 0));
      const bool uniform = p.init.kind == Init::Kind::uniform;
      std::vector<double> v(static_cast<size_t>(p.shape.numel()));
      for (double& x : v) x = p.init.scale * (uniform ? 2 * random.uniform() - 1 : random.normal());
      if (p.init.zero_row >= 0) std::fill_n(v.begin() + p.init.zero_row * p.shape[-1], p.shape[-1], 0.0);
      const std::vector<T> typed(v.begin(), v.end());
      from_file(p, values(), typed.data());
    }
  });
}

Parameter* ParameterStore::find(const std::string& name) {
  for (Parameter& p : parameters_)
    if (p.name == name) return &p;
  return nullptr;
}

int64_t ParameterStore::count() const {
  int64_t n = 0;
  for (const Parameter& p : parameters_) n += p.shape.numel();
  return n;
}

Tensor ParameterStore::flat(int i) const {
  return buffer(static_cast<char*>(memory_) + static_cast<size_t>(i) * static_cast<size_t>(size_) * size_of(dtype_));
}

Tensor ParameterStore::buffer(void* memory) const {
  Tensor t;
  t.exists = true;
  t.data = memory;
  t.shape = {size_};
  t.dtype = dtype_;
  t.device = device_;
  return t;
}

Tensor ParameterStore::partial_sum(int i) {
  const auto at = static_cast<size_t>(i);
  if (partial_sums_.size() <= at) partial_sums_.resize(at + 1);
  if (!partial_sums_[at]) partial_sums_[at] = backend(device_).allocate(values().bytes());
  return buffer(partial_sums_[at]);
}

void ParameterStore::zero_grad() { backend(device_).zero(grads().data, grads().bytes()); }

template <class T>
std::vector<T> ParameterStore::to_file(const Parameter& p, const Tensor& buffer) const {
  std::vector<T> memory(static_cast<size_t>(p.shape.numel()));
  if (!memory.empty()) backend(device_).download(memory.data(), buffer.as<T>() + p.offset, memory.size() * sizeof(T));
  if (!p.transposed) return memory;
  const auto rows = static_cast<size_t>(p.shape[0]), columns = static_cast<size_t>(p.shape[1]);
  std::vector<T> out(memory.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) out[c * rows + r] = memory[r * columns + c];
  return out;
}

template <class T>
void ParameterStore::from_file(const Parameter& p, const Tensor& buffer, const T* data) {
  const auto n = static_cast<size_t>(p.shape.numel());
  std::vector<T> memory(data, data + n);
  if (p.transposed) {
    const auto rows = static_cast<size_t>(p.shape[0]), columns = static_cast<size_t>(p.shape[1]);
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c) memory[r * columns + c] = data[c * rows + r];
  }
  // Not in a step that is repeated: the place is this one.
  if (n > 0) backend(device_).upload(buffer.as<T>() + p.offset, memory.data(), n * sizeof(T));
}

template std::vector<float> ParameterStore::to_file<float>(const Parameter&, const Tensor&) const;
template std::vector<double> ParameterStore::to_file<double>(const Parameter&, const Tensor&) const;
template void ParameterStore::from_file<float>(const Parameter&, const Tensor&, const float*);
template void ParameterStore::from_file<double>(const Parameter&, const Tensor&, const double*);

uint64_t ParameterStore::digest() const {
  std::vector<char> bytes(static_cast<size_t>(size_) * size_of(dtype_));
  uint64_t hash = 0;
  for (const int i : {0, 2, 3}) {
    backend(device_).download(bytes.data(), flat(i).data, bytes.size());
    hash = XXH64(bytes.data(), bytes.size(), hash);
  }
  return hash;
}

}  // namespace seqgrad
