// The loss of sequences, for arrays of your own: the value, its gradient, and what each token adds to it.
//
//   const auto r = seqgrad::loss(logits, {B, T, V}, targets, {.lengths = n, .preset = "torch.mean"});
//   use(r.value, r.d_logits);
//
// A call keeps nothing for the next one and has no part in anything global. It works on the thread that makes it, on
// the CPU; any number of threads may call at once, and each gets the bits that it would get alone.
//
// What every option means, and the mathematics: engine/loss/README.md, under the same names.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace seqgrad {

struct LossShape {
  int64_t batch, steps, classes;  // B, T, V
};

// An array that may be absent, copied from whatever has elements: std::vector, std::array, std::span, T[N], {1, 2, 3}.
// Ids and lengths are integers of any width; of a mask, whatever is not 0 counts; weights are float or double.
template <class T>
class LossArray {
 public:
  LossArray() = default;  // absent, which is not the same as empty
  LossArray(std::initializer_list<T> values) : values_(values) {}
  template <class Range>
  requires(!std::is_same_v<Range, LossArray> && requires(const Range& r) { *std::begin(r), std::end(r); })
      LossArray(const Range& range) {
    using Element = std::decay_t<decltype(*std::begin(range))>;
    static_assert(!std::integral<T> || std::integral<Element>, "ids, lengths and masks are integers");
    values_.emplace();
    for (auto at = std::begin(range); at != std::end(range); ++at) {
      if constexpr (std::is_same_v<T, uint8_t>)
        values_->push_back(static_cast<bool>(*at));
      else
        values_->push_back(static_cast<T>(*at));
    }
  }
  const std::optional<std::vector<T>>& values() const { return values_; }

 private:
  std::optional<std::vector<T>> values_;
};

// Distributions that may be absent: of float they are kept as float, which is half as much to read, of anything else as
// double; the results have the same bits.
class LossDense {
 public:
  LossDense() = default;
  LossDense(std::initializer_list<double> values) : f64_(values) {}
  LossDense(LossArray<double> values) : f64_(std::move(values)) {}
  template <class Range>
  requires(!std::is_same_v<Range, LossDense> && requires(const Range& r) { *std::begin(r), std::end(r); })
      LossDense(const Range& range) {
    if constexpr (std::is_same_v<std::decay_t<decltype(*std::begin(range))>, float>)
      f32_ = LossArray<float>(range);
    else
      f64_ = LossArray<double>(range);
  }
  bool given() const { return f32_.values() || f64_.values(); }
  const std::optional<std::vector<double>>& f64() const { return f64_.values(); }
  const std::optional<std::vector<float>>& f32() const { return f32_.values(); }

 private:
  LossArray<double> f64_;
  LossArray<float> f32_;
};

// What is absent does not restrict or weight, and an option that is not set is the preset's; without a preset, that of
// "token_mean", the mean over all that counts. What belongs to a token is [B,T], in the order of the logits.
struct LossArguments {
  // Who counts, and how much.
  LossArray<int64_t> lengths = {};           // [B], 0..T: steps before it count
  LossArray<uint8_t> mask = {};              // [B,T]: what is not 0 counts
  std::optional<int64_t> ignore_index = {};  // targets with this id do not count
  LossArray<double> token_weight = {};       // [B,T]
  LossArray<double> example_weight = {};     // [B]
  LossArray<double> class_weight = {};       // [V]
  std::string class_scope = {};              // "class": weights each class's term; "target": the row by its target
  bool allow_negative_weights = false;

  // Which loss. The names of presets and divisors: `seqgrad info --presets`, `seqgrad info --divisors`.
  std::string preset = {};                 // "torch.mean", "tfa.sequence_loss", …
  std::map<std::string, bool> flags = {};  // of a tf1 or tfa preset: {{"average_across_batch", false}}
  std::string over = {};                   // "all": a scalar; "time": [B]; "batch": [T]; "none": [B,T]
  std::string divide = {};                 // "active", "{const: 4.0}", "{time: active, batch: batch}", …
  std::optional<double> divide_eps = {};   // added to the divisor
  std::string on_zero = {};                // the value where the divisor is 0: "zero", "nan", "error"
  std::string then = {};                   // folds a vector loss into a scalar: "sum", "mean"

  // The loss of one token.
  std::string input = {};                         // what the prediction is: "logits", "probs"
  std::string probs_mode = {};                    // "renorm_clip", "clip_then_softmax", "strict"
  std::optional<double> probs_eps = {};           // probabilities are clipped to [eps, 1 - eps]
  LossDense dense = {};                           // [B,T,V] distributions, in the place of targets
  std::string dense_sum = {};                     // a row of them must sum to 1 or not: "require", "allow", "normalize"
  std::optional<double> smoothing = {};           // label smoothing: the mass taken from the target
  std::string smoothing_kind = {};                // where it goes: "uniform", "others", "others_excluding", "prior"
  std::vector<int64_t> smoothing_excluding = {};  // ids that get none of it
  LossArray<double> prior = {};                   // [V] probabilities, for smoothing_kind "prior"
  std::string smoothing_report = {};              // "ce"; "kl" subtracts the smoothed target's entropy from the value
  std::optional<double> softcap = {};             // logits become softcap·tanh(logits/softcap)
  std::optional<double> z_loss = {};              // adds z_loss·logsumexp² to each token's loss
  std::string nonfinite = {};                     // a NaN or infinity where it counts: "error", "propagate"

  // The call itself.
  std::string layout = {};          // "batch": [B,T,…]; "time": everything of a token is [T,B,…]
  LossArray<double> upstream = {};  // of the result's shape: the gradient is that of Σ values·upstream; 1
  bool gradient = true;             // false: d_logits stays empty
};

// One token's part. Of a token that does not count, all is 0, and nothing of its prediction was read.
struct TokenLoss {
  double loss = 0;       // in nats, before weight and divisor; without z_loss
  double z_loss = 0;     // likewise
  double weight = 0;     // the product of all weights; 0: does not count
  double share = 0;      // weight·(loss + z_loss)/divisor: what it adds to its entry of the result
  bool correct = false;  // the first maximum of its logits is the target
};

template <class T>
struct LossOutput {
  double value = 0;               // of a loss that is a vector NaN: read `values`
  std::vector<double> values;     // one entry, [B], [T] or [B,T], as `over` and `then` say
  std::vector<T> d_logits;        // [B,T,V], of probabilities where those were given; +0.0 wherever nothing counts
  std::vector<TokenLoss> tokens;  // [B,T]

  double numerator = 0, divisor = 0;  // of a scalar: what is divided by what
  double reported = 0;                // of a scalar: what the preset's framework prints, mostly the value (marian.*)
  int64_t counted = 0, live = 0;      // tokens that count; those of them whose weight is not 0
  int64_t correct = 0;                // of the live ones
  double weight = 0;                  // the sum of weights
  double nll = 0;                     // Σ -log p(target) in nats of live tokens: unweighted, unsmoothed
  std::vector<std::string> warnings;  // what somebody should hear once: padding that is divided by, clipped
                                      // probabilities, a divisor of 0
};

// What a loss refuses: what() names array, place, value and cure.
class LossRefused : public std::invalid_argument {
 public:
  LossRefused(std::string code, const std::string& message) : std::invalid_argument(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }  // "E01" to "E17", as in engine/loss/README.md, Errors

 private:
  std::string code_;
};

// The loss of logits or probabilities [B,T,V] beside target ids [B,T], each in [0,V) where it counts; with
// `arguments.dense` the targets are empty. Throws LossRefused; where memory ends, std::bad_alloc or std::runtime_error.
LossOutput<float> loss(std::span<const float> logits, LossShape shape, const LossArray<int64_t>& targets,
                       const LossArguments& arguments = {});
LossOutput<double> loss(std::span<const double> logits, LossShape shape, const LossArray<int64_t>& targets,
                        const LossArguments& arguments = {});

}  // namespace seqgrad
