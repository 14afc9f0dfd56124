// Selection, never multiplication: lengths, then mask, then ignore_index, then weights, then the range of ids.
#include "engine/loss/live_rows.h"

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "engine/loss/order_free_sum.h"

namespace seqgrad {
namespace {

template <class T>
void check_size(const std::optional<std::vector<T>>& v, int64_t want, const char* name, const char* shape,
                const char* hint = "") {
  if (v && static_cast<int64_t>(v->size()) != want)
    refuse("loss: {} has {} entries; expected {} = {}{}", name, v->size(), shape, want, hint);
}

void check_sizes(const LossInputs& in) {
  const int64_t cells = in.batch * in.steps;
  if (in.classes < 1) refuse("loss: the logits have no classes (V=0)");
  if (static_cast<int64_t>(in.targets.size()) != cells)
    refuse(
        "loss: targets have {} entries but logits are [B={},T={},V={}]; T must match (did you forget to shift or "
        "trim?)",
        in.targets.size(), in.batch, in.steps, in.classes);
  check_size(in.lengths, in.batch, "lengths", "[B]");
  check_size(in.mask, cells, "mask", "[B,T]");
  if (in.token_weight && in.batch != cells && static_cast<int64_t>(in.token_weight->size()) == in.batch)
    refuse("token_weight is [{}]; expected [{},{}]. Per-example weights go in example_weight", in.batch, in.batch,
           in.steps);
  check_size(in.token_weight, cells, "token_weight", "[B,T]");
  check_size(in.example_weight, in.batch, "example_weight", "[B]");
  check_size(in.class_weight, in.classes, "class_weight", "[V]");
  check_size(in.prior, in.classes, "prior", "[V]");
  if (in.lengths)
    for (int64_t b = 0; b < in.batch; ++b) {
      const int64_t l = (*in.lengths)[static_cast<size_t>(b)];
      if (l < 0) refuse("lengths[{}]={} is negative", b, l);
      if (l > in.steps) refuse("lengths[{}]={} exceeds T={}", b, l, in.steps);
    }
}

bool legal_weight(double w, bool allow_negative) { return std::isfinite(w) && (w >= 0 || allow_negative); }

void check_weights(const LossInputs& in, const LossOptions& options, const std::vector<uint8_t>& active) {
  const bool negative = options.allow_negative_weights;
  for (int64_t b = 0; b < in.batch; ++b) {
    bool any = false;
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      if (!active[n]) continue;
      any = true;
      if (in.token_weight && !legal_weight((*in.token_weight)[n], negative))
        refuse("token_weight(b={},t={}) = {}", b, t, (*in.token_weight)[n]);
    }
    if (any && in.example_weight && !legal_weight((*in.example_weight)[static_cast<size_t>(b)], negative))
      refuse("example_weight(b={}) = {}", b, (*in.example_weight)[static_cast<size_t>(b)]);
  }
  if (in.class_weight)
    for (int64_t v = 0; v < in.classes; ++v)
      if (!legal_weight((*in.class_weight)[static_cast<size_t>(v)], negative))
        refuse("class_weight(v={}) = {}", v, (*in.class_weight)[static_cast<size_t>(v)]);
  if (in.prior)
    for (int64_t v = 0; v < in.classes; ++v)
      if (!legal_weight((*in.prior)[static_cast<size_t>(v)], false))
        refuse("prior(v={}) = {}", v, (*in.prior)[static_cast<size_t>(v)]);
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
  std::vector<uint8_t> seen(static_cast<size_t>(batch), 0);
  for (const Cell& cell : cells) {
    ++c.active;
    c.nonzero += cell.weight != 0;
    c.active_batch += !seen[static_cast<size_t>(cell.b)]++;
    seen[static_cast<size_t>(cell.b)] = 1;
    weights.push_back(cell.weight);
    class_weights.push_back(cell.class_weight);
  }
  c.weight = order_free_sum(weights);
  c.class_weight = order_free_sum(class_weights);
  return c;
}

}  // namespace

LiveRows build_live_rows(const LossInputs& in, const LossOptions& options) {
  check_options(options, in.classes);
  check_sizes(in);
  if (options.divide.flat == "class_weight" && !in.class_weight)
    refuse("loss: divide: class_weight needs class weights");
  if (options.smoothing > 0 && options.smoothing_kind == SmoothingKind::prior && !in.prior)
    refuse("loss: smoothing.kind: prior needs a prior");

  std::vector<uint8_t> active(static_cast<size_t>(in.batch * in.steps), 0);
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      active[n] = (!in.lengths || t < (*in.lengths)[static_cast<size_t>(b)]) && (!in.mask || (*in.mask)[n]) &&
                  (!options.ignore_index || in.targets[n] != *options.ignore_index);
    }
  check_weights(in, options, active);

  LiveRows out;
  out.batch = in.batch;
  out.steps = in.steps;
  out.classes = in.classes;
  std::vector<Cell> cells;
  bool weightless = false;
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const auto n = static_cast<size_t>(b * in.steps + t);
      if (!active[n]) continue;
      double w = in.token_weight ? (*in.token_weight)[n] : 1.0;
      if (in.example_weight) w *= (*in.example_weight)[static_cast<size_t>(b)];
      const int64_t y = in.targets[n];
      const bool in_range = y >= 0 && y < in.classes;
      // A row of weight 0 is dead, and the id of a dead row may be anything; class weights of it cannot be asked for.
      if (w != 0 && !in_range)
        refuse("target id {} at (b={},t={}) is outside [0,{}); mask it or set ignore_index", y, b, t, in.classes);
      const double c = in.class_weight && in_range ? (*in.class_weight)[static_cast<size_t>(y)] : 1.0;
      const double omega = options.class_scope == ClassScope::target ? w * c : w;
      cells.push_back({b, t, omega, w * c});
      weightless |= omega == 0;
      if (omega != 0) out.rows.push_back({static_cast<int64_t>(n), y, omega});
    }
  if (options.smoothing > 0 && options.smoothing_kind == SmoothingKind::others_excluding)
    for (const LiveRow& r : out.rows)
      if (std::find(options.smoothing_excluding.begin(), options.smoothing_excluding.end(), r.target) !=
          options.smoothing_excluding.end())
        refuse("loss: id {} is excluded from smoothing but is the live target at (b={},t={})", r.target,
               r.row / in.steps, r.row % in.steps);

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
  const std::string& name = d.nested() ? d.batch : d.flat;
  out.divisor = name == "const" ? d.k : divisor(name).value(out.all);
  out.divisor_adds = name != "const" && divisor(name).adds;
  if (options.over != Over::all &&
      options.then != Then::nothing) {  // a folded vector divides twice; this is the outer one
    out.divisor = options.then == Then::mean ? static_cast<double>(out.groups.size()) : 1;
    out.divisor_adds = options.then == Then::mean && options.over != Over::batch;
  }
  if (weightless && (name == "active" || d.time == "active"))
    out.warnings.emplace_back("divisor `active` counts rows of weight 0");
  if ((name == "positions" || name == "steps" || d.time == "steps") && out.all.active < out.all.positions)
    out.warnings.push_back(fmt::format("divisor `{}` counts padding: {} of {} positions are not active", name,
                                       out.all.positions - out.all.active, out.all.positions));
  if (name == "active_minus_batch")
    out.warnings.emplace_back(
        "divisor `active_minus_batch` drops one token per sentence; kept for parity with OpenNMT-py");
  return out;
}

void share_counts(std::span<LiveRows> micro_batches, const LossOptions& options) {
  if (options.over != Over::batch) return;
  std::vector<Counts> all;
  for (const LiveRows& rows : micro_batches) {
    if (rows.groups.size() > all.size()) all.resize(rows.groups.size());
    for (size_t t = 0; t < rows.groups.size(); ++t) {
      Counts& c = all[t];
      const Counts& more = rows.groups[t];
      c.positions += more.positions;
      c.steps = std::max(c.steps, more.steps);
      c.batch += more.batch;
      c.active += more.active;
      c.nonzero += more.nonzero;
      c.active_batch += more.active_batch;
      c.weight += more.weight;
      c.class_weight += more.class_weight;
    }
  }
  for (LiveRows& rows : micro_batches) std::copy_n(all.begin(), rows.groups.size(), rows.groups.begin());
}

}  // namespace seqgrad
