// Both directions of a GRU layer at once: the numbers and gradients of each alone, whatever they share or lack.
#include <numeric>

#include "engine/core/random.h"
#include "engine/core/thread_pool.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/gru.h"
#include "engine/ops/last_states.h"
#include "engine/ops/reduce.h"
#include "engine/ops/sentence_blocks.h"
#include "engine/ops/view.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace seqgrad;

namespace {

constexpr int64_t inputs = 4;  // of a direction: gx, w, b, h0

struct Layer {
  int64_t batch = 37, steps = 5, h = 9;
  std::vector<int32_t> lengths = {};  // random ones
  std::vector<int> shared = {},
                   without = {};  // inputs of the second direction that are the first's; of both: no gradient
  bool h0 = true, weights_back_first = false;
};

// y and the gradients of all inputs that have one.
template <class T>
std::vector<std::vector<T>> run(const Layer& l, Device device, bool together) {
  Tape::current().reset();
  Random random(41, 0);
  const Shape shapes[inputs] = {{l.batch, l.steps, 3 * l.h}, {l.h, 3 * l.h}, {3 * l.h}, {l.batch, l.h}};
  const auto has = [](const std::vector<int>& all, int64_t i) {
    return std::find(all.begin(), all.end(), static_cast<int>(i)) != all.end();
  };
  std::vector<Tensor> all(2 * inputs);
  for (int64_t n = 0; n < 2 * inputs; ++n) {
    const int64_t at = l.weights_back_first ? (n + inputs) % (2 * inputs) : n, i = at % inputs;
    if (i == 3 && !l.h0) continue;
    std::vector<T> x(static_cast<size_t>(shapes[i].numel()));
    for (T& v : x) v = static_cast<T>(2 * random.uniform() - 1);
    const Tensor t = from_host(x, shapes[i], device);
    all[static_cast<size_t>(at)] = has(l.without, i) ? t : variable(t);
  }
  for (const int i : l.shared) all[static_cast<size_t>(inputs + i)] = all[static_cast<size_t>(i)];
  std::vector<int32_t> lengths = l.lengths;
  while (static_cast<int64_t>(lengths.size()) < l.batch)
    lengths.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(l.steps + 1))));
  const Tensor n = from_host(lengths, {l.batch}, device);
  Tensor y;
  if (together) {
    y = bidirectional_gru({all[0], all[1], all[2], all[3]}, {all[4], all[5], all[6], all[7]}, n);
  } else {
    const Tensor ahead = gru(all[0], all[1], all[2], all[3], n);
    y = concat(ahead, gru(all[4], all[5], all[6], all[7], n, true));
  }
  std::vector<std::vector<T>> out{to_host<T>(y)};
  if (!y.requires_grad()) return out;
  Tape::current().backward(sum(square(y)));
  for (const Tensor& x : all)
    if (x.requires_grad()) out.push_back(to_host<T>(grad(x)));
  return out;
}

// On the CPU to the bit. A GPU may take another algorithm for two products at once.
template <class T>
void check(const Layer& l) {
  for (const Device device : test_devices()) {
    const auto want = run<T>(l, device, false), got = run<T>(l, device, true);
    CAPTURE(test_name_of(device), sizeof(T), l.batch, l.steps);
    REQUIRE(got.size() == want.size());
    for (size_t k = 0; k < want.size(); ++k) {
      CAPTURE(k);
      if (device == Device::cpu) REQUIRE(got[k] == want[k]);
      REQUIRE(got[k].size() == want[k].size());
      for (size_t i = 0; i < want[k].size(); ++i)
        REQUIRE(std::abs(got[k][i] - want[k][i]) <=
                (sizeof(T) == 8 ? T(1e-12) : T(1e-4)) * std::max(T{1}, std::abs(want[k][i])));
    }
  }
}

}  // namespace

TEST_CASE("two directions at once are each of them alone") {
  std::vector<Layer> layers(7);
  layers[1].h0 = false;
  layers[2].weights_back_first = true;
  layers[3].without = {0};
  layers[4].without = {1, 3};
  layers[5].without = {0, 1, 2, 3};
  layers[6].h = 130, layers[6].batch = 5;
  for (const Layer& l : layers) {
    check<double>(l);
    check<float>(l);
  }
}

TEST_CASE("two directions at once may share any input, and add to its gradient one after the other") {
  for (const std::vector<int>& shared : std::vector<std::vector<int>>{{0}, {1}, {2}, {3}, {1, 2}, {0, 1, 2, 3}}) {
    Layer l;
    l.shared = shared;
    CAPTURE(shared);
    check<double>(l);
  }
}

TEST_CASE("two directions take batches without sentences, steps or words") {
  for (const bool h0 : {true, false}) {
    Layer l;
    l.h0 = h0;
    l.batch = 0;
    check<float>(l);
    l.batch = 3;
    l.lengths = {0, 0, 0};
    check<float>(l);
    l.steps = 1;
    l.lengths = {0, 1, 0};
    check<float>(l);
    l.steps = 0;
    l.lengths = {0, 0, 0};
    check<float>(l);
  }
}

TEST_CASE("two directions have the same bits on any number of threads") {
  std::vector<std::vector<float>> first;
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    const auto got = run<float>({}, Device::cpu, true);
    if (n == 1) first = got;
    CHECK(got == first);
  }
  set_threads(1);
}

TEST_CASE("outputs and gradients beyond a length are 0 where memory was full of other numbers") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Tape::current().reset();
    const std::vector<double> junk(4000, NAN);
    from_host(junk, {4000}, device);
    Tape::current().reset();
    const auto ones = [&](Shape s) {
      return variable(from_host(std::vector<double>(static_cast<size_t>(s.numel()), 1.0), s, device));
    };
    const GruDirection ahead{ones({2, 4, 6}), ones({2, 6}), ones({6}), {}},
        back{ones({2, 4, 6}), ones({2, 6}), ones({6}), {}};
    const Tensor n = from_host(std::vector<int32_t>{3, 0}, {2}, device);
    const Tensor y = bidirectional_gru(ahead, back, n), last = last_states(y, n, 2);
    Tape::current().backward(add(sum(y), sum(last)));
    const auto values = to_host<double>(y), states = to_host<double>(last), dgx = to_host<double>(grad(back.gx));
    for (size_t i = 0; i < 2 * 4 * 4; ++i) CHECK((values[i] != 0) == (i < 3 * 4));
    for (size_t i = 0; i < 2 * 4 * 6; ++i) CHECK((dgx[i] != 0) == (i < 3 * 6));
    CHECK(states == std::vector<double>{values[8], values[9], values[2], values[3], 0, 0, 0, 0});
    for (const Tensor& w : {ahead.w_hh, back.w_hh})
      for (const double d : to_host<double>(grad(w))) CHECK(std::isfinite(d));
  }
}

TEST_CASE("the kernel writes every output and the state before every word, whatever the length") {
  for (const Device device : test_devices()) {
    CAPTURE(test_name_of(device));
    Tape::current().reset();
    const auto filled = [&](Shape s, double x) {
      return from_host(std::vector<double>(static_cast<size_t>(s.numel()), x), s, device);
    };
    const Tensor gx = filled({2, 3, 6}, 1), w = filled({2, 6}, 1), b = filled({6}, 1), h0 = filled({2, 2}, 0.5),
                 y = filled({2, 3, 2}, NAN), before = filled({2, 3, 2}, NAN), gates = filled({4, 2, 3, 2}, NAN),
                 n = from_host(std::vector<int32_t>{1, 0}, {2}, device);
    kernels::gru<double>(device, {{{gx.as<double>(), as_matrix<double>(w), b.as<double>(), h0.as<double>()}, {}},
                                  {1, 2, 3, 2, false},
                                  n.as<int32_t>(),
                                  y.as<double>(),
                                  before.as<double>(),
                                  gates.as<double>()});
    const auto outputs = to_host<double>(y), states = to_host<double>(before);
    const size_t saved = device == Device::cpu ? 2 : states.size();  // on a CPU, of the one word alone
    for (size_t i = 0; i < outputs.size(); ++i) {
      CAPTURE(i, outputs[i]);
      if (i < saved) CHECK(states[i] == (i < 2 ? 0.5 : 0));
      CHECK((i < 2 ? outputs[i] > 0.5 : outputs[i] == 0));
    }
  }
}

TEST_CASE("sentences are dealt once each, longest first, and blocks have about as many words") {
  Random random(3, 0);
  for (const int64_t batch : {0, 1, 31, 64, 77}) {
    std::vector<int32_t> lengths;
    for (int64_t b = 0; b < batch; ++b) lengths.push_back(static_cast<int32_t>(random.below(31)));
    const int64_t words = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
    std::vector<int> dealt(2 * static_cast<size_t>(batch), 0);
    std::vector<int64_t> of_block;
    int64_t rows = 0, tokens = 0;
    SentenceBlocks(2, batch, 512, lengths.data()).for_each([&](const SentenceBlock& block) {
      CAPTURE(batch, block.direction);
      CHECK(block.rows <= sentence_block_height(512));
      CHECK(block.first_row == rows);
      CHECK(block.first_token == tokens);
      for (int64_t i = 0; i < block.rows; ++i) {
        const int32_t length = lengths[static_cast<size_t>(block.sentences[i])];
        ++dealt[static_cast<size_t>(block.direction * batch + block.sentences[i])];
        for (int32_t t = 0; t < 31; ++t) CHECK((i < block.live(t)) == (t < length));
      }
      of_block.push_back(block.end_token() - block.first_token);
      rows += block.rows;
      tokens = block.end_token();
    });
    CHECK(dealt == std::vector<int>(dealt.size(), 1));
    CHECK(tokens == 2 * words);
    for (const int64_t n : of_block) CHECK(std::abs(n - words * 2 / std::ssize(of_block)) <= 30);
  }
}
