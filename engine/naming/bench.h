// One observed batch during a search: what changes make of it, computed once each, and what reducers make of that.
#pragma once
#include <map>
#include <memory>

#include "engine/naming/edits.h"
#include "engine/naming/naming.h"
#include "engine/naming/reducers.h"

namespace seqgrad {

// A change, done to the whole or to one side of the division.
enum class Side { both, numerator, divisor };
struct Step {
  const Edit* edit = nullptr;
  Side side = Side::both;
  bool touches_rows() const { return edit->rows && side != Side::divisor; }
  std::string words() const;
};

// Losses of positions, and who counts above and below the line.
struct Made {
  std::shared_ptr<const std::vector<double>> losses;
  std::shared_ptr<const Cells> numerator, divisor;
  bool changed = false;
};

struct Predicted {
  std::vector<double> value, tolerance;
  std::vector<uint8_t> empty;  // entries whose divisor is 0: 0, NaN and infinity are such values
  Scaled scaled = {};          // what it was made with
};

// Applies steps in order; a solved change, if any, last.
struct Changes {
  std::vector<Step> steps;
  const SolvedEdit* solved = nullptr;
  double number = 0;
};

// The variants of numerator and divisor; false where nothing changed.
bool apply(const Changes& changes, Variant& numerator, Variant& divisor);
Made make(const Variant& base, const Changes& changes);

// How near an answer is looked for.
struct Nearness {
  double u = 0x1p-53;       // unit roundoff of the answer
  double answer_error = 0;  // relative, of its largest entry; instead of what u gives
  bool few = false;         // NaN is an answer, and an entry without a divisor is what on_zero says
};

void predict(const Reducer& reducer, const Made& made, double top, double u, Predicted& out);

class Bench {
 public:
  Bench(const Observed& observed, const LossOptions& options, const Nearness& nearness);

  const Made& plain() const { return plain_; }
  const Made& with(size_t index, const Step& step);  // kept under its index
  Made with(size_t a, const Step& first, size_t b, const Step& second);
  const std::vector<double>& answer() const { return observed_->answer.value; }
  const LossBatch& batch() const { return *observed_->batch; }
  const Observed& observed() const { return *observed_; }
  const Variant& base() const { return base_; }
  // Within tolerance of the answer times 1/constant; `slack` times as wide.
  bool fits(const Reducer& reducer, const Made& made, double constant = 1, double slack = 1);
  Predicted& predicted(const Reducer& reducer, const Made& made);
  // Of what is predicted, relative to the largest entry.
  double distance(const Reducer& reducer, const Made& made);
  // Whether c·ℓ is what the gradient tells of every row; false where it tells nothing.
  bool fits_rows(const Reducer& reducer, const Made& made, double factor);
  // A change of this kind needs another look at every class of every row, and there are very many.
  bool is_heavy(const Step& step) const;
  double telling() const;  // how much it tells reductions apart

 private:
  std::shared_ptr<const std::vector<double>> losses_of(const Variant& x) const;

  const Observed* observed_;
  Variant base_;
  Nearness nearness_;
  double top_ = 0;
  std::optional<LogSums> sums_;
  Made plain_;
  std::map<size_t, Made> kept_;
  Predicted scratch_;
};

// Whether an answer is what was predicted, times `constant`.
bool same(const std::vector<double>& answer, const Predicted& predicted, double constant, double slack);

}  // namespace seqgrad
