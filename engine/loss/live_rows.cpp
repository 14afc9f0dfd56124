// Selection, never multiplication: lengths, then mask, then ignore_index, then weights, then the range of ids.
#include "engine/loss/live_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/loss/errors.h"
#include "engine/loss/order_free_sum.h"

namespace seqgrad {
namespace {

constexpr double sum_tolerance = 1e-4;  // of distributions: what float32 and a file's digits lose

template <class T>
void check_size(const std::optional<std::vector<T>>& v, int64_t want, const char* name, const char* shape,
                const char* hint = "") {
  if (v && static_cast<int64_t>(v->size()) != want)
    refuse(LossCode::shape, "loss: {} has {} entries; expected {} = {}{}", name, v->size(), shape, want, hint);
}

void check_sizes(const LossInputs& in, const LossOptions& options) {
  const int64_t cells = in.batch * in.steps;
  if (in.classes < 1) refuse(LossCode::combination, "loss: the logits have no classes (V=0)");
  const bool dense = options.target == Target::dense;
  if (const size_t got = dense ? in.dense.size() + in.dense_f32.size() : in.targets.size();
      static_cast<int64_t>(got) != (dense ? cells * in.classes : cells))
    refuse(LossCode::shape,
           "loss: targets have {} entries but logits are [B={},T={},V={}]; T must match (did you forget to shift or "
           "trim?)",
           got, in.batch, in.steps, in.classes);
  check_size(in.lengths, in.batch, "lengths", "[B]");
  const auto per_example = [&](size_t size) { return in.batch != cells && static_cast<int64_t>(size) == in.batch; };
  if (in.mask && per_example(in.mask->size()))
    refuse(LossCode::per_example, "mask is [{}]; expected [{},{}]. Per-example lengths go in lengths", in.batch,
           in.batch, in.steps);
  check_size(in.mask, cells, "mask", "[B,T]");
  if (in.token_weight && per_example(in.token_weight->size()))
    refuse(LossCode::per_example, "token_weight is [{}]; expected [{},{}]. Per-example weights go in example_weight",
           in.batch, in.batch, in.steps);
  check_size(in.token_weight, cells, "token_weight", "[B,T]");
  check_size(in.example_weight, in.batch, "example_weight", "[B]");
  check_size(in.class_weight, in.classes, "class_weight", "[V]");
  check_size(in.prior, in.classes, "prior", "[V]");
  if (in.class_weight && dense && options.class_scope == ClassScope::target)
    refuse(LossCode::class_weights,
           "loss: class weights of scope: target need target: ids; with target: dense write scope: class");
  if (in.class_weight && options.input == Input::probs && options.class_scope == ClassScope::per_class)
    refuse(LossCode::class_weights,
           "loss: class weights of scope: class have no meaning with input: probs; write scope: target");
}

void check_lengths(const LossInputs& in) {
  if (in.lengths)
    for (int64_t b = 0; b < in.batch; ++b) {
      const int64_t l = (*in.lengths)[static_cast<size_t>(b)];
      if (l < 0) refuse(LossCode::length, "lengths[{}]={} is negative", b, l);
      if (l > in.steps) refuse(LossCode::length, "lengths[{}]={} exceeds T={}", b, l, in.steps);
    }
}

template <class... At>
void check_weight(double w, bool allow_negative, fmt::format_string<const At&...> name, const At&... at) {
  if (std::isfinite(w) && (w >= 0 || allow_negative)) return;
  refuse(LossCode::weight, "{} = {}; expected a finite number{}", fmt::format(name, at...), w,
         allow_negative ? "" : " of at least 0");
}

void check_weights(const LossInputs& in, const LossOptions& options, const std::vector<uint8_t>& active) {
  const bool negative = options.allow_negative_weights;
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      if (!active[n]) continue;
      if (in.token_weight) check_weight((*in.token_weight)[n], negative, "token_weight(b={},t={})", b, t);
      if (in.example_weight)
        check_weight((*in.example_weight)[static_cast<size_t>(b)], negative, "example_weight(b={})", b);
    }
  if (in.class_weight)
    for (int64_t v = 0; v < in.classes; ++v)
      check_weight((*in.class_weight)[static_cast<size_t>(v)], negative, "class_weight(v={})", v);
  if (in.prior) {
    for (int64_t v = 0; v < in.classes; ++v) check_weight((*in.prior)[static_cast<size_t>(v)], false, "prior(v={})", v);
    const double sum = std::accumulate(in.prior->begin(), in.prior->end(), 0.0);
    if (!(std::abs(sum - 1) <= sum_tolerance))
      refuse(LossCode::weight, "prior sums to {:.6g}; expected probabilities, which sum to 1", sum);
  }
}

std::vector<uint8_t> active_cells(const LossInputs& in, const LossOptions& options) {
  std::vector<uint8_t> active(static_cast<size_t>(in.batch * in.steps), 0);
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      active[n] = (!in.lengths || t < (*in.lengths)[static_cast<size_t>(b)]) && (!in.mask || (*in.mask)[n]) &&
                  (!options.ignore_index || in.targets[n] != *options.ignore_index);
    }
  return active;
}

std::string with_point(double x) {
  const std::string text = fmt::format("{}", x);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

// What one pass over a row of dense targets finds, four classes at a time.
struct DenseScan {
  double sum = 0, largest = 0;
  int64_t nonzero = 0, subnormal = 0;
  bool finite = true;  // and nothing is below 0

  bool in_place() const { return subnormal == 0 && nonzero != 1; }
};
template <class T>
DenseScan scan_row(const T* q, int64_t n) {
  constexpr int64_t w = 4;
  double sums[w] = {}, tops[w] = {};
  int64_t nonzero[w] = {}, subnormal[w] = {}, odd[w] = {};
  const auto see = [&](int64_t j, double x) {
    sums[j] += x;
    tops[j] = x > tops[j] ? x : tops[j];
    nonzero[j] += x != 0;
    subnormal[j] += x > 0 && x < static_cast<double>(std::numeric_limits<T>::min());
    odd[j] += !(x >= 0 && x <= std::numeric_limits<double>::max());
  };
  int64_t v = 0;
  for (; v + w <= n; v += w)
    for (int64_t j = 0; j < w; ++j) see(j, static_cast<double>(q[v + j]));
  for (; v < n; ++v) see(v % w, static_cast<double>(q[v]));
  DenseScan out;
  for (int64_t j = 0; j < w; ++j) {
    out.sum += sums[j];
    out.largest = std::max(out.largest, tops[j]);
    out.nonzero += nonzero[j];
    out.subnormal += subnormal[j];
    out.finite &= odd[j] == 0;
  }
  return out;
}

template <class T>
void check_dense(const LossInputs& in, const LossOptions& options, int64_t n, const T* q, const DenseScan& scan) {
  const int64_t b = n / in.steps, t = n % in.steps;
  for (int64_t v = 0; v < in.classes && !scan.finite; ++v)
    if (!(q[v] >= 0 && std::isfinite(q[v])))
      refuse(LossCode::dense_row, "dense target (b={},t={},v={}) is {}; expected a finite number of at least 0", b, t,
             v, with_point(static_cast<double>(q[v])));
  if (options.dense_sum == DenseSum::require && !(std::abs(scan.sum - 1) <= sum_tolerance))
    refuse(LossCode::dense_row, "dense target row (b={},t={}) sums to {}; {}", b, t, with_point(scan.sum),
           scan.sum == 0             ? "zero rows are not a mask – use mask/lengths, or dense_sum: allow"
           : std::isfinite(scan.sum) ? "expected 1: dense_sum: normalize divides by it, or dense_sum: allow"
                                     : "its numbers are too large to be added up");
  if (options.dense_sum == DenseSum::normalize && (scan.sum == 0 || !std::isfinite(scan.sum)))
    refuse(LossCode::dense_row,
           "dense target row (b={},t={}) sums to {} and cannot be normalized; use mask/lengths to leave it out", b, t,
           with_point(scan.sum));
}

// Appends a row of dense targets to those before; they are of a batch of `cells` rows.
template <class T>
LiveRow add_row(LiveRow row, const DenseScan& scan, const T* q, int64_t classes, int64_t cells, std::vector<T>& to) {
  if (to.empty()) to.reserve(static_cast<size_t>((cells - row.row) * classes));
  row.dense = static_cast<int64_t>(to.size());
  row.q_sum = scan.sum;
  row.in_place = scan.in_place();
  to.insert(to.end(), q, q + classes);
  return row;
}

// A row of dense targets, checked (E09). One that is one-hot becomes an id, so that both forms are the same arithmetic;
// any other is appended to `dense`: as it was given, or what it was divided by its sum to, which is float64.
template <class T>
LiveRow dense_row(const LossInputs& in, const LossOptions& options, int64_t n, const std::vector<T>& given,
                  std::vector<T>& as_given, std::vector<double>& divided) {
  const T* q = given.data() + n * in.classes;
  const DenseScan scan = scan_row(q, in.classes);
  check_dense(in, options, n, q, scan);
  const bool normalizes = options.dense_sum == DenseSum::normalize;
  const LiveRow row{n, std::find(q, q + in.classes, static_cast<T>(scan.largest)) - q, -1, 0};
  if (scan.nonzero == 1 && static_cast<double>(q[row.target]) == (normalizes ? scan.sum : 1)) return row;
  if (!normalizes) return add_row(row, scan, q, in.classes, in.batch * in.steps, as_given);
  std::vector<double> own(q, q + in.classes);
  for (double& x : own) x /= scan.sum;
  return add_row(row, scan_row(own.data(), in.classes), own.data(), in.classes, in.batch * in.steps, divided);
}
LiveRow dense_row(const LossInputs& in, const LossOptions& options, int64_t n, DenseRows& dense) {
  return in.dense.empty() ? dense_row(in, options, n, in.dense_f32, dense.f32, dense.f64)
                          : dense_row(in, options, n, in.dense, dense.f64, dense.f64);
}

LiveRow id_row(const LossInputs& in, int64_t n) {
  const int64_t y = in.targets[static_cast<size_t>(n)];
  if (y < 0 || y >= in.classes)
    refuse(LossCode::target_id, "target id {} at (b={},t={}) is outside [0,{}); mask it or set ignore_index", y,
           n / in.steps, n % in.steps, in.classes);
  return {n, y, -1, 0};
}

// Σ_v c_v q_v of a row.
double class_weight_of(const LossInputs& in, const LiveRow& row, const Distribution& q) {
  if (!in.class_weight) return 1;
  if (!q) return (*in.class_weight)[static_cast<size_t>(row.target)];
  double sum = 0;
  for (int64_t v = 0; v < in.classes; ++v) sum += (*in.class_weight)[static_cast<size_t>(v)] * q[v];
  return sum;
}

// One active cell as the divisors see it.
struct Cell {
  int64_t b, t;
  double weight, class_weight;
};

Counts count(const std::vector<Cell>& cells, int64_t batch, int64_t steps, int64_t positions) {
  Counts c;
  c.positions = positions;
  c.batch = batch;
  c.steps = steps;
  std::vector<double> weights, class_weights;
  int64_t last = -1;  // cells come by ascending example
  for (const Cell& cell : cells) {
    ++c.active;
    c.nonzero += cell.weight != 0;
    c.active_batch += cell.b != last;
    last = cell.b;
    weights.push_back(cell.weight);
    class_weights.push_back(cell.class_weight);
  }
  c.weight = order_free_sum(weights);
  c.class_weight = order_free_sum(class_weights);
  return c;
}

void count_divisors(const LossInputs& in, const LossOptions& options, const std::vector<Cell>& cells, LiveRows& out) {
  out.all = count(cells, in.batch, in.steps, in.batch * in.steps);
  const Divide& d = options.divide;
  if (options.over != Over::all || d.nested()) {
    const bool by_time = options.over == Over::batch, by_cell = options.over == Over::none;
    const int64_t groups = by_cell ? in.batch * in.steps : by_time ? in.steps : in.batch;
    std::vector<std::vector<Cell>> parts(static_cast<size_t>(groups));
    for (const Cell& c : cells)
      parts[static_cast<size_t>(by_cell ? c.b * in.steps + c.t : by_time ? c.t : c.b)].push_back(c);
    for (const auto& p : parts)
      out.groups.push_back(count(p, in.batch, in.steps, by_cell ? 1 : by_time ? in.batch : in.steps));
  }
  out.divisor = divisor_value(d, d.nested() ? d.batch : d.flat, out.all);
  out.divisor_adds = divisor_adds(options);
  if (options.over != Over::all && options.then != Then::nothing) {  // a folded vector divides twice; this is the outer
    out.divisor = options.then == Then::mean ? static_cast<double>(out.groups.size()) : 1;
  }
}

void warn(const LossOptions& options, const std::vector<Cell>& cells, LiveRows& out) {
  const Divide& d = options.divide;
  const auto divides_by = [&](const char* name) { return d.flat == name || d.time == name || d.batch == name; };
  const auto weightless = std::find_if(cells.begin(), cells.end(), [](const Cell& c) { return c.weight == 0; });
  if (weightless != cells.end() && divides_by("active"))
    out.warnings.push_back({"active counts weight 0",
                            fmt::format("divisor `active` counts {} positions of weight 0, the first at (b={},t={})",
                                        out.all.active - out.all.nonzero, weightless->b, weightless->t)});
  const auto live = static_cast<int64_t>(out.rows.size());
  if ((divides_by("positions") || divides_by("steps")) && live < out.all.positions) {
    int64_t dead = 0;  // the first: live rows come in order
    while (dead < live && out.rows[static_cast<size_t>(dead)].row == dead) ++dead;
    out.warnings.push_back(
        {"padding counts",
         fmt::format("divisor `{}` counts {} of {} positions that are masked or have weight 0, the "
                     "first at (b={},t={})",
                     str(d), out.all.positions - live, out.all.positions, dead / out.steps, dead % out.steps)});
  }
  if (divides_by("active_minus_batch"))
    out.warnings.push_back({"active_minus_batch",
                            "divisor `active_minus_batch` drops one token per sentence; kept for parity with "
                            "OpenNMT-py"});
}

}  // namespace

LiveRows build_live_rows(const LossInputs& in, const LossOptions& options) {
  check_options(options, in.classes);
  if (options.divide.flat == "class_weight" && !in.class_weight)
    refuse(LossCode::unknown_option, "loss: divide: class_weight needs class weights");
  if (options.smoothing > 0 && options.smoothing_kind == SmoothingKind::prior && !in.prior)
    refuse(LossCode::unknown_option, "loss: smoothing.kind: prior needs a prior");
  check_sizes(in, options);
  check_lengths(in);
  const std::vector<uint8_t> active = active_cells(in, options);
  check_weights(in, options, active);

  LiveRows out;
  out.batch = in.batch;
  out.steps = in.steps;
  out.classes = in.classes;
  out.whole_sentences = in.whole_sentences;
  out.all_lengths_zero =
      in.lengths && std::all_of(in.lengths->begin(), in.lengths->end(), [](int64_t l) { return l == 0; });
  std::vector<Cell> cells;
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const int64_t n = b * in.steps + t;
      if (!active[static_cast<size_t>(n)]) continue;
      double w = in.token_weight ? (*in.token_weight)[static_cast<size_t>(n)] : 1.0;
      if (in.example_weight) w *= (*in.example_weight)[static_cast<size_t>(b)];
      cells.push_back({b, t, 0, 0});
      if (w == 0) continue;  // dead: its target may be anything, and is not looked at
      LiveRow row = options.target == Target::dense ? dense_row(in, options, n, out.dense) : id_row(in, n);
      row.class_weight = class_weight_of(in, row, out.distribution(row));
      row.weight = options.class_scope == ClassScope::target ? w * row.class_weight : w;
      cells.back().weight = row.weight;
      cells.back().class_weight = w * row.class_weight;
      if (row.weight != 0) out.rows.push_back(row);
    }
  if (options.smoothing > 0 && options.smoothing_kind == SmoothingKind::others_excluding)
    for (const LiveRow& r : out.rows)
      if (std::find(options.smoothing_excluding.begin(), options.smoothing_excluding.end(), r.target) !=
          options.smoothing_excluding.end())
        refuse(LossCode::range, "loss: id {} is excluded from smoothing but is the live target at (b={},t={})",
               r.target, r.row / in.steps, r.row % in.steps);
  count_divisors(in, options, cells, out);
  warn(options, cells, out);
  return out;
}

void share_counts(std::span<LiveRows> micro_batches, const LossOptions& options) {
  int64_t batch = 0, steps = 0;
  std::vector<Counts> by_step;  // entries of `over: batch` sum over the examples of all micro-batches
  for (const LiveRows& rows : micro_batches) {
    batch += rows.batch;
    steps = std::max(steps, rows.steps);
    if (options.over != Over::batch) continue;
    if (rows.groups.size() > by_step.size()) by_step.resize(rows.groups.size());
    for (size_t t = 0; t < rows.groups.size(); ++t) add_counts(by_step[t], rows.groups[t]);
  }
  for (LiveRows& rows : micro_batches) {
    if (options.over == Over::batch) std::copy_n(by_step.begin(), rows.groups.size(), rows.groups.begin());
    for (Counts& c : rows.groups) {
      if (options.over == Over::time) c.positions = steps;
      c.batch = batch;
      c.steps = steps;
    }
  }
}

std::vector<size_t> live_rows_of(const LiveRows& whole, std::span<const int64_t> examples) {
  std::vector<size_t> out;
  size_t i = 0;
  for (const int64_t b : examples) {
    while (i < whole.rows.size() && whole.rows[i].row < b * whole.steps) ++i;
    for (; i < whole.rows.size() && whole.rows[i].row < (b + 1) * whole.steps; ++i) out.push_back(i);
  }
  return out;
}

LiveRows index_select(const LiveRows& whole, std::span<const int64_t> examples, const LossOptions& options) {
  LiveRows out;
  out.batch = static_cast<int64_t>(examples.size());
  out.steps = whole.steps;
  out.classes = whole.classes;
  for (const size_t i : live_rows_of(whole, examples)) {
    LiveRow row = whole.rows[i];
    const auto b = std::lower_bound(examples.begin(), examples.end(), row.row / whole.steps) - examples.begin();
    row.row = b * whole.steps + row.row % whole.steps;
    out.rows.push_back(row);
  }
  out.dense = whole.dense;
  out.all = whole.all;
  const bool by_example = !whole.groups.empty() && options.over != Over::batch;
  const int64_t width = by_example ? std::ssize(whole.groups) / whole.batch : 0;
  if (!by_example) out.groups = whole.groups;
  for (const int64_t b : examples)
    out.groups.insert(out.groups.end(), whole.groups.begin() + b * width, whole.groups.begin() + (b + 1) * width);
  out.divisor = whole.divisor;
  out.divisor_adds = whole.divisor_adds;
  out.all_lengths_zero = whole.all_lengths_zero;
  out.whole_sentences = whole.whole_sentences;
  return out;
}

}  // namespace seqgrad
