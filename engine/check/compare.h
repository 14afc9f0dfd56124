// Two arrays element by element, and the line that says how they differ: by how much, where, and what it looks like.
#pragma once
#include "engine/check/case.h"

namespace seqgrad {

// |seqgrad - recorded| <= absolute + relative·|recorded|; or the same bits; or so many units in the last place.
struct Limits {
  std::vector<double> absolute{0.0};  // of each element, or one for all
  double relative = 0;
  bool exact = false;
  std::optional<double> ulps;
  std::string basis;  // what the limits are those of: "bf16 arithmetic, V=5000"

  double at(size_t i, double want) const;
  std::string text(size_t i, double want) const;  // "rel 2e-6", "abs 1e-7"; the greater part, and the basis
};

// What the two sides are called: seqgrad's number beside the recorded one, or two files.
struct Sides {
  const char *got = "seqgrad", *want = "recorded";
};

struct Comparison {
  std::string name;
  int64_t total = 0;
  std::vector<size_t> failing;  // places of the elements that differ
  size_t worst = 0;
  double worst_abs = 0, worst_rel = 0, worst_ulp = 0;  // over all elements, within the limits or not
  double worst_share = 0;                              // of its limit, the same
  std::optional<double> ratio;                         // want/got where it is the same at all that differ, 2 at least
  // "d_logits[2,5,7] seqgrad … recorded …  abs … rel … ulp …  limit …  (61/180 elements, …)  hint: …"
  std::string line;
  bool passed() const { return failing.empty() && line.empty(); }
};

// `axes` name the dimensions ("sentence", "step", "class"); without them a place is told by dimension and index. ulps
// are those of `dtype`.
Comparison compare(const Values& got, const Values& want, const Limits& limits, DType dtype, bool nan_equal,
                   const std::vector<std::string>& axes = {}, Sides sides = {});

double ulps_between(double a, double b, DType dtype);
std::string ulps_text(double ulps);  // "3", "12,345", "over a million", "nan"

// A ratio as a fraction of small whole numbers ("15/16", "3"); "" when it is none.
std::string fraction(double ratio);

}  // namespace seqgrad
