// What a program under test says of itself in its hello.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/conform/frame.h"
#include "engine/loss/options.h"
#include "engine/naming/meaning.h"

namespace seqgrad {

struct Program {
  std::string name, framework;
  std::set<std::string> takes;  // "logits", "targets", "mask", …
  PredictionKind kind = PredictionKind::logits;
  std::vector<FloatType> dtypes;    // at least one, the widest first
  std::set<std::string> gradients;  // "d_logits", …; none where it gives none
  Over axis = Over::all;
  bool shifts = false, time_major = false;
  int64_t ignore = -100;                  // the id of dead cells, of labels
  std::optional<int64_t> classes, steps;  // where it takes no others
  RowLossFixed fixed;
  std::vector<std::string> unknown_keys;  // what it says of each, for people: another version's, or a slip

  bool takes_input(const char* input) const { return takes.count(input) > 0; }
  const char* prediction() const { return seqgrad::name_of(kind); }  // the input's name: "logits"
  std::string takes_text() const;                                    // "logits targets mask", predictions first
  bool gives_gradient() const { return gradients.count(std::string("d_") + prediction()) > 0; }
};

// Throws InputError for whatever is missing, unknown or contradicts itself.
Program read_hello(const Metadata& metadata);

}  // namespace seqgrad
