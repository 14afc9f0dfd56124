// Processes hand each other bytes; all additions are made here, in the order of the tree.
#include "engine/nn/process_sum.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/ops/elementwise.h"

namespace seqgrad {
namespace {

constexpr int64_t slice_step = 16;  // elements: slices begin on cache lines, as parameters do

template <class T>
struct Slices {
  int64_t elements;
  int count;

  int64_t begin(int i) const { return elements / slice_step * i / count * slice_step; }
  int64_t size(int i) const { return (i + 1 == count ? elements : begin(i + 1)) - begin(i); }
  std::span<T> of(T* buffer, int i) const { return {buffer + begin(i), static_cast<size_t>(size(i))}; }
};

// The sum of a node in the memory of its first leaf, from those of all nodes that processes have formed.
template <class T>
T* add_nodes(ShardRange node, const std::map<std::pair<int64_t, int64_t>, T*>& formed, int64_t elements) {
  if (const auto found = formed.find({node.first, node.last}); found != formed.end()) return found->second;
  const auto [left, right] = halves(node);
  T* const to = add_nodes(left, formed, elements);
  kernels::axpy<T>(Device::cpu, {T{1}, add_nodes(right, formed, elements), to, elements, true});
  return to;
}

}  // namespace

void ProcessSum::operator()(ParameterStore& store, int64_t shards) {
  if (processes_.count() == 1) return;
  dispatch(store.dtype(), [&]<class T> { sum<T>(store, shards); });
}

template <class T>
void ProcessSum::sum(ParameterStore& store, int64_t shards) {
  const int me = processes_.rank(), count = processes_.count();
  const Slices<T> slices{store.size(), count};
  const auto range = [&](int rank) { return shards_of_process(shards, rank, count); };
  const auto nodes = [&](int rank) { return own_nodes(shards, range(rank)); };
  const bool on_host = store.device() == Device::cpu;
  std::vector<std::vector<T>> copies;  // of a GPU's sums
  const auto host = [&](const Tensor& x) { return on_host ? x.as<T>() : copies.emplace_back(to_host<T>(x)).data(); };
  T* const grads = host(store.grads());              // where the sum goes
  std::map<std::pair<int64_t, int64_t>, T*> formed;  // my slice of each node
  std::vector<Outgoing> mine;
  for (const ShardRange& node : nodes(me)) {
    T* const sum = node.last == range(me).last ? grads : host(node_sum(store, node, shards, range(me)));
    formed[{node.first, node.last}] = slices.of(sum, me).data();
    for (int rank = 0; rank < count; ++rank)
      if (rank != me) mine.push_back({rank, std::as_bytes(slices.of(sum, rank))});
  }
  std::vector<std::pair<int, ShardRange>> others;
  for (int rank = 0; rank < count; ++rank)
    for (const ShardRange& node : nodes(rank))
      if (rank != me) others.emplace_back(rank, node);
  const auto bytes = static_cast<size_t>(slices.size(me)) * sizeof(T);
  received_.resize(std::max(received_.size(), others.size() * bytes));
  std::vector<Incoming> wanted;
  for (const auto& [rank, node] : others) {
    std::byte* const to = received_.data() + wanted.size() * bytes;
    formed[{node.first, node.last}] = reinterpret_cast<T*>(to);
    wanted.push_back({rank, {to, bytes}});
  }
  processes_.exchange(mine, wanted);
  const std::span<T> summed = slices.of(grads, me);
  if (const T* from = add_nodes<T>({0, shards}, formed, slices.size(me)); from != summed.data())
    std::copy_n(from, summed.size(), summed.data());
  mine.clear(), wanted.clear();
  for (int rank = 0; rank < count; ++rank) {
    if (rank == me) continue;
    mine.push_back({rank, std::as_bytes(summed)});
    wanted.push_back({rank, std::as_writable_bytes(slices.of(grads, rank))});
  }
  processes_.exchange(mine, wanted);
  if (!on_host) backend(store.device()).upload(store.grads().data, grads, store.grads().bytes());
}

}  // namespace seqgrad
