// Padded rows change their shape only; rows that stand end to end are moved, and dead rows between them are zeros.
#include "engine/check/flat.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "engine/check/case_inputs.h"
#include "engine/loss/errors.h"

namespace seqgrad {
namespace {

struct Rows {
  int64_t flat = 0, batch = 1, steps = 0;
  std::vector<int64_t> lengths;  // of sentences that stand end to end; empty: padded already
};

Rows rows_of(int64_t n, const NamedArray* a) {
  if (!a || a->shape.size() != 1) return {n, 1, n, {}};
  std::vector<int64_t> lengths;
  for (const double x : to_doubles(*a)) lengths.push_back(static_cast<int64_t>(x));
  const auto b = static_cast<int64_t>(lengths.size());
  const bool whole = std::all_of(lengths.begin(), lengths.end(), [](int64_t l) { return l >= 0; });
  const int64_t longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  if (b > 0 && n % b == 0 && longest <= n / b) return {n, b, n / b, {}};
  const int64_t sum = whole && longest <= n ? std::accumulate(lengths.begin(), lengths.end(), int64_t{0}) : -1;
  if (sum == n) return {n, b, longest, lengths};
  refuse(LossCode::shape,
         "loss: {} flat rows with {} lengths up to {}; expected B·T rows (padded), or as many as the lengths add up to",
         n, b, longest);
}

// `row` units a row, of whatever type.
template <class Array>
Array moved(const Array& x, const Rows& rows, size_t row) {
  if (rows.lengths.empty()) return x;
  Array out(static_cast<size_t>(rows.batch * rows.steps) * row, {});
  auto from = x.begin();
  for (size_t b = 0; b < rows.lengths.size(); ++b) {
    const auto count = static_cast<std::ptrdiff_t>(static_cast<size_t>(rows.lengths[b]) * row);
    std::copy(from, from + count, out.begin() + static_cast<std::ptrdiff_t>(b * static_cast<size_t>(rows.steps) * row));
    from += count;
  }
  return out;
}

void reshape(std::vector<int64_t>& shape, const Rows& rows) {
  shape[0] = rows.batch;
  shape.insert(shape.begin() + 1, rows.steps);
}

}  // namespace

void unflatten(LossCase& c) {
  const NamedArray *x = nullptr, *targets = c.find("targets");
  for (const char* name : {"logits", "probs", "hidden"})
    if (const NamedArray* a = c.find(name)) x = a;
  const size_t rank = c.config->loss.options().target == Target::dense ? 2 : 1;
  if (c.layout != Layout::batch || !x || !targets || x->shape.size() != 2 || targets->shape.size() != rank) return;
  if (x->shape[0] != targets->shape[0]) return;  // refused by its shape
  const Rows rows = rows_of(x->shape[0], c.find("lengths"));
  const bool cells = c.config->loss.options().over == Over::none;
  const std::set<std::string> wide{"logits", "probs", "hidden", "d_logits", "d_probs", "d_hidden"};
  const std::set<std::string> narrow{"mask", "token_weight", "row_loss"};
  const std::set<std::string> results{"upstream", "value", "numerator", "divisor"};
  const auto has_rows = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const size_t want = name == "targets" ? rank : wide.count(name) ? 2 : 1;
    const bool one = narrow.count(name) || (cells && results.count(name));
    return (name == "targets" || wide.count(name) || one) && shape.size() == want && shape[0] == rows.flat;
  };
  for (NamedArray& a : c.tensors) {
    if (!has_rows(a.name, a.shape)) continue;
    if (rows.flat > 0) a.bytes = moved(a.bytes, rows, a.bytes.size() / static_cast<size_t>(rows.flat));
    reshape(a.shape, rows);
  }
  for (std::vector<Values>* all : {&c.gold, &c.peer})
    for (Values& v : *all) {
      if (!has_rows(v.name, v.shape)) continue;
      if (rows.flat > 0) v.numbers = moved(v.numbers, rows, v.numbers.size() / static_cast<size_t>(rows.flat));
      reshape(v.shape, rows);
    }
}

}  // namespace seqgrad
