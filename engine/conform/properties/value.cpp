// Value and gradient of the drawn batches: they were asked before, for the search of a name.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"

namespace seqgrad {
namespace {

int64_t size_of_batch(const LossBatch& b) { return b.inputs.batch * b.inputs.steps * b.width(); }

// The smaller a batch that shows it, the better; where the answer is NaN, something more than the fault is shown.
int64_t telling_size(const LossBatch& b, double got) {
  constexpr int64_t more_than_any = int64_t{1} << 40;
  return size_of_batch(b) + (std::isfinite(got) ? 0 : more_than_any);
}

// Whether a sentence has no token that counts.
bool has_empty_example(const LossBatch& b) {
  const std::vector<uint8_t> live = live_targets(b);
  for (auto at = live.begin(); at != live.end(); at += b.inputs.steps)
    if (std::count(at, at + b.inputs.steps, 1) == 0) return true;
  return false;
}

// Numbers of one entry; where there are more or fewer of them than meant, the shapes.
std::string difference_text(const Trial& t, const std::vector<double>& got, const std::vector<double>& want,
                            const Worst& worst) {
  constexpr const char* shapes[] = {"a scalar", "of shape [B]", "of shape [T]", "of shape [B,T]"};
  const auto shape = [&](Over over) { return shapes[static_cast<int>(over)]; };
  if (got.size() != want.size() && t.meant)
    return fmt::format("the value is {} where {} is {}", shape(t.program.axis), t.meant_name(),
                       shape(t.meant->config->options().over));
  const auto [is, should] = different_texts(worst.got, worst.want);
  return fmt::format("{} where {} is {}", is, t.meant_name(), should);
}

// Whether every batch with padding is answered by NaN, and those without as is meant: 0·∞ of what does not count.
bool is_nan_by_padding(const Trial& t) {
  size_t with = 0, without = 0;
  for (size_t i = 0; i < t.replies.size(); ++i) {
    if (!t.replies[i].refusal.empty()) continue;
    const std::vector<uint8_t> live = live_targets(t.batches[i]);
    const bool has_padding = std::count(live.begin(), live.end(), 1) < std::ssize(live);
    const std::vector<double>& value = t.replies[i].answer.value;
    const bool has_nan = std::any_of(value.begin(), value.end(), [](double x) { return std::isnan(x); });
    if (has_padding != has_nan) return false;
    (has_padding ? with : without) += 1;
    const std::optional<LossAnswer> want = has_padding ? std::nullopt : t.expected(t.batches[i]);
    if (want && worst_of(value, want->value, t.scale_of(t.batches[i], *want).value).differs()) return false;
  }
  return with > 0 && without > 0;
}

std::string id_of(const Trial& t, const LossBatch& b, double got) {
  if (t.found && !t.found->ids.empty()) return t.found->ids[0];
  if (t.found) return !std::isfinite(got) && has_empty_example(b) ? "empty:nan" : "";
  return std::isnan(got) && is_nan_by_padding(t) ? "mask:multiplied" : "";
}

}  // namespace

PropertyResult check_value(Trial& t) {
  std::vector<Evidence> found;
  size_t good = 0;
  std::optional<int64_t> smallest;
  for (size_t i = 0; i < t.replies.size(); ++i) {
    const LossBatch& batch = t.batches[i];
    const Reply& reply = t.replies[i];
    const std::optional<LossAnswer> want = t.expected(batch);
    if (!reply.refusal.empty()) {
      good += !want.has_value();
      if (want) found.push_back({"refuses:value", "refused: " + shown(reply.refusal), batch, 0, 0, false});
      continue;
    }
    if (!want) {
      if (t.meant) found.push_back({"", "a value where " + t.meant_name() + " refuses the batch", batch, 0, 0, false});
      continue;
    }
    const Worst worst = worst_of(reply.answer.value, want->value, t.scale_of(batch, *want).value);
    if (!worst.differs()) {
      ++good;
    } else if (const int64_t size = telling_size(batch, worst.got); !smallest || size < *smallest) {
      smallest = size;
      if (found.empty() || found[0].id == "refuses:value") found.insert(found.begin(), Evidence{});
      found[0] = {id_of(t, batch, worst.got),
                  difference_text(t, reply.answer.value, want->value, worst),
                  batch,
                  worst.got,
                  worst.want,
                  false};
    }
  }
  const std::string fits = fmt::format("{} of {}", good, t.replies.size());
  const bool is_no_loss = t.found && !t.found->ids.empty() && t.found->ids[0].starts_with("value:");
  if (!t.meant && is_no_loss)
    found = {{t.found->ids[0], t.found->sentence, t.batches[0], t.replies[0].answer.value[0], 0, false}};
  if (!t.meant)
    return judged("value", is_no_loss ? found : std::vector<Evidence>{}, Verdict::described,
                  t.found ? "named, " + fits : "no loss fits");
  return judged("value", std::move(found), Verdict::holds, fits);
}

namespace {

struct GradientWorst {
  Worst worst;
  const char* name = "";
};

GradientWorst compare_gradients(const Program& p, const LossAnswer& got, const LossAnswer& want, const Scale& limits) {
  GradientWorst out{{}, "d_x"};
  const auto take = [&](const std::vector<double>& g, const std::vector<double>& w, double limit, const char* name) {
    if (g.empty() || w.empty()) return;
    if (const Worst worst = worst_of(g, w, limit); worst.share > out.worst.share) out = {worst, name};
  };
  take(got.d_x, want.d_x, limits.d_x, p.prediction());
  take(got.d_weight, want.d_weight, limits.d_weight, "weight");
  take(got.d_bias, want.d_bias, limits.d_bias, "bias");
  return out;
}

// What is wrong with gradients of a right value, by name.
std::vector<Evidence> named_faults(Trial& t, const std::vector<Observed>& observed, const std::vector<size_t>& places) {
  std::vector<Evidence> out;
  if (!t.found || observed.empty()) return out;
  NamingOptions options;
  options.meant = t.meant;
  options.fixed = t.fixed();
  options.u = t.unit();
  for (const GradientFinding& f : gradient_findings(observed, *t.found, options)) {
    Evidence e{f.id, f.sentence, *observed[f.batch].batch, 0, 0, false};
    const std::optional<LossAnswer> want = t.expected(*e.batch);
    if (f.cell >= 0 && want) {
      const auto cell = static_cast<size_t>(f.cell);
      e.got = t.replies[places[f.batch]].answer.d_x[cell];
      if (cell < want->d_x.size()) e.want = want->d_x[cell];
    }
    out.push_back(std::move(e));
  }
  return out;
}

bool is_nan_everywhere(const std::vector<Observed>& observed) {
  bool any = false;
  for (const Observed& o : observed)
    for (const double g : o.answer.d_x) {
      if (!std::isnan(g)) return false;
      any = true;
    }
  return any;
}

}  // namespace

PropertyResult check_gradient(Trial& t) {
  if (!t.has_gradient()) return not_tried("gradient", "gives none");
  std::vector<Observed> observed;
  std::vector<size_t> places;
  std::optional<Evidence> first;
  size_t good = 0;
  for (size_t i = 0; i < t.replies.size(); ++i) {
    const Reply& reply = t.replies[i];
    if (!reply.refusal.empty()) continue;
    observed.push_back({&t.batches[i], reply.answer});
    places.push_back(i);
    const std::optional<LossAnswer> want = t.expected(t.batches[i]);
    if (!want || want->d_x.empty()) continue;
    const GradientWorst g = compare_gradients(t.program, reply.answer, *want, t.scale_of(t.batches[i], *want));
    good += !g.worst.differs();
    const auto [is, should] = different_texts(g.worst.got, g.worst.want);
    if (g.worst.differs() && (!first || size_of_batch(t.batches[i]) < size_of_batch(*first->batch)))
      first = Evidence{"",           fmt::format("d_{} {} where {} has {}", g.name, is, t.meant_name(), should),
                       t.batches[i], g.worst.got,
                       g.worst.want, false};
  }
  const std::string fits = fmt::format("{} of {}", good, observed.size());
  if (is_nan_everywhere(observed))
    return judged("gradient", {{"gradient:nan", "NaN everywhere", *observed[0].batch, std::nan(""), 0, false}});
  if (!t.meant) return judged("gradient", {}, Verdict::described, t.found ? "as named" : "of no loss that is known");
  // Where the value is NaN, its gradient tells nothing more.
  std::vector<Observed> finite;
  std::vector<size_t> finite_places;
  for (size_t i = 0; i < observed.size(); ++i)
    if (all_finite(observed[i].answer.value)) finite.push_back(observed[i]), finite_places.push_back(places[i]);
  std::vector<Evidence> faults;
  if (first) faults = named_faults(t, finite, finite_places);
  if (first && faults.empty()) faults.push_back(*first);
  return judged("gradient", std::move(faults), Verdict::holds, fits);
}

}  // namespace seqgrad
