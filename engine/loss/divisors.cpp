// The table of divisors.
#include "engine/loss/divisors.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

// clang-format off
const Divisor table[] = {
    // name               formula                       unit        words, value                                                                             inner  outer  adds
    {"one",                "1",                          "", "nothing",         [](const Counts&) { return 1.0; },                                                true,  true, false},
    {"positions",          "cells, padding included",    "/padded", "all cells, padding included",  [](const Counts& c) { return static_cast<double>(c.positions); },                 false, false, true},
    {"steps",              "T",                          "/step", "steps",    [](const Counts& c) { return static_cast<double>(c.steps); },                     true,  false, false},
    {"batch",              "B",                          "/sent", "sentences",    [](const Counts& c) { return static_cast<double>(c.batch); },                     false, true, true},
    {"active_batch",       "examples with active rows",  "/sent", "sentences with active tokens",    [](const Counts& c) { return static_cast<double>(c.active_batch); },              false, true, true},
    {"active",             "Σ m",                        "/tok", "active tokens",     [](const Counts& c) { return static_cast<double>(c.active); },                    true,  false, true},
    {"nonzero",            "#{ω ≠ 0}",                   "/nonzero", "tokens of weight other than 0", [](const Counts& c) { return static_cast<double>(c.nonzero); },                   true,  false, true},
    {"weight",             "Σ ω",                        "/weight", "sum of weights",  [](const Counts& c) { return c.weight; },                                         true,  false, true},
    {"class_weight",       "Σ m·w·Σ_v c_v q_v",          "/classw", "sum of class weights",  [](const Counts& c) { return c.class_weight; },                                   false, false, true},
    {"active_minus_batch", "Σ m − B",                    "/tok-B", "active tokens less one a sentence",   [](const Counts& c) { return static_cast<double>(std::max<int64_t>(0, c.active - c.batch)); }, false, false, true},
};
// clang-format on

}  // namespace

std::span<const Divisor> divisors() { return table; }

std::vector<std::string> divisor_names() {
  std::vector<std::string> names;
  for (const Divisor& d : table) names.emplace_back(d.name);
  return names;
}

std::string str(const Divide& d) {
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

}  // namespace seqgrad
