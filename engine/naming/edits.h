// What people do wrong, one thing at a time, as changes to a batch: a new one is a row of a table in edits_*.cpp.
#pragma once
#include <span>

#include "engine/naming/variant.h"

namespace seqgrad {

enum class EditGroup { who, targets, logits, weights, smoothing };

struct Edit {
  const char* id;     // of findings.h
  const char* words;  // "with the token weights left out"
  EditGroup group;
  bool rows, cells;         // what it touches: losses of positions; who counts, and how much
  bool parts;               // it may be done to the numerator alone, or to the divisor alone
  bool (*apply)(Variant&);  // false: it changes nothing here
  // Where few answers are asked for it first, and vague ones for nothing else; null: nowhere.
  bool (*usual)(const Variant&) = nullptr;
};

inline bool anywhere(const Variant&) { return true; }

std::span<const Edit> who_edits();
std::span<const Edit> target_edits();  // and smoothing
std::span<const Edit> logit_edits();
std::span<const Edit> weight_edits();

// A change with a number that the search finds: smoothing's ε, a temperature. The losses are linear in it, or it lies
// between `least` and `most`.
struct SolvedEdit {
  const char* id;
  const char* words;  // with {} for the number
  EditGroup group;
  bool linear;
  double least, most;
  bool (*apply)(Variant&, double number);  // linear: of 0 and 1
  bool numerator_only = false;
  bool adds = false;  // linear: at 1 it is the term alone that comes to the loss at 0, times the number
};
std::span<const SolvedEdit> solved_edits();

}  // namespace seqgrad
