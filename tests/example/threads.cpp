// Threads of one program call at once; each must have the bits that it has alone.
#include <seqgrad/seqgrad.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

seqgrad::LossOutput<float> call(int caller) {
  const int64_t batch = 3 + caller, steps = 7, classes = 40 + 500 * caller;
  std::vector<float> logits;
  std::vector<int> targets, lengths;
  for (int64_t n = 0; n < batch * steps * classes; ++n) logits.push_back(static_cast<float>(3 * std::sin(n * 0.7)));
  for (int64_t n = 0; n < batch * steps; ++n) targets.push_back(static_cast<int>(n * 31 % classes));
  for (int64_t b = 0; b < batch; ++b) lengths.push_back(static_cast<int>(b % steps));
  const char* preset = caller % 2 ? "tf1.sequence_loss_by_example" : "torch.mean";
  return seqgrad::loss(logits, {batch, steps, classes}, targets,
                       {.lengths = lengths, .preset = preset, .smoothing = 0.1});
}

}  // namespace

int main() {
  constexpr int callers = 4, rounds = 10;
  std::vector<seqgrad::LossOutput<float>> alone;
  for (int i = 0; i < callers; ++i) alone.push_back(call(i));
  std::atomic<int> same = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) {
        const auto r = call(i);
        same += r.values == alone[i].values && r.d_logits == alone[i].d_logits;
      }
    });
  for (std::thread& t : threads) t.join();
  std::printf("%d of %d calls had the bits of a call alone\n", same.load(), callers * rounds);
  return same == callers * rounds ? 0 : 1;
}
