// Changes of who counts.
#include <algorithm>

#include "engine/naming/edits.h"

namespace seqgrad {
namespace {

// Who counts becomes the mask f(mask, b, t, n), n = b·T + t.
template <class F>
bool remask(Variant& x, const F& f) {
  LossInputs& in = x.inputs;
  const std::vector<uint8_t> before = active_cells(in, x.options);
  std::vector<uint8_t> now(before.size());
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t t = 0; t < in.steps; ++t) {
      const int64_t n = b * in.steps + t;
      now[static_cast<size_t>(n)] = f(before, b, t, static_cast<size_t>(n));
    }
  const bool changed = now != before;
  in.lengths.reset();
  x.options.ignore_index.reset();
  in.mask = std::move(now);
  return changed;
}

using Mask = std::vector<uint8_t>;

// The first or last position of an example that counts, or −1.
int64_t end_of(const Mask& m, int64_t b, int64_t steps, bool last) {
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t t = last ? steps - 1 - i : i;
    if (m[static_cast<size_t>(b * steps + t)]) return t;
  }
  return -1;
}

int64_t longest(const Mask& m, int64_t batch, int64_t steps) {
  int64_t most = 0;
  for (int64_t b = 0; b < batch; ++b) most = std::max(most, 1 + end_of(m, b, steps, true));
  return most;
}

bool ignored(Variant& x) {
  return remask(x, [](const Mask&, int64_t, int64_t, size_t) { return true; });
}

// One of several things that say who counts; without the only one, every position does.
bool without(Variant& x, bool lengths, bool mask, bool ignore_index) {
  const bool more = x.inputs.lengths.has_value() + x.inputs.mask.has_value() + x.options.ignore_index.has_value() > 1;
  const std::vector<uint8_t> before = active_cells(x.inputs, x.options);
  if (lengths) x.inputs.lengths.reset();
  if (mask) x.inputs.mask.reset();
  if (ignore_index) x.options.ignore_index.reset();
  return more && active_cells(x.inputs, x.options) != before;
}
bool without_lengths(Variant& x) { return without(x, true, false, false); }
bool without_mask(Variant& x) { return without(x, false, true, false); }
bool without_ignore_index(Variant& x) { return without(x, false, false, true); }

bool pad_id(Variant& x) {
  if (x.inputs.targets.empty() || x.kind == PredictionKind::row_loss) return false;
  return remask(x, [&](const Mask&, int64_t, int64_t, size_t n) { return x.inputs.targets[n] != 0; });
}

bool zero_ignored(Variant& x) {
  if (x.inputs.targets.empty() || x.kind == PredictionKind::row_loss) return false;
  return remask(x, [&](const Mask& m, int64_t, int64_t, size_t n) { return m[n] && x.inputs.targets[n] != 0; });
}

bool longer(Variant& x) {
  if (!x.inputs.lengths || x.inputs.mask) return false;
  const std::vector<int64_t> lengths = *x.inputs.lengths;
  return remask(x, [&](const Mask&, int64_t b, int64_t t, size_t) { return t <= lengths[static_cast<size_t>(b)]; });
}

bool grown(Variant& x) {
  return remask(x, [](const Mask& m, int64_t, int64_t t, size_t n) { return m[n] || (t > 0 && m[n - 1]); });
}

template <bool last>
bool one_end(Variant& x) {
  return remask(x,
                [&](const Mask& m, int64_t b, int64_t t, size_t) { return t == end_of(m, b, x.inputs.steps, last); });
}

template <bool last>
bool without_end(Variant& x) {
  return remask(x, [&](const Mask& m, int64_t b, int64_t t, size_t n) {
    return m[n] && t != end_of(m, b, x.inputs.steps, last);
  });
}

template <int by, bool around>
bool moved(Variant& x) {
  return remask(x, [&](const Mask& m, int64_t b, int64_t t, size_t) {
    const int64_t steps = x.inputs.steps, from = around ? (t + by + steps) % steps : t + by;
    return from >= 0 && from < steps && m[static_cast<size_t>(b * steps + from)];
  });
}

const Edit who_table[] = {
    {"mask:ignored", "with every position counted, padding too", EditGroup::who, false, true, true, ignored, anywhere},
    {"mask:ignored", "with the lengths left out", EditGroup::who, false, true, false, without_lengths, anywhere},
    {"mask:ignored", "with the mask left out", EditGroup::who, false, true, false, without_mask, anywhere},
    {"mask:ignored", "with ignore_index left out", EditGroup::who, false, true, false, without_ignore_index, anywhere},
    {"mask:from_pad_id", "with the mask made from target ids other than 0", EditGroup::who, false, true, true, pad_id},
    {"targets:zero_ignored", "with id 0 ignored", EditGroup::who, false, true, true, zero_ignored, anywhere},
    {"lengths:+1", "with lengths one too long", EditGroup::who, false, true, true, longer},
    {"lengths:+1", "with one position more after each that counts", EditGroup::who, false, true, true, grown},
    {"lengths:-1", "without the last token of each sentence", EditGroup::who, false, true, true, without_end<true>},
    {"lengths:first_dropped", "without the first token of each sentence", EditGroup::who, false, true, true,
     without_end<false>},
    {"mask:last_token_only", "with only the last token of each sentence", EditGroup::who, false, true, true,
     one_end<true>},
    {"mask:first_token_only", "with only the first token of each sentence", EditGroup::who, false, true, true,
     one_end<false>},
    {"mask:longest", "with every sentence as long as the longest", EditGroup::who, false, true, true,
     [](Variant& x) {
       return remask(x, [&](const Mask& m, int64_t, int64_t t, size_t) {
         return t < longest(m, x.inputs.batch, x.inputs.steps);
       });
     }},
    {"mask:inverted", "with the mask inverted", EditGroup::who, false, true, true,
     [](Variant& x) { return remask(x, [](const Mask& m, int64_t, int64_t, size_t n) { return !m[n]; }); }},
    {"mask:shifted+1", "with the mask of the next step", EditGroup::who, false, true, true, moved<1, false>},
    {"mask:shifted+1", "with the mask of the next step, rolled around", EditGroup::who, false, true, true,
     moved<1, true>},
    {"mask:shifted-1", "with the mask of the step before", EditGroup::who, false, true, true, moved<-1, false>},
    {"mask:shifted-1", "with the mask of the step before, rolled around", EditGroup::who, false, true, true,
     moved<-1, true>},
    {"mask:last_example_dropped", "without the last sentence", EditGroup::who, false, true, true,
     [](Variant& x) {
       return remask(x, [&](const Mask& m, int64_t b, int64_t, size_t n) { return m[n] && b + 1 < x.inputs.batch; });
     }},
    {"mask:first_example_dropped", "without the first sentence", EditGroup::who, false, true, true,
     [](Variant& x) { return remask(x, [](const Mask& m, int64_t b, int64_t, size_t n) { return m[n] && b > 0; }); }},
    {"mask:last_step_dropped", "without the last column", EditGroup::who, false, true, true,
     [](Variant& x) {
       return remask(x, [&](const Mask& m, int64_t, int64_t t, size_t n) { return m[n] && t + 1 < x.inputs.steps; });
     }},
    {"mask:first_step_dropped", "without the first column", EditGroup::who, false, true, true,
     [](Variant& x) { return remask(x, [](const Mask& m, int64_t, int64_t t, size_t n) { return m[n] && t > 0; }); }},
    {"mask:last_row_dropped", "without the last token of the batch", EditGroup::who, false, true, true,
     [](Variant& x) {
       return remask(x, [&](const Mask& m, int64_t, int64_t, size_t n) {
         return m[n] && std::find(m.begin() + static_cast<std::ptrdiff_t>(n) + 1, m.end(), 1) != m.end();
       });
     }},
};

}  // namespace

std::span<const Edit> who_edits() { return who_table; }

}  // namespace seqgrad
