// Sums of gradients over shards and processes: the bits of one tree, whoever computes which of its leaves.
#include <cmath>

#include "engine/comm/comm_threads.h"
#include "engine/core/random.h"
#include "engine/nn/process_sum.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace seqgrad;

namespace {

// Numbers over 20 binades and both signs, so that another order of additions gives other bits; among them zeros.
template <class T>
std::vector<T> drawn(uint64_t seed, int64_t count) {
  Random random(seed, 0);
  std::vector<T> out;
  for (int64_t i = 0; i < count; ++i)
    out.push_back(i % 17 == 3 ? T{0} : static_cast<T>(std::ldexp(random.normal(), static_cast<int>(random.below(20)))));
  return out;
}

template <class T>
std::vector<T> tree_sum(const std::vector<std::vector<T>>& shards, size_t first, size_t last) {
  if (last - first == 1) return shards[first];
  size_t half = 1;
  while (2 * half < last - first) half *= 2;
  std::vector<T> sum = tree_sum(shards, first, first + half);
  const std::vector<T> right = tree_sum(shards, first + half, last);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += right[i];
  return sum;
}

template <class T>
void check_sums(uint64_t seed, int64_t numbers, int64_t shards, int processes, Device device) {
  std::vector<std::vector<T>> of_shards;
  std::vector<std::vector<T>> got(static_cast<size_t>(processes));
  run_as_processes(processes, [&](Processes& p) {
    ParameterStore store(dtype_of<T>, device);
    store.add("x", {numbers}, Init::zeros());
    store.allocate(1);
    ProcessSum sum(p);
    const ShardRange mine = shards_of_process(shards, p.rank(), processes);
    for (int step = 0; step < 2; ++step) {  // what one leaves behind is of no use to the next
      for (int64_t i = mine.first; i < mine.last; ++i) {
        store.zero_grad();
        const auto x = drawn<T>(seed + 100 * static_cast<uint64_t>(i), numbers);
        backend(device).upload(store.grads().data, x.data(), x.size() * sizeof(T));
        add_shard(store, i, shards, mine);
      }
      sum(store, shards);
    }
    got[static_cast<size_t>(p.rank())] = to_host<T>(store.grads().template as<T>(), numbers, device);
  });
  for (int64_t i = 0; i < shards; ++i) of_shards.push_back(drawn<T>(seed + 100 * static_cast<uint64_t>(i), numbers));
  const auto want = tree_sum(of_shards, 0, of_shards.size());
  CAPTURE(seed, numbers, shards, processes, test_name_of(device));
  for (const auto& of_rank : got) CHECK(of_rank == want);
}

}  // namespace

TEST_CASE("whoever computes which shards, the sum has the bits of one tree") {
  uint64_t seed = 1;
  for (int processes = 1; processes <= 5; ++processes)
    for (int64_t shards = 1; shards <= 9; ++shards) {  // fewer than processes, too: a short last step has so few
      check_sums<float>(++seed, 1003, shards, processes, Device::cpu);
      check_sums<double>(++seed, 40, shards, processes, Device::cpu);
    }
  check_sums<float>(++seed, 5, 6, 4, Device::cpu);  // less than a slice each
  for (const int64_t shards : {13, 64}) check_sums<float>(++seed, 1003, shards, 3, Device::cpu);
  check_sums<float>(++seed, 1003, 7, 3, Device::cuda);
}

TEST_CASE("the order matters for these numbers: a chain has other bits than the tree") {
  std::vector<std::vector<float>> shards;
  for (uint64_t i = 0; i < 4; ++i) shards.push_back(drawn<float>(1 + 100 * i, 1003));
  std::vector<float> chain = shards[0];
  for (size_t s = 1; s < 4; ++s)
    for (size_t i = 0; i < chain.size(); ++i) chain[i] += shards[s][i];
  CHECK(chain != tree_sum(shards, 0, 4));
}

TEST_CASE("processes have runs of shards, as many as the others or one more, and the largest nodes in them") {
  CHECK(shards_of_process(7, 0, 3) == ShardRange{0, 2});
  CHECK(shards_of_process(7, 1, 3) == ShardRange{2, 4});
  CHECK(shards_of_process(7, 2, 3) == ShardRange{4, 7});
  CHECK(own_nodes(7, {4, 7}) == std::vector<ShardRange>{{4, 7}});
  CHECK(own_nodes(8, {1, 7}) == std::vector<ShardRange>{{1, 2}, {2, 4}, {4, 6}, {6, 7}});
  CHECK(own_nodes(6, {0, 6}) == std::vector<ShardRange>{{0, 6}});
  CHECK(own_nodes(6, {3, 3}).empty());
  for (const auto& [shards, sums] : {std::pair{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {64, 6}})
    CHECK(most_waiting_sums(shards) == sums);
}
