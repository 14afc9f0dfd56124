// The table of divisors, and how the parts of a loss add up.
#include "engine/loss/divisors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

using enum Counted;

constexpr const char* names[] = {"nothing", "one",     "positions",    "steps",  "batch",
                                 "active",  "nonzero", "active_batch", "weight", "class_weight"};

// clang-format off
const Divisor table[] = {
    // name               formula                       unit          words                               plus, minus              inner  outer  adds
    {"one",                "1",                         "",           "nothing",                          one, nothing,            true,  true,  false},
    {"positions",          "cells, padding included",   "/padded",    "all cells, padding included",      positions, nothing,      false, false, true},
    {"steps",              "T",                         "/time-step", "steps",                            steps, nothing,          true,  false, false},
    {"batch",              "B",                         "/sent",      "sentences",                        batch, nothing,          false, true,  true},
    {"active_batch",       "examples with active rows", "/sent",      "sentences with active tokens",     active_batch, nothing,   false, true,  true},
    {"active",             "Σ m",                       "/tok",       "active tokens",                    active, nothing,         true,  false, true},
    {"nonzero",            "#{ω ≠ 0}",                  "/nonzero",   "tokens of weight other than 0",    nonzero, nothing,        true,  false, true},
    {"weight",             "Σ ω",                       "/weight",    "sum of weights",                   weight, nothing,         true,  false, true},
    {"class_weight",       "Σ m·w·Σ_v c_v q_v",         "/classw",    "sum of class weights",             class_weight, nothing,   false, false, true},
    {"active_minus_batch", "Σ m − B",                   "/tok-B",     "active tokens less one a sentence", active, batch,          false, false, true},
};
// clang-format on

}  // namespace

const char* name_of(Counted counted) { return names[static_cast<size_t>(counted)]; }

double count_of(const Counts& c, Counted counted) {
  switch (counted) {
    case Counted::nothing: return 0;
    case Counted::one: return 1;
    case Counted::positions: return static_cast<double>(c.positions);
    case Counted::steps: return static_cast<double>(c.steps);
    case Counted::batch: return static_cast<double>(c.batch);
    case Counted::active: return static_cast<double>(c.active);
    case Counted::nonzero: return static_cast<double>(c.nonzero);
    case Counted::active_batch: return static_cast<double>(c.active_batch);
    case Counted::weight: return c.weight;
    case Counted::class_weight: return c.class_weight;
  }
  return 0;
}

double Divisor::value(const Counts& counts) const {
  const double x = count_of(counts, plus);
  return minus == Counted::nothing ? x : std::max(0.0, x - count_of(counts, minus));
}

std::span<const Divisor> divisors() { return table; }

std::vector<std::string> divisor_names() {
  std::vector<std::string> names;
  for (const Divisor& d : table) names.emplace_back(d.name);
  return names;
}

std::string str(const Divide& d) {
  if (d.time == "const") return fmt::format("{{const: {}, times: {}}}", d.k, d.batch);
  if (d.nested()) return fmt::format("{{time: {}, batch: {}}}", d.time, d.batch);
  return d.flat == "const" ? fmt::format("{{const: {}}}", d.k) : d.flat;
}

const Divisor& divisor(const std::string& name) {
  for (const Divisor& d : table)
    if (name == d.name) return d;
  refuse(LossCode::unknown_option,
         "loss: unknown divisor '{}'; expected one of {}, {{const: k}} or {{time: …, batch: …}}", shown(name),
         fmt::join(divisor_names(), ", "));
}

double divisor_value(const Divide& divide, const std::string& name, const Counts& counts) {
  return name == "const" ? divide.k : divisor(name).value(counts);
}

bool divisor_adds(const LossOptions& options) {
  if (options.over != Over::all && options.then != Then::nothing)  // the fold's: as many as there are entries, or 1
    return options.then == Then::mean && options.over != Over::batch;
  const std::string& name = options.divide.nested() ? options.divide.batch : options.divide.flat;
  return name != "const" && divisor(name).adds;
}

void add_counts(Counts& to, const Counts& more) {
  to.positions += more.positions;
  to.steps = std::max(to.steps, more.steps);
  to.batch += more.batch;
  to.active += more.active;
  to.nonzero += more.nonzero;
  to.active_batch += more.active_batch;
  to.weight += more.weight;
  to.class_weight += more.class_weight;
}

double entry_divisor(const Counts& counts, const LossOptions& options) {
  return divisor_value(options.divide, options.divide.flat, counts);
}

double empty_value(const LossOptions& options) {
  const bool is_kept_from_zero = options.divide_eps > 0 && !options.divide.nested();  // else it is the inner divisor's
  return options.on_zero == OnZero::nan && !is_kept_from_zero ? std::numeric_limits<double>::quiet_NaN() : 0.0;
}

}  // namespace seqgrad
