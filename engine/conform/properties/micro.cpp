// A batch in parts, whose gradients are added as a training loop adds them.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"
#include "engine/naming/meaning.h"

namespace seqgrad {
namespace {

template <class T>
std::vector<T> rows_of(const std::vector<T>& x, int64_t batch, int64_t first, int64_t end) {
  const auto width = static_cast<std::ptrdiff_t>(x.size()) / std::max<int64_t>(1, batch);
  return {x.begin() + first * width, x.begin() + end * width};
}

LossBatch part_of(const LossBatch& whole, int64_t first, int64_t end) {
  LossBatch b = whole;
  LossInputs& in = b.inputs;
  const auto cut = [&](auto& x) { x = rows_of(x, whole.inputs.batch, first, end); };
  cut(b.x), cut(in.targets), cut(in.dense);
  if (in.lengths) cut(*in.lengths);
  if (in.mask) cut(*in.mask);
  if (in.token_weight) cut(*in.token_weight);
  if (in.example_weight) cut(*in.example_weight);
  in.batch = end - first;
  b.reason = fmt::format("examples {} to {}", first, end - 1);
  return b;
}

// Where each part ends: uneven ones.
std::vector<int64_t> ends_of(int64_t batch, int64_t parts) {
  std::vector<int64_t> out;
  for (int64_t i = 1; i < parts; ++i) out.push_back(std::max<int64_t>(i, batch * i * i / (parts * parts)));
  out.push_back(batch);
  return out;
}

// What the sum over parts is of the whole's gradient, part by part; none where it is no multiple.
std::optional<double> ratio_of(const std::vector<double>& got, const std::vector<double>& want, double limit) {
  double most = 0, ratio = 0;
  for (size_t i = 0; i < got.size(); ++i)
    if (std::abs(want[i]) > most) most = std::abs(want[i]), ratio = got[i] / want[i];
  for (size_t i = 0; i < got.size(); ++i)
    if (std::abs(got[i] - ratio * want[i]) > 4 * limit * std::max(1.0, std::abs(ratio))) return std::nullopt;
  return most > limit ? std::optional(ratio) : std::nullopt;
}

struct Parts {
  std::vector<double> d_x;
  double value = 0;
  std::vector<std::optional<double>> ratios;
  std::vector<int64_t> live;
  std::string refusal;
};

Parts ask_parts(Trial& t, const LossBatch& whole, const LossAnswer& answer, const std::vector<int64_t>& ends,
                double limit) {
  Parts out;
  int64_t first = 0;
  const auto parts = static_cast<int>(ends.size());
  for (int i = 0; i < parts; ++i) {
    const int64_t end = ends[static_cast<size_t>(i)];
    const LossBatch part = part_of(whole, first, end);
    const Reply r = t.ask(part, "micro", true, i + 1, parts);
    if (!r.refusal.empty()) {
      out.refusal = r.refusal;
      return out;
    }
    out.value += r.answer.value[0];
    out.d_x.insert(out.d_x.end(), r.answer.d_x.begin(), r.answer.d_x.end());
    out.live.push_back(live_count(part));
    if (!answer.d_x.empty() && out.live.back() > 0)
      out.ratios.push_back(ratio_of(r.answer.d_x, rows_of(answer.d_x, whole.inputs.batch, first, end), limit));
    first = end;
  }
  return out;
}

const char* id_of(const Parts& p, size_t parts) {
  const bool all = std::all_of(p.ratios.begin(), p.ratios.end(), [](const auto& r) { return r.has_value(); });
  if (!all || p.ratios.empty()) return "micro:num_items_ignored";
  const auto is = [&](double want) {
    return std::all_of(p.ratios.begin(), p.ratios.end(), [&](const auto& r) { return std::abs(*r / want - 1) < 1e-2; });
  };
  if (is(1 / static_cast<double>(parts))) return "micro:divided_twice";
  const bool same = is(*p.ratios[0]);
  return same && std::abs(*p.ratios[0]) > 1 ? "micro:sum" : "micro:num_items_ignored";
}

std::string why_not(const Trial& t) {
  if (t.program.axis != Over::all) return "a vector";
  if (t.program.takes_input("num_items")) return "";
  if (!t.meant) return "takes no num_items";
  const LossOptions o = t.meant->config->options();
  const bool adds_up = o.over == Over::all && (o.divide.flat == "one" || o.divide.flat == "const");
  return adds_up ? "" : "takes no num_items";
}

}  // namespace

PropertyResult check_micro(Trial& t) {
  if (const std::string why = why_not(t); !why.empty()) return not_tried("micro", why);
  constexpr size_t most_batches = 4;
  std::vector<Evidence> found;
  size_t tried = 0;
  for (const size_t i : t.telling) {
    LossBatch whole = t.batches[i];
    if (whole.inputs.batch < 2 || tried == most_batches) continue;
    ++tried;
    // The divisor of the whole: what each part is divided by, too.
    whole.num_items = t.items_of(whole);
    const LossAnswer& answer = t.replies[i].answer;
    const Scale limits = t.scale_of(t.batches[i], answer);
    for (const int64_t parts : {int64_t{1}, int64_t{2}, std::min<int64_t>(4, whole.inputs.batch)}) {
      const std::vector<int64_t> ends = ends_of(whole.inputs.batch, parts);
      const Parts p = ask_parts(t, whole, answer, ends, limits.d_x);
      if (!p.refusal.empty()) {
        found.push_back({"refuses:micro", "refused: " + shown(p.refusal), whole, 0, 0, false});
        continue;
      }
      const auto n = static_cast<double>(parts);
      const Worst g = answer.d_x.empty() ? Worst{} : worst_of(p.d_x, answer.d_x, limits.d_x * n);
      const Worst v = worst_of({p.value}, answer.value, limits.value * n);
      if (!g.differs() && !v.differs()) continue;
      const Worst& w = g.differs() ? g : v;
      found.push_back({id_of(p, ends.size()),
                       fmt::format("{} parts: {} add up to {}, the whole has {}", parts,
                                   g.differs() ? "gradients" : "values", number_text(w.got), number_text(w.want)),
                       t.batches[i], w.got, w.want, false});
    }
  }
  if (tried == 0) return not_tried("micro", "every batch has one example");
  return judged("micro", std::move(found));
}

}  // namespace seqgrad
