// Everything that is shown of a loss on one small batch, computed by the engine in float64: what the terminal, the page
// and `--json` print. The JSON, in which numbers that are not finite are the texts "nan", "inf" and "-inf":
//
// {
//   "format": 1, "source": "configs/lessons/01_padding.yaml", "kind": "case" | "lesson" | "config",
//   "title": "01_padding", "about": "…",
//   "lesson": null | {"question": "…", "predict": "…", "answer": "…", "repair": "loss: …",
//              "prediction": 2.5 | null,  the number that is asked for
//              "rounding": 0.0001         what adding up the table's rounded numbers may be off by, relative},
//   "batch": {"B": 2, "T": 4, "V": 6, "input": "logits" | "probs" | "row_loss", "target": "ids" | "dense",
//             "words": ["<pad>", …],                       names of the V classes; [] where they have none
//             "lengths": [4, 2] | null, "example_weight": [1.0, …] | null,
//             "upstream": of each entry of the value | null, "negative_weights": whether weights below 0 are allowed,
//             "sources": ["der Hund", …] | []},             what was translated
//   "loss": {"over": "all" | "time" | "batch" | "none", "divide": D, "divide_eps": 0.0, "on_zero": "zero" | "nan" |
//            "error", "then": null | "sum" | "mean", "scope": "global" | "accum" | "micro"},
//            D is "active" or another divisor's name, {"const": 4.0}, or {"time": "active", "batch": "batch"} (with
//            "const" too where one of them is "const")
//   "value": 2.32 | [..]                  scalar; or the entries of a vector, [B], [T] or [B,T] (flat)
//   "numerator": N | [..], "divisor": D | [..], "gradient_norm": 0.4,
//   "sum": "loss = 16.245 / 7 = 2.3207 (token mean)",
//   "tokens": [                           one for each cell, b-major
//     {"b": 0, "t": 0, "id": 3, "text": "dog",              id null for a dense target
//      "mask": true, "why": "" | "length" | "mask" | "ignored id" | "weight 0",      why it is not live
//      "token_weight": 1.0, "example_weight": 1.0, "class_weight": 1.0,               what multiplies to weight
//      "class_sum": Σ_v c_v q_v of its target, what the divisor class_weight counts,
//      "weight": 1.0 (ω; 0 for dead cells), "live": true,
//      "p": 0.5, "nll": 0.69, "loss": 0.69 (ℓ, with smoothing and z-loss), "correct": true,
//      "weighted": ω·ℓ, "coefficient": s·ω, "contribution": s·ω·ℓ, "share": of its entry of the value,
//      "gradient_norm": |∂L/∂row|, "gradient": [..]          ∂L/∂x at the classes of "shown", exactly 0 for dead cells
//      "alone": null | {"p", "nll", "loss", "correct", "gradient_norm", "logit_norm", "gradient": [..]}}],
//           the cell as if it alone counted with weight 1 and coefficient 1: an edit of mask or weight multiplies
//           these; null where it cannot count (NaN in the row, an id outside the vocabulary). p … correct of a live
//           cell are the same numbers; of a dead cell they are null outside of "alone", and of a row_loss anywhere,
//           whose V is 1 and whose id is null. "refused" says why there is
//           none; "logit_norm" is |∂ℓ/∂logits|.
//   "shown": [3, 5, …]                    classes of the heat map: those with the largest gradients, ids ascending
//   "divisors": [{"name": "active", "formula": "Σ m", "words": "active tokens", "unit": "/tok", "value": 7.0,
//                 "plus": "active", "minus": "nothing"}],    the counts that it is the difference of, at least 0
//   "modes": [{"name": "torch.mean", "who": "…", "formula": "…", "own": false, "own_row_loss": false,
//              "over", "divide", "divide_eps", "on_zero", "then", "scope"  as in "loss",
//              "class_scope": "class" | "target", "alone": null | of each cell null | {"loss", "logit_norm"},
//              "report": null | {"divide": "active", "exponential": true},
//              "value", "numerator", "divisor"  number or list as above, "words": "active tokens",
//              "printed": number, "gradient_norm": number, "refused": "" | why there are no numbers (then null),
//              "lines": {"tensorflow": "…", "keras": "…", "pytorch": "…", "d2l": "…"}}],     the first is the batch's
//              own
//   "rows": {"tensorflow": "…", "keras": "…", "pytorch": "…", "d2l": "…"},    the line that makes the row losses
//   "experiments": [{"number": 1, "id": "padding", "title", "question", "predict", "prediction": 2.5,
//              "mistakes": [{"value": 0.69, "words": "…"}],
//              "tables": [{"title", "columns": ["…"], "rows": [["text", 1.0], …],
//                          "chart": null | {"kind": "line" | "bar", "x": 0, "y": [1, 2], "error": [3, 4] | []}}],
//              "numbers": {"name": 1.0}, "answer": "…"}],
//   "warnings": ["…"], "error": "" | "E10: why the loss refuses the batch" (then value, numerator, divisor are null)
// }
//
// To compute a mode again after an edit: ω = mask·token_weight·example_weight, times class_sum where class_scope is
// target; the row's loss is alone.loss, the mode's own where it has one; count the divisors' cells anew (divide_eps is
// added to it; nested: the inner divisor takes the epsilon); value = Σ ω·loss / D. engine/teach/page/loss.js does it.
#pragma once
#include <string>
#include <vector>

#include "engine/teach/experiment.h"
#include "engine/teach/modes.h"

namespace seqgrad {

// What is known about the batch beside its numbers.
struct Subject {
  std::string source, kind, title, about;
  std::string question, predict, answer, repair;  // of a lesson
  std::optional<double> prediction;               // the number that a lesson's reader is asked for: its gold.value
  std::vector<std::string> words;                 // names of the classes; empty: none
  std::vector<std::string> sources;               // what was translated, one a sentence; empty: none
};

struct TokenView {
  int64_t b = 0, t = 0;
  int64_t id = -1;    // of the target; -1: a distribution
  std::string text;   // its name, or "#3"
  bool mask = false;  // active
  std::string why;    // "": live
  double token_weight = 1, example_weight = 1, class_weight = 1;
  bool live = false;
  double weight = 0;  // ω
  double loss = 0;    // ℓ; 0 where dead
  double coefficient = 0, contribution = 0, share = 0, gradient_norm = 0;
  std::vector<double> gradient;    // at Explanation::shown
  std::optional<CellAlone> alone;  // its gradient at Explanation::shown
  double alone_norm = 0;
  std::string refused;  // why there is no `alone`
  double class_sum =
      1;  // Σ_v c_v q_v, what the divisor class_weight counts; with class weights of scope target also in ω
};

struct DivisorView {
  std::string name, formula, words, unit, plus, minus;
  std::optional<double> value;  // none for a batch that the loss refuses
};

struct Explanation {
  Subject subject;
  LessonBatch batch;
  std::vector<double> values, numerators, divisors;
  double gradient_norm = 0;
  std::string sum;  // the line that adds it up
  std::vector<TokenView> tokens;
  std::vector<int64_t> shown;
  std::vector<DivisorView> all_divisors;
  std::vector<Mode> modes;
  Lines rows;  // how each framework makes the row losses
  std::vector<Experiment> experiments;
  std::vector<std::string> warnings;
  std::string error;  // why the loss refuses the batch
};

struct ExplainOptions {
  std::vector<std::string> modes;  // presets; empty: all
  size_t classes = 24;             // most columns of the heat map
  bool experiments = true;         // run all that the batch can show
};

// Throws LossError only for inputs that are no batch (shapes, options); what the loss refuses for its values is told in
// `error`, and the rest is shown.
Explanation explain(const LessonBatch& s, const Subject& subject, const ExplainOptions& options = {});
Explanation explain(const LossCase& c, const ExplainOptions& options = {});

// `ascii`: what is not ASCII as \uXXXX, for a terminal.
// Who adds up the table's nll, each rounded to 4 digits, is off by up to half a digit each: the relative error of the
// sum, and of a mean of it.
double rounding_of_table(const Explanation& e);

std::string to_json(const Explanation& e, bool ascii = false);
// For a terminal: the tokens, the line that adds them up, the divisors, the modes.
std::string to_text(const Explanation& e);
std::string to_text(const Experiment& e);
// As columns of a fixed-width font: text to the left, numbers to the right.
std::string to_text(const DataTable& table);
// At most `width` characters a line, broken at spaces.
std::string wrapped(const std::string& text, size_t width, const std::string& indent);

}  // namespace seqgrad
