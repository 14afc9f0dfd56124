// Changes of weights.
#include <algorithm>

#include "engine/naming/edits.h"

namespace seqgrad {
namespace {

template <class T>
bool drop(std::optional<T>& x) {
  const bool there = x.has_value();
  x.reset();
  return there;
}

bool drop_all(Variant& x) {
  const bool examples = drop(x.inputs.example_weight);
  return drop(x.inputs.token_weight) && examples;
}

template <class F>
bool each(std::optional<std::vector<double>>& x, const F& f) {
  if (!x) return false;
  const std::vector<double> before = *x;
  for (double& w : *x) w = f(w);
  return before != *x;
}

double square(double w) { return w * w; }
double is_nonzero(double w) { return w != 0 ? 1 : 0; }

// Token weights divided by their sum over those that count: of the batch, or of each sentence.
bool normalize(Variant& x, bool by_example) {
  LossInputs& in = x.inputs;
  if (!in.token_weight) return false;
  const std::vector<uint8_t> m = active_cells(in, x.options);
  std::vector<double> sums(static_cast<size_t>(in.batch), 0.0);
  double all = 0;
  for (size_t n = 0; n < m.size(); ++n)
    if (m[n]) {
      sums[n / static_cast<size_t>(in.steps)] += (*in.token_weight)[n];
      all += (*in.token_weight)[n];
    }
  for (size_t n = 0; n < m.size(); ++n) {
    const double by = by_example ? sums[n / static_cast<size_t>(in.steps)] : all;
    (*in.token_weight)[n] = by == 0 ? 0 : (*in.token_weight)[n] / by;
  }
  return true;
}

constexpr EditGroup weights = EditGroup::weights;

const Edit weight_table[] = {
    {"weights:token_dropped", "with the token weights left out", weights, false, true, true,
     [](Variant& x) { return drop(x.inputs.token_weight); }, anywhere},
    {"weights:example_dropped", "with the example weights left out", weights, false, true, true,
     [](Variant& x) { return drop(x.inputs.example_weight); }, anywhere},
    {"weights:dropped", "with token and example weights left out", weights, false, true, true, drop_all, anywhere},
    {"weights:class_dropped", "with the class weights left out", weights, true, true, true,
     [](Variant& x) { return drop(x.inputs.class_weight); }, anywhere},
    {"weights:class_scope", "with class weights of the other scope", weights, true, true, false,
     [](Variant& x) {
       ClassScope& s = x.options.class_scope;
       s = s == ClassScope::target ? ClassScope::per_class : ClassScope::target;
       return x.inputs.class_weight && (x.options.smoothing > 0 || !x.inputs.dense.empty());
     },
     anywhere},
    {"weights:squared", "with token weights squared", weights, false, true, true,
     [](Variant& x) { return each(x.inputs.token_weight, square); }},
    {"weights:squared", "with example weights squared", weights, false, true, true,
     [](Variant& x) { return each(x.inputs.example_weight, square); }},
    {"weights:squared", "with class weights squared", weights, true, true, true,
     [](Variant& x) { return each(x.inputs.class_weight, square); }},
    {"weights:binarized", "with 1 for every token weight other than 0", weights, false, true, true,
     [](Variant& x) { return each(x.inputs.token_weight, is_nonzero); }},
    {"weights:normalized_twice", "with token weights divided by their sum first", weights, false, true, true,
     [](Variant& x) { return normalize(x, false); }},
    {"weights:normalized", "with token weights divided by their sum in each sentence", weights, false, true, true,
     [](Variant& x) { return normalize(x, true); }},
};

}  // namespace

std::span<const Edit> weight_edits() { return weight_table; }

}  // namespace seqgrad
