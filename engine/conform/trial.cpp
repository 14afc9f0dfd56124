#include "engine/conform/trial.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/check/framework_error.h"
#include "engine/conform/cells.h"
#include "engine/conform/draw.h"

namespace seqgrad {
namespace {

double largest(const std::vector<double>& x) {
  double most = 0;
  for (const double value : x)
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  return most;
}

// What a loss of unknown name is measured by.
const LossMeaning& stand_in() {
  static const LossMeaning token_mean = meaning_of("token_mean");
  return token_mean;
}

std::optional<MeantAnswer> answer_or_none(const LossMeaning& meaning, const LossBatch& batch) {
  try {
    return answer_of(meaning, batch);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

}  // namespace

const char* name_of(Verdict verdict) {
  constexpr const char* names[] = {"holds", "described", "note", "broken", "not tried"};
  return names[static_cast<int>(verdict)];
}

Trial::Trial(Subject& s, std::vector<LossBatch> all, std::optional<LossMeaning> m, uint64_t number)
    : subject(s), program(s.program()), meant(std::move(m)), seed(number), batches(std::move(all)) {
  for (LossBatch& b : batches) b = rounded_to(std::move(b), s.dtype());
}

double Trial::unit_of(FloatType type) {
  constexpr const char* classes[] = {"f64", "f32", "bf16", "f16"};
  return arithmetic_of(classes[static_cast<int>(type)]).u;
}

Reply Trial::ask(LossBatch batch, const std::string& kind, bool gradient, int part, int parts) {
  if (program.takes_input("num_items") && !batch.num_items) batch.num_items = items_of(batch);
  last = batch;
  return subject.ask(batch, {kind, gradient && has_gradient(), part, parts});
}

double Trial::items_of(const LossBatch& batch) const {
  const std::optional<MeantAnswer> answer = answer_or_none(meant ? *meant : stand_in(), batch);
  return answer ? answer->divisor : 0;
}

std::optional<LossAnswer> Trial::expected(const LossBatch& batch) const {
  if (meant) return answer_or_none(*meant, batch);
  if (!found) return std::nullopt;
  try {
    return found->predict(batch);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

Scale Trial::scale_of(const LossBatch& batch, const LossAnswer& answer, FloatType type) const {
  const LossMeaning& by = meant ? *meant : stand_in();
  std::optional<MeantAnswer> like = answer_or_none(by, batch);
  if (!like && program.kind == PredictionKind::probs) {  // rounded to 16 bits they are no distribution
    LossMeaning of_shares = by;
    of_shares.fixed.probs_mode = ProbsMode::renorm_clip;
    like = answer_or_none(of_shares, batch);
  }
  if (!like) return {};
  const Tolerances limits = tolerances_of(*like, batch, unit_of(type));
  // A loss that is another by a factor may be off by that factor more, or less.
  const auto factor = [](const std::vector<double>& theirs, const std::vector<double>& ours) {
    const double a = largest(theirs), b = largest(ours);
    return a > 0 && b > 0 ? a / b : 1.0;
  };
  const double coefficient = largest(like->coefficient), value = factor(answer.value, like->value);
  // Of a probability the gradient is 1/p times the coefficient, and its error in proportion.
  const double steep = coefficient > 0 ? std::max(1.0, largest(like->d_x) / coefficient) : 1;
  const double d_x = steep * (answer.d_x.empty() ? value : factor(answer.d_x, like->d_x));
  Scale out{limits.value * value, limits.d_x * d_x, limits.d_weight * d_x, limits.d_bias * d_x, 0};
  for (const double c : like->coefficient) out.coefficients += std::abs(c) * std::max(value, d_x);
  return out;
}

bool Trial::is_explained(const LossBatch& batch, const LossAnswer& got) const {
  if (!found) return false;
  try {
    return !worst_of(got.value, found->predict(batch).value, scale_of(batch, got).value).differs();
  } catch (const InputError&) {
    return false;
  }
}

std::string Trial::meant_name() const { return meant ? meant->name : "the loss that was named"; }

Worst worst_of(const std::vector<double>& got, const std::vector<double>& want, double limit) {
  Worst out;
  if (got.size() != want.size()) return {std::numeric_limits<double>::infinity(), 0, 0, 0};
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
    const double difference = std::abs(got[i] - want[i]);
    const double share =
        !std::isfinite(difference) || limit == 0 ? std::numeric_limits<double>::infinity() : difference / limit;
    if (share > out.share) out = {share, got[i], want[i], i};
  }
  return out;
}

std::string number_text(double x) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  if (x == 0) return "0";  // -0 too
  return std::abs(x) >= 1e-3 && std::abs(x) < 1e5 ? fmt::format("{:.4f}", x) : fmt::format("{:.4g}", x);
}

std::pair<std::string, std::string> different_texts(double a, double b) {
  std::pair<std::string, std::string> out{number_text(a), number_text(b)};
  for (int digits = 5; out.first == out.second && a != b && digits <= 17; ++digits)
    out = {fmt::format("{:.{}g}", a, digits), fmt::format("{:.{}g}", b, digits)};
  return out;
}

std::string value_text(const std::vector<double>& value) {
  constexpr size_t most = 4;
  if (value.size() == 1) return number_text(value[0]);
  std::vector<std::string> texts;
  for (size_t i = 0; i < value.size() && i < most; ++i) texts.push_back(number_text(value[i]));
  return fmt::format("[{}{}]", fmt::join(texts, ", "), value.size() > most ? ", …" : "");
}

PropertyResult not_tried(const char* id, const std::string& reason) { return {id, Verdict::not_tried, reason, {}}; }

PropertyResult judged(const char* id, std::vector<Evidence> evidence, Verdict otherwise, const std::string& text) {
  PropertyResult out{id, otherwise, text, {}};
  std::stable_partition(evidence.begin(), evidence.end(), [](const Evidence& e) { return !e.is_note; });
  for (Evidence& e : evidence) {
    const bool known = std::any_of(out.evidence.begin(), out.evidence.end(),
                                   [&](const Evidence& k) { return k.id == e.id && k.is_note == e.is_note; });
    if (!known) out.evidence.push_back(std::move(e));
  }
  if (!out.evidence.empty()) out.verdict = out.evidence[0].is_note ? Verdict::note : Verdict::broken;
  return out;
}

std::vector<std::string> property_ids() {
  std::vector<std::string> out;
  for (const Property& p : properties()) out.emplace_back(p.id);
  return out;
}

}  // namespace seqgrad
