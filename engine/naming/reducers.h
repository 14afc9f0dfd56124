// Every way from row losses to a value that a search tries: presets, every axis and divisor, and what people write that
// no form covers.
#pragma once
#include <functional>

#include "engine/naming/forms.h"
#include "engine/naming/variant.h"

namespace seqgrad {

// Who counts and how much, of a variant.
struct Cells {
  int64_t batch = 0, steps = 0, classes = 0;
  std::vector<uint8_t> active;         // [B,T]
  std::vector<double> weight;          // ω, 0 where it is not active
  std::vector<double> example_weight;  // [B], ones where there is none
  Counts all;
  std::vector<Counts> by_example, by_step;
};
Cells cells_of(const Variant& variant);

// What row losses are multiplied by: [B,T], 0 where a position does not count. An entry of the value is empty where its
// divisor is 0.
struct Scaled {
  std::vector<double> coefficient;
  std::vector<uint8_t> empty;
};

// What a reducer works with. A change may treat numerator and divisor apart; losses matter to a maximum only.
struct Reducible {
  const Cells &numerator, &divisor;
  const std::vector<double>& losses;
};

struct Reducer {
  std::vector<std::string> names;  // presets first, then the form
  std::string id, sentence;        // "divisor:positions"; "Σ ωℓ / (B·T), all cells, padding included"
  LossOptions options;             // a form's; else `over`, and of a preset its own row loss
  bool is_form = true;             // a loss section can say it
  bool exponential = false;        // the value is exp of it
  std::function<void(const Reducible&, Scaled&)> scale;

  size_t entries(const Cells& cells) const;
  size_t entry_of(size_t cell, int64_t steps) const;
};

// Those for such inputs, each once; `options` say what a name leaves open of the row loss, and `meant` is the name of
// their own reduction, which then comes first; "" where nothing is meant. `apart`: each name by itself, since they
// differ where nothing counts, and micro-batches of any number of sentences.
std::vector<Reducer> reducers_of(const LossInputs& inputs, const LossOptions& options, const std::string& meant,
                                 bool apart = false);

}  // namespace seqgrad
