// One run against a program: its batches and answers, what they should have been, and what the properties found.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/conform/session.h"
#include "engine/naming/naming.h"

namespace seqgrad {

// holds: tried, and as it should be. described: what it gives, where nobody said what it should. note: right, with
// something to know; --strict makes it broken.
enum class Verdict { holds, described, note, broken, not_tried };
const char* name_of(Verdict verdict);  // "holds", "not tried"

// One way in which a property is not as it should be, by the batch that shows it best.
struct Evidence {
  std::string id;    // of engine/naming/findings.h; "" where the loss that was named explains it
  std::string text;  // "NaN in a dead cell: value NaN"
  std::optional<LossBatch> batch;
  double got = 0, want = 0;
  bool is_note = false;
  std::optional<LossAnswer> answer = {};  // the program's to that batch, where it is to be saved
};

struct PropertyResult {
  std::string id;
  Verdict verdict = Verdict::holds;
  std::string text;                // why it was not tried; what it gives
  std::vector<Evidence> evidence;  // the strongest first
};

inline bool all_finite(const std::vector<double>& x) {
  return std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); });
}

// What the numbers of an answer may be off.
struct Scale {
  double value = 0, d_x = 0, d_weight = 0, d_bias = 0;
  double coefficients = 0;  // Σ|s·ω|, as far as that can be told
};

class Trial {
 public:
  Trial(Subject& subject, std::vector<LossBatch> batches, std::optional<LossMeaning> meant, uint64_t seed);

  Subject& subject;
  const Program& program;
  std::optional<LossMeaning> meant;
  uint64_t seed;
  std::vector<LossBatch> batches;  // in numbers of the dtype that the program is asked in
  std::vector<Reply> replies;      // one for each, once they were asked
  std::vector<size_t> telling;     // the most telling of those that were answered
  Naming naming;
  const LossHypothesis* found = nullptr;  // what the values are, where that has a name

  FloatType answers_in = FloatType::f64;  // the narrowest dtype of `replies`
  std::optional<ProbsMode> probs_mode;    // what gradients show of it, where the meaning does not say it
  std::optional<Evidence> changed;        // a batch that was answered otherwise when it was asked again

  // What the function has built in, as it says or shows.
  RowLossFixed fixed() const {
    RowLossFixed out = program.fixed;
    out.probs_mode = probs_mode;
    return out;
  }

  // The arithmetic that answers are judged by: of the dtype that the program is asked in, or answers in.
  FloatType dtype() const { return std::max(subject.dtype(), answers_in); }
  double unit() const { return unit_of(dtype()); }
  static double unit_of(FloatType type);  // roundoff

  // Asks, with num_items where the program takes it.
  Reply ask(LossBatch batch, const std::string& kind, bool gradient, int part = 0, int parts = 0);
  std::optional<LossBatch> last;  // that was asked
  // The divisor of all micro-batches, as the program is told it.
  double items_of(const LossBatch& batch) const;
  // Whether the program gives the gradient of its prediction.
  bool has_gradient() const { return program.gives_gradient(); }

  // What is meant of a batch, or what the loss that was named would give; none where neither is known, or where it is
  // refused.
  std::optional<LossAnswer> expected(const LossBatch& batch) const;
  bool is_judged() const { return meant.has_value(); }  // relative properties count for the exit code
  // Limits for a program whose answer to this batch is of that size, whatever loss it is; of its dtype, or another.
  Scale scale_of(const LossBatch& batch, const LossAnswer& answer) const { return scale_of(batch, answer, dtype()); }
  Scale scale_of(const LossBatch& batch, const LossAnswer& answer, FloatType type) const;
  // Whether the loss that was named gives that value for the batch: what differs from the meaning needs no other name.
  bool is_explained(const LossBatch& batch, const LossAnswer& got) const;
  std::string meant_name() const;  // "torch.mean", or "the loss that was named"
};

// Where two arrays differ most, in limits: above 1 they differ. NaN equals NaN.
struct Worst {
  double share = 0, got = 0, want = 0;
  size_t at = 0;
  bool differs() const { return !(share <= 1); }
};
Worst worst_of(const std::vector<double>& got, const std::vector<double>& want, double limit);

std::string number_text(double x);  // four digits: "0.3466", "NaN"
// Both, with as many digits as show that they differ.
std::pair<std::string, std::string> different_texts(double a, double b);
std::string value_text(const std::vector<double>& value);  // of a vector its first entries
PropertyResult not_tried(const char* id, const std::string& reason);
// Broken or a note by its evidence; else `otherwise`. Evidence of one id is told once, by the first.
PropertyResult judged(const char* id, std::vector<Evidence> evidence, Verdict otherwise = Verdict::holds,
                      const std::string& text = "");

struct Property {
  const char* id;
  const char* doc;
  bool is_universal;  // judged whatever loss is meant
  PropertyResult (*run)(Trial& trial);
};
std::span<const Property> properties();  // in the order in which they are tried and told
std::vector<std::string> property_ids();

}  // namespace seqgrad
