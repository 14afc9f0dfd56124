// Sizes first, the smallest at once: each new shape may cost a compilation. Then the numbers, the plainest at once.
#include "engine/conform/shrink.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <set>

#include "engine/conform/cells.h"
#include "engine/conform/subsets.h"

namespace seqgrad {
namespace {

using Clock = std::chrono::steady_clock;
using Index = std::vector<int64_t>;

class Shrinker {
 public:
  Shrinker(LossBatch batch, const Program& program, FloatType type, const ShrinkLimits& limits,
           const std::function<bool(const LossBatch&)>& shows)
      : best_(std::move(batch)), program_(program), type_(type), limits_(limits), shows_(shows) {
    best_.upstream.clear();  // of entries that go
    shapes_.insert(shape_of(best_));
  }

  LossBatch run() {
    fewer_examples();
    if (!program_.steps) fewer_steps();
    if (!program_.classes) {
      for (const int64_t count : {2, 3})
        if (auto smaller = with_classes(best_, count); smaller && attempt(*std::move(smaller))) break;
    }
    plainer_numbers();
    return best_;
  }

 private:
  static std::array<int64_t, 3> shape_of(const LossBatch& b) {
    return {b.inputs.batch, b.inputs.steps, b.inputs.classes};
  }

  // Keeps it where it shows the fault.
  bool attempt(LossBatch candidate) {
    if (rounds_ >= limits_.rounds || spent_ > limits_.seconds) return false;
    const bool fresh = shapes_.count(shape_of(candidate)) == 0;
    if (fresh && static_cast<int>(shapes_.size()) > limits_.shapes) return false;
    candidate = rounded_to(std::move(candidate), type_);
    if (live_count(candidate) == 0) return false;
    ++rounds_;
    shapes_.insert(shape_of(candidate));
    const auto begin = Clock::now();
    const bool still = shows_(candidate);
    // A new shape may be compiled, which is no part of the time.
    if (!fresh) spent_ += std::chrono::duration<double>(Clock::now() - begin).count();
    if (!still) return false;
    best_ = std::move(candidate);
    return true;
  }

  void fewer_examples() {
    const int64_t n = best_.inputs.batch;
    const LossBatch whole = best_;
    if (n > 1)
      for (int64_t b = 0; b < n; ++b)
        if (attempt(with_examples(whole, {b}))) return;
    if (n > 2)
      for (int64_t a = 0; a < n; ++a)
        for (int64_t b = a + 1; b < n; ++b)
          if (attempt(with_examples(whole, {a, b}))) return;
    for (int64_t gone = n; n > 3 && gone-- > 0;) {
      Index keep;
      for (int64_t b = 0; b < best_.inputs.batch; ++b)
        if (b != std::min(gone, best_.inputs.batch - 1)) keep.push_back(b);
      if (keep.size() >= 3) attempt(with_examples(best_, keep));
    }
  }

  void fewer_steps() {
    const LossBatch whole = best_;
    const int64_t n = whole.inputs.steps, shift = whole.shifts ? 1 : 0;
    for (int64_t count = 1 + shift; count < std::min<int64_t>(n, 4 + shift); ++count) {
      const int64_t shapes_left = limits_.shapes + 1 - static_cast<int64_t>(shapes_.size());
      if (shapes_left < 2) count = std::max(count, 3 + shift);  // one shape is kept for the classes
      for (const Index& keep : step_choices(whole, count))
        if (attempt(with_steps(whole, keep))) return;
    }
  }

  // Neighbours: around borders between live and dead cells first, which many faults need.
  static std::vector<Index> step_choices(const LossBatch& b, int64_t count) {
    constexpr size_t most = 8;
    const int64_t n = b.inputs.steps;
    Index firsts;
    const auto add = [&](int64_t first) {
      if (std::find(firsts.begin(), firsts.end(), first) == firsts.end()) firsts.push_back(first);
    };
    const std::vector<uint8_t> live = live_targets(b);
    for (size_t i = 1; i < live.size(); ++i)
      if (live[i] != live[i - 1] && i % static_cast<size_t>(n) != 0)
        add(std::clamp<int64_t>(static_cast<int64_t>(i) % n - count / 2, 0, n - count));
    for (int64_t first = 0; first <= n - count; ++first) add(first);
    std::vector<Index> out;
    for (const int64_t first : firsts) {
      Index keep;
      for (int64_t t = first; t < first + count; ++t) keep.push_back(t);
      if (out.size() < most) out.push_back(keep);
    }
    return out;
  }

  // Applies `change` to a copy and keeps it where the fault still shows.
  template <class F>
  bool changed(const F& change) {
    LossBatch b = best_;
    change(b);
    return attempt(std::move(b));
  }

  void plainer_numbers() {
    changed([](LossBatch& b) {
      for (auto* w : {&b.inputs.token_weight, &b.inputs.example_weight, &b.inputs.class_weight})
        if (*w) std::fill((*w)->begin(), (*w)->end(), 1.0);
    });
    changed([](LossBatch& b) {
      for (int64_t& y : b.inputs.targets)
        if (y > 0 && y < b.inputs.classes) y = 0;
    });
    if (best_.kind == PredictionKind::row_loss) {
      changed([](LossBatch& b) { fill_finite(b.x, [](double) { return 1.0; }); }) ||
          changed([](LossBatch& b) { fill_finite(b.x, [](double x) { return std::max(1.0, std::round(x)); }); });
      return;
    }
    if (best_.kind != PredictionKind::logits && best_.kind != PredictionKind::hidden) return;
    const double ln2 = std::log(2.0);
    if (changed([](LossBatch& b) { fill_finite(b.x, [](double) { return 0.0; }); })) return;
    changed([&](LossBatch& b) {
      fill_finite(
          b.x, [&](double x) { return std::abs(x) < ln2 / 2 ? 0.0 : std::copysign(std::abs(x) < 1 ? ln2 : 1.0, x); });
    });
    const auto width = static_cast<size_t>(best_.width());
    for (size_t row = 0; row < best_.x.size(); row += width)
      changed([&](LossBatch& b) {
        for (size_t i = row; i < row + width; ++i)
          if (std::isfinite(b.x[i])) b.x[i] = 0;
      });
    for (size_t i = 0; i < best_.x.size(); ++i)
      if (best_.x[i] != 0 && std::isfinite(best_.x[i])) changed([&](LossBatch& b) { b.x[i] = 0; });
  }

  template <class F>
  static void fill_finite(std::vector<double>& x, const F& f) {
    for (double& v : x)
      if (std::isfinite(v) && std::abs(v) < 1e4) v = f(v);  // poison stays
  }

  LossBatch best_;
  const Program& program_;
  FloatType type_;
  ShrinkLimits limits_;
  const std::function<bool(const LossBatch&)>& shows_;
  std::set<std::array<int64_t, 3>> shapes_;
  int rounds_ = 0;
  double spent_ = 0;  // seconds
};

}  // namespace

LossBatch shrink(LossBatch batch, const Program& program, FloatType type, const ShrinkLimits& limits,
                 const std::function<bool(const LossBatch&)>& shows) {
  return Shrinker(std::move(batch), program, type, limits, shows).run();
}

}  // namespace seqgrad
