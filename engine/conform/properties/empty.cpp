// No token that counts; no example; no step.
#include <algorithm>
#include <cmath>

#include "engine/conform/cells.h"
#include "engine/conform/properties/properties.h"

namespace seqgrad {
namespace {

LossBatch without_live_tokens(LossBatch b) {
  if (b.inputs.lengths) std::fill(b.inputs.lengths->begin(), b.inputs.lengths->end(), 0);
  if (b.inputs.mask) std::fill(b.inputs.mask->begin(), b.inputs.mask->end(), 0);
  b.reason = "no live token";
  return b;
}

LossBatch cut(LossBatch b, bool examples) {
  LossInputs& in = b.inputs;
  b.x.clear(), in.targets.clear(), in.dense.clear();
  if (in.mask) in.mask->clear();
  if (in.token_weight) in.token_weight->clear();
  if (in.lengths) in.lengths->assign(examples ? 0 : static_cast<size_t>(in.batch), 0);
  if (in.example_weight && examples) in.example_weight->clear();
  (examples ? in.batch : in.steps) = 0;
  b.reason = examples ? "B = 0" : "T = 0";
  return b;
}

bool all_nan(const std::vector<double>& x) {
  return !x.empty() && std::all_of(x.begin(), x.end(), [](double v) { return std::isnan(v); });
}
bool all_zero(const std::vector<double>& x) {
  return std::all_of(x.begin(), x.end(), [](double v) { return v == 0; });
}
std::string what(const Reply& r) {
  if (!r.refusal.empty()) return "refused";
  if (r.answer.value.empty()) return "no entries";
  return all_nan(r.answer.value) ? "NaN" : all_zero(r.answer.value) ? "0" : value_text(r.answer.value);
}

// What the meaning asks for: nothing where it is a refusal.
struct Asked {
  bool is_refused = false;
  std::vector<double> value;
};
Asked asked(const LossMeaning& meaning, const LossBatch& b) {
  try {
    return {false, answer_of(meaning, b).value};
  } catch (const InputError&) {
    return {true, {}};
  }
}

Evidence wrong(const LossBatch& b, const Reply& r, const std::string& id, const std::string& want) {
  return {id, fmt::format("{}: {} ({})", b.reason, what(r), want),
          b,  r.answer.value.empty() ? 0 : r.answer.value[0],
          0,  false};
}

bool has_no_cells(const LossBatch& b) { return b.inputs.batch * b.inputs.steps == 0; }

std::vector<Evidence> judge(const Trial& t, const LossBatch& b, const Reply& r) {
  const Asked want = asked(*t.meant, b);
  const std::string meant = t.meant_name() + ": ";
  if (want.is_refused)
    return r.refusal.empty() ? std::vector{wrong(b, r, "empty:error", meant + "an error")} : std::vector<Evidence>{};
  if (!r.refusal.empty()) {
    Evidence e = wrong(b, r, "refuses:empty", shown(r.refusal));
    e.is_note = has_no_cells(b);  // a tensor without numbers is more than most functions promise
    return {e};
  }
  const std::vector<double>& got = r.answer.value;
  if (got.size() != want.value.size()) return {wrong(b, r, "empty:other", meant + value_text(want.value))};
  bool accepts_nan = false;
  for (size_t i = 0; i < got.size(); ++i) {
    const double w = want.value[i];
    accepts_nan |= std::isnan(w);
    if (got[i] == w || (std::isnan(w) && (std::isnan(got[i]) || got[i] == 0))) continue;
    const char* id = std::isnan(got[i]) ? "empty:nan" : got[i] == 0 ? "empty:zero" : "empty:other";
    Evidence e = wrong(b, r, id, meant + number_text(w));
    e.is_note = std::isnan(got[i]) && has_no_cells(b);  // 0/0 of sizes, which no batch of a training loop has
    return {e};
  }
  if (!accepts_nan && !all_zero(r.answer.d_x))
    return {{"empty:other", fmt::format("{}: value 0, but the gradient is not", b.reason), b, 0, 0, false}};
  return {};
}

}  // namespace

PropertyResult check_empty(Trial& t) {
  if (t.telling.empty()) return not_tried("empty", "no batch was answered");
  const LossBatch& from = t.batches[t.telling[0]];
  std::vector<LossBatch> batches{without_live_tokens(from), cut(from, true)};
  if (!t.program.steps && !t.program.shifts) batches.push_back(cut(from, false));
  std::vector<Evidence> found;
  std::string text, last;
  for (const LossBatch& b : batches) {
    const Reply r = t.ask(b, "empty", true);
    std::string words = what(r);
    if (t.meant && b.reason == batches[0].reason && r.refusal.empty()) {
      const Asked want = asked(*t.meant, b);
      if (all_nan(want.value) && words == "0") words += fmt::format(" ({} NaN: accepted)", t.meant_name());
    }
    if (text.empty())
      text = words;
    else if (words != last && words != "no entries")
      text += fmt::format(", {} {}", b.reason, words);
    last = words.substr(0, words.find(' '));
    if (t.meant)
      for (Evidence& e : judge(t, b, r)) found.push_back(std::move(e));
  }
  return judged("empty", std::move(found), t.meant ? Verdict::holds : Verdict::described, text);
}

}  // namespace seqgrad
