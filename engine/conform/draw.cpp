// A batch is drawn ragged, then its reason changes one thing of it: a new reason is one row of the table.
#include "engine/conform/draw.h"

#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/core/random.h"

namespace seqgrad {
namespace {

struct Sizes {
  int64_t batch, steps, classes;
};
enum Form { wide, one_example, one_step };  // which of the shapes a reason wants

// All that a reason may change. Cells are [B,T].
struct Draft {
  const Program& program;
  Random& random;
  LossBatch& batch;
  std::vector<int64_t>& lengths;  // live tokens of each example, before a shift takes its first column
  int64_t steps;                  // that can be live

  LossInputs& in() const { return batch.inputs; }
  int64_t below(int64_t n) const { return static_cast<int64_t>(random.below(static_cast<uint64_t>(n))); }
  double eighths(int64_t least, int64_t most) const { return static_cast<double>(least + below(most - least + 1)) / 8; }
  int64_t id() const {  // never the one that means dead
    for (;;)
      if (const int64_t y = below(in().classes); y != program.ignore || in().classes < 2) return y;
  }
};

struct Reason {
  const char* words;
  bool (*applies)(const Program& p);
  Form form;
  void (*lengths)(Draft& d);  // before the cells are drawn; null: ragged
  void (*change)(Draft& d);   // after; null: nothing
};

bool always(const Program&) { return true; }
bool has_ids(const Program& p) { return p.takes_input("targets") || p.takes_input("labels"); }
bool has_weights(const Program& p) { return p.takes_input("token_weight") || p.takes_input("example_weight"); }
bool has_holes(const Program& p) {
  return !p.takes_input("lengths") && (p.takes_input("mask") || p.takes_input("labels"));
}
bool has_rows_of_classes(const Program& p) { return p.kind != PredictionKind::row_loss; }
bool any_steps(const Program& p) { return !p.steps; }

void every_length(Draft& d, int64_t length) { std::fill(d.lengths.begin(), d.lengths.end(), length); }
void empty_one(Draft& d, size_t at) {
  if (d.lengths.size() > 1) d.lengths[at] = 0;
}
void every_target(Draft& d, int64_t (*choose)(Draft&)) {
  for (int64_t& y : d.in().targets)
    if (const int64_t id = choose(d); id != d.program.ignore) y = id;
}
template <class F>
void every_weight(Draft& d, const F& draw) {
  for (auto* weights : {&d.in().token_weight, &d.in().example_weight})
    if (*weights)
      for (double& w : **weights) w = draw();
}

const Reason reasons[] = {
    {"ragged", always, wide, nullptr, nullptr},
    {"an empty example, the first", always, wide, [](Draft& d) { empty_one(d, 0); }, nullptr},
    {"an empty example in the middle", always, wide, [](Draft& d) { empty_one(d, d.lengths.size() / 2); }, nullptr},
    {"an empty example, the last", always, wide, [](Draft& d) { empty_one(d, d.lengths.size() - 1); }, nullptr},
    {"all full", always, wide, [](Draft& d) { every_length(d, d.steps); }, nullptr},
    {"lengths of 1", always, wide, [](Draft& d) { every_length(d, 1); }, nullptr},
    {"one live token in all", always, wide,
     [](Draft& d) {
       every_length(d, 0);
       d.lengths[static_cast<size_t>(d.below(static_cast<int64_t>(d.lengths.size())))] = 1;
     },
     nullptr},
    {"lengths equal", always, wide, [](Draft& d) { every_length(d, (d.steps + 1) / 2); }, nullptr},
    {"one step", any_steps, one_step, [](Draft& d) { every_length(d, 1); }, nullptr},
    {"one example", always, one_example, nullptr, nullptr},
    {"the pad id among live targets", has_ids, wide, nullptr,
     [](Draft& d) { every_target(d, [](Draft& x) { return x.below(2) ? x.id() : int64_t{0}; }); }},
    {"targets 0 and V-1", has_ids, wide, nullptr,
     [](Draft& d) { every_target(d, [](Draft& x) { return x.below(2) * (x.in().classes - 1); }); }},
    {"the same target everywhere", has_ids, wide, nullptr,
     [](Draft& d) { std::fill(d.in().targets.begin(), d.in().targets.end(), d.id()); }},
    {"holes in the mask", has_holes, wide, nullptr,
     [](Draft& d) {
       for (uint8_t& m : *d.in().mask) m &= static_cast<uint8_t>(d.below(3) > 0);
     }},
    {"some weights 0", has_weights, wide, nullptr,
     [](Draft& d) { every_weight(d, [&] { return d.below(3) ? d.eighths(4, 16) : 0; }); }},
    {"fractional weights", has_weights, wide, nullptr,
     [](Draft& d) { every_weight(d, [&] { return d.eighths(1, 7); }); }},
    {"weights above 1", has_weights, wide, nullptr,
     [](Draft& d) { every_weight(d, [&] { return d.eighths(9, 40); }); }},
    {"equal weights", has_weights, wide, nullptr,
     [](Draft& d) {
       const double w = d.eighths(2, 7);
       every_weight(d, [&] { return w; });
     }},
    {"equal logits", has_rows_of_classes, wide, nullptr,
     [](Draft& d) { std::fill(d.batch.x.begin(), d.batch.x.end(), 0.0); }},
    {"one logit above all", has_rows_of_classes, wide, nullptr,
     [](Draft& d) {
       const auto width = static_cast<size_t>(d.batch.width());
       // A probability below 1e-7 is clipped by those who take probabilities: that is a matter of its own.
       const double top = d.program.kind == PredictionKind::logits ? 15 : 6;
       for (size_t at = 0; at < d.batch.x.size(); at += width)
         d.batch.x[at + static_cast<size_t>(d.below(static_cast<int64_t>(width)))] += top;
     }},
};

// Six at most: four wide ones that differ in every size, one of a single example, one of a single step.
std::vector<Sizes> draw_shapes(const Program& p, const DrawOptions& o, Random& random) {
  const auto between = [&](int64_t least, int64_t most) {
    least = std::min(least, most);
    return least + static_cast<int64_t>(random.below(static_cast<uint64_t>(most - least + 1)));
  };
  const int64_t classes = p.kind == PredictionKind::row_loss ? 1 : p.classes.value_or(0), shift = p.shifts ? 1 : 0;
  std::vector<Sizes> out;
  const int64_t steps = std::max(o.steps, 2 + shift);
  const int64_t square = std::min({o.batch, steps, int64_t{5}});
  out.push_back({between(o.batch - 1, o.batch), between(steps - 1, steps),
                 between(std::max<int64_t>(3, o.classes - 2), o.classes)});
  out.push_back(
      {between(3, 4), between(steps / 2 + 1, steps / 2 + 2), between(3, std::max<int64_t>(3, o.classes / 2))});
  out.push_back({square, std::max(square, 2 + shift), between(4, o.classes)});
  out.push_back({between(3, o.batch), between(3, 4) + shift, 3});
  out.push_back({1, between(steps / 2 + 1, steps), between(3, o.classes)});
  out.push_back({between(3, o.batch), 1 + shift, between(3, o.classes)});
  for (Sizes& s : out) {
    if (classes > 0) s.classes = classes;
    if (p.steps) s.steps = *p.steps;
    s.batch = std::min(s.batch, o.batch);
  }
  return out;
}

void ragged_lengths(Draft& d) {
  // The longest fills the batch, as where batches are made, but for one batch in three.
  const int64_t longest = d.steps > 2 && d.below(3) == 0 ? d.steps - 1 : d.steps;
  for (int64_t& length : d.lengths) length = 1 + d.below(longest);
  if (d.lengths.size() > 1) {
    const auto n = static_cast<int64_t>(d.lengths.size());
    const int64_t full = d.below(n), cut = (full + 1 + d.below(n - 1)) % n;
    d.lengths[static_cast<size_t>(full)] = longest;
    d.lengths[static_cast<size_t>(cut)] =
        std::max<int64_t>(1, longest - 1 - d.below(std::max<int64_t>(1, longest / 2)));
  } else if (d.steps > 1) {
    d.lengths[0] = 1 + d.below(d.steps - 1);
  }
}

void softmax(std::vector<double>& x, size_t width, bool logarithms) {
  for (size_t at = 0; at < x.size(); at += width) {
    const double top = *std::max_element(x.begin() + static_cast<std::ptrdiff_t>(at),
                                         x.begin() + static_cast<std::ptrdiff_t>(at + width));
    double sum = 0;
    for (size_t v = at; v < at + width; ++v) sum += std::exp(x[v] - top);
    for (size_t v = at; v < at + width; ++v)
      x[v] = logarithms ? x[v] - top - std::log(sum) : std::exp(x[v] - top) / sum;
  }
}

void draw_prediction(Draft& d) {
  LossBatch& b = d.batch;
  const LossInputs& in = b.inputs;
  const auto cells = static_cast<size_t>(in.batch * in.steps), v = static_cast<size_t>(in.classes);
  constexpr size_t hidden_width = 4;
  constexpr double spread = 1.5;
  const bool hidden = b.kind == PredictionKind::hidden;
  const auto normal = [&](size_t n, double size) {
    std::vector<double> x(n);
    for (double& value : x) value = size * d.random.normal();
    return x;
  };
  b.x = normal(cells * (hidden ? hidden_width : v), hidden ? 1 : spread);
  if (hidden) b.weight = normal(v * hidden_width, 0.75);
  if (hidden && d.program.takes_input("bias")) b.bias = normal(v, 0.5);
  if (b.kind == PredictionKind::row_loss)
    for (double& x : b.x) x = std::abs(x) + 0.125;
}

// Distributions in eighths, which every dtype holds: a few one-hot, most of several classes.
void draw_dense(Draft& d) {
  LossInputs& in = d.in();
  const auto v = static_cast<size_t>(in.classes);
  in.dense.assign(static_cast<size_t>(in.batch * in.steps) * v, 0.0);
  for (size_t at = 0; at < in.dense.size(); at += v) {
    const int64_t parts = d.below(4) == 0 ? 1 : 8;
    for (int64_t i = 0; i < parts; ++i)
      in.dense[at + static_cast<size_t>(d.below(static_cast<int64_t>(v)))] += 1 / static_cast<double>(parts);
  }
}

void draw_cells(Draft& d) {
  LossInputs& in = d.in();
  const Program& p = d.program;
  const auto cells = static_cast<size_t>(in.batch * in.steps);
  const int64_t shift = p.shifts ? 1 : 0;
  for (int64_t& length : d.lengths) length = std::min(in.steps, length == 0 ? 0 : length + shift);
  in.lengths = d.lengths;
  const bool pads = d.below(3) > 0;
  in.targets.resize(cells);
  const std::vector<uint8_t> counted = counted_cells(in);
  for (size_t n = 0; n < cells; ++n) in.targets[n] = pads && !counted[n] ? 0 : d.id();
  if (p.kind == PredictionKind::row_loss) std::fill(in.targets.begin(), in.targets.end(), 0);
  if (p.takes_input("mask") || p.takes_input("labels") || !p.takes_input("lengths")) in.mask = counted;
  if (!p.takes_input("lengths")) in.lengths.reset();
  if (p.takes_input("dense")) draw_dense(d), in.targets.clear();
  const auto weights = [&](size_t n) {
    std::vector<double> w(n);
    for (double& x : w) x = d.below(8) ? d.eighths(2, 20) : 0;
    return w;
  };
  if (p.takes_input("token_weight")) in.token_weight = weights(cells);
  if (p.takes_input("example_weight")) in.example_weight = weights(static_cast<size_t>(in.batch));
  if (p.takes_input("class_weight")) {
    in.class_weight = weights(static_cast<size_t>(in.classes));
    for (double& w : *in.class_weight) w = std::max(w, 0.125);
  }
}

// One live token of weight 1 at least.
void revive(LossBatch& batch) {
  const std::vector<uint8_t> live = live_targets(batch);
  const LossInputs& in = batch.inputs;
  size_t first = live.size();
  for (size_t n = 0; n < live.size(); ++n) {
    if (!live[n]) continue;
    first = std::min(first, n);
    const double token = in.token_weight ? (*in.token_weight)[n] : 1;
    const double example = in.example_weight ? (*in.example_weight)[n / static_cast<size_t>(in.steps)] : 1;
    if (token * example > 0) return;
  }
  if (first == live.size()) {
    first = batch.shifts ? 1 : 0;
    if (batch.inputs.mask) (*batch.inputs.mask)[first] = 1;
    if (batch.inputs.lengths)
      (*batch.inputs.lengths)[0] = std::max((*batch.inputs.lengths)[0], static_cast<int64_t>(first) + 1);
  }
  if (batch.inputs.token_weight) (*batch.inputs.token_weight)[first] = 1;
  if (batch.inputs.example_weight) (*batch.inputs.example_weight)[first / static_cast<size_t>(in.steps)] = 1;
}

LossBatch draw_one(const Program& p, const Reason& reason, const Sizes& sizes, Random& random) {
  LossBatch batch;
  batch.kind = p.kind;
  batch.shifts = p.shifts;
  batch.reason = reason.words;
  batch.inputs.batch = sizes.batch, batch.inputs.steps = sizes.steps, batch.inputs.classes = sizes.classes;
  std::vector<int64_t> lengths(static_cast<size_t>(sizes.batch), 0);
  Draft d{p, random, batch, lengths, sizes.steps - (p.shifts ? 1 : 0)};
  ragged_lengths(d);
  if (reason.lengths) reason.lengths(d);
  draw_cells(d);
  draw_prediction(d);
  if (reason.change) reason.change(d);
  if (p.kind == PredictionKind::probs || p.kind == PredictionKind::log_probs)
    softmax(batch.x, static_cast<size_t>(sizes.classes), p.kind == PredictionKind::log_probs);
  revive(batch);
  return batch;
}

std::vector<LossBatch> draw_all(const Program& p, const DrawOptions& o, uint64_t attempt) {
  Random random(o.seed, attempt);
  const std::vector<Sizes> shapes = draw_shapes(p, o, random);
  std::vector<const Reason*> wanted;
  for (const Reason& r : reasons)
    if (r.applies(p)) wanted.push_back(&r);
  std::vector<LossBatch> out;
  for (int i = 0; i < o.count; ++i) {
    const auto turn = static_cast<size_t>(i);
    // Each reason once, then plain ragged ones among them.
    const Reason& reason = turn < wanted.size() ? *wanted[turn] : turn % 2 ? reasons[0] : *wanted[turn % wanted.size()];
    const size_t shape = reason.form == one_example ? 4 : reason.form == one_step ? 5 : turn % 4;
    out.push_back(draw_one(p, reason, shapes[shape], random));
  }
  return out;
}

}  // namespace

LossBatch draw_ragged(const Program& p, const DrawOptions& o) {
  Random random(o.seed, 0);
  const int64_t classes = p.kind == PredictionKind::row_loss ? 1 : p.classes.value_or(o.classes);
  return draw_one(p, reasons[0], {o.batch, p.steps.value_or(o.steps), classes}, random);
}

std::vector<LossBatch> draw_batches(const Program& p, const DrawOptions& o) {
  constexpr uint64_t attempts = 50;
  constexpr size_t in_three = 3;
  std::vector<LossBatch> out;
  for (uint64_t attempt = 0; attempt < attempts; ++attempt) {
    out = draw_all(p, o, attempt);
    if (not_told_apart(out, in_three).empty()) break;
  }
  return out;
}

}  // namespace seqgrad
