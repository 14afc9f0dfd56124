// What a sequence loss is, as plain values: one row loss, one active set, one divisor. Names as in README.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace seqgrad {

enum class Over { all, time, batch, none };  // the axes summed over: scalar, [B], [T], [B,T]
enum class OnZero { zero, nan, error };      // what a divisor of 0 (nested: the outer) gives; the gradient is 0
enum class Then { nothing, sum, mean };      // folds a vector loss to the scalar that training differentiates
enum class Scope { global, accum, micro };   // which batches share a divisor
enum class SmoothingKind { uniform, others, others_excluding, prior };
enum class ClassScope { per_class, target };
enum class Input { logits, probs };                               // hidden states become logits on the way
enum class Target { ids, dense };                                 // declared, never guessed from shapes
enum class DenseSum { require, allow, normalize };                // what a dense row whose sum is not 1 means
enum class ProbsMode { renorm_clip, clip_then_softmax, strict };  // how the logarithm of a probability is guarded
enum class Nonfinite { error, propagate };

// A divisor by name, or {time, batch} nested, or the constant k where a name is "const". A constant times a count, as
// {const: 512, times: batch}, is the nested form whose `time` is "const".
struct Divide {
  std::string flat = "active";
  std::string time, batch;  // nested when not empty
  double k = 0;
  bool nested() const { return !time.empty(); }
  bool operator==(const Divide&) const = default;
};

// What a peer prints beside the number that it differentiates: that number's numerator by another divisor.
struct Report {
  std::string divide;        // a divisor's name; empty: the value itself
  bool exponential = false;  // exp of it
  bool operator==(const Report&) const = default;
};

struct LossOptions {
  Input input = Input::logits;
  ProbsMode probs_mode = ProbsMode::renorm_clip;
  double probs_eps = 1e-7;  // probabilities are clipped to [eps, 1 − eps]
  Target target = Target::ids;
  DenseSum dense_sum = DenseSum::require;

  Over over = Over::all;
  Divide divide;
  double divide_eps = 0;
  OnZero on_zero = OnZero::zero;
  Then then = Then::nothing;
  Report report;
  Scope scope = Scope::global;

  double smoothing = 0;  // epsilon
  SmoothingKind smoothing_kind = SmoothingKind::uniform;
  std::vector<int64_t> smoothing_excluding;
  bool report_kl = false;  // subtract the entropy of the smoothed target from the value; the gradient is the same

  std::optional<double> softcap;
  double z_loss = 0;
  std::optional<int64_t> ignore_index;
  ClassScope class_scope = ClassScope::per_class;
  bool allow_negative_weights = false;
  Nonfinite nonfinite = Nonfinite::error;
};

// Throws InputError (E11, E14, E17) for values outside their range; `classes` is V.
void check_options(const LossOptions& options, int64_t classes);

// What a printed loss is divided by, for people: "/tok", "/sent", "/weight", "/padded", "" for a sum.
std::string unit_of(const LossOptions& options);

}  // namespace seqgrad
