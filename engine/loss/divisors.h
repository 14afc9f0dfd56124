// The divisors, by name: a new one is one row of the table in divisors.cpp.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/loss/options.h"

namespace seqgrad {

// What a divisor may count, over one group of cells: all of them, one example's, or one time step's.
struct Counts {
  int64_t positions = 0;         // cells, padding included
  int64_t steps = 0, batch = 0;  // T, B
  int64_t active = 0;            // cells with mask 1
  int64_t nonzero = 0;           // active cells with weight ≠ 0
  int64_t active_batch = 0;      // examples with at least one active cell
  double weight = 0;             // Σ ω
  double class_weight = 0;       // Σ m·w_tok·w_ex·Σ_v c_v q_v
};

// The counts by name. What a divisor is built from stands in the table as data, so that other languages (the script of
// explain's page) divide by the same table.
enum class Counted { nothing, one, positions, steps, batch, active, nonzero, active_batch, weight, class_weight };
const char* name_of(Counted counted);
double count_of(const Counts& counts, Counted counted);  // nothing: 0

struct Divisor {
  const char* name;
  const char* formula;
  const char* unit;
  const char* words;    // what is counted, for people
  Counted plus, minus;  // plus − minus, and never below 0 where something is subtracted
  bool inner, outer;    // may stand inside ({time: …}) or outside ({batch: …}) a nested form
  bool adds;  // over micro-batches the divisor is their sum; else it is the same for all, and the largest counts

  double value(const Counts& counts) const;
};

std::span<const Divisor> divisors();
std::vector<std::string> divisor_names();
std::string str(const Divide& divide);            // as YAML: "active", "{const: 4.0}", "{time: active, batch: batch}"
const Divisor& divisor(const std::string& name);  // throws E14 with the valid names

// Of these counts: the divisor of that name, or the constant of `divide` where it is "const".
double divisor_value(const Divide& divide, const std::string& name, const Counts& counts);
// The same of an entry of a vector loss, and the value of an entry whose divisor is 0.
double entry_divisor(const Counts& counts, const LossOptions& options);
double empty_value(const LossOptions& options);

// Whether the scalar's divisor over batches is their sum (LiveRows::divisor_adds).
bool divisor_adds(const LossOptions& options);
// Adds the counts of one entry's cells in another batch, of other examples.
void add_counts(Counts& to, const Counts& more);

}  // namespace seqgrad
