// From the tables of presets and divisors.
#include "engine/naming/forms.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/loss/presets.h"

namespace seqgrad {
namespace {

// The row for these inputs, where a name has several.
bool stands_for(const Preset& p, const LossInputs& inputs, const LossOptions& options) {
  const Given given = options.target == Target::dense ? Given::dense
                      : inputs.class_weight           ? Given::class_weight
                                                      : Given::anything;
  if (p.given == given) return true;
  if (p.given != Given::anything) return false;
  return std::none_of(presets().begin(), presets().end(), [&](const Preset& q) {
    return std::string_view(q.name) == p.name && q.flags == p.flags && q.given == given;
  });
}

std::string flag_text(const Preset& p) {
  std::string out;
  for (const auto& [bit, name] : {std::pair{average_across_timesteps, "average_across_timesteps"},
                                  {average_across_batch, "average_across_batch"},
                                  {sum_over_timesteps, "sum_over_timesteps"},
                                  {sum_over_batch, "sum_over_batch"}})
    if (p.flags & bit) out += (out.empty() ? "" : "+") + std::string(name);
  return "[" + (out.empty() ? "no flag" : out) + "]";
}

void add_preset(const Preset& p, const LossInputs& inputs, const LossOptions& options, std::vector<Reduction>& out) {
  const RowLossOf& r = p.row;
  if ((r.input && *r.input != options.input) || (r.target && *r.target != options.target)) return;
  if (options.input == Input::probs && r.probs_mode && *r.probs_mode != options.probs_mode) return;
  LossOptions o = options;
  o.over = p.over;
  o.divide = p.divide;
  o.divide_eps = p.divide_eps;
  o.on_zero = p.on_zero;
  if (o.smoothing > 0 && r.smoothing_kind) {
    o.smoothing_kind = *r.smoothing_kind;
    o.report_kl = r.kl;
    if (*r.smoothing_kind == SmoothingKind::others_excluding && o.smoothing_excluding.empty())
      o.smoothing_excluding = {o.ignore_index.value_or(0)};
  }
  if (inputs.class_weight && r.class_scope) o.class_scope = *r.class_scope;
  std::string name = p.name;
  if (p.flags >= 0 && p.flags != p.default_flags) name += flag_text(p);
  out.push_back({name, o});
  if (p.report.divide.empty()) return;
  o.divide = {p.report.divide, "", "", 0};
  out.push_back({fmt::format("what {} prints", name), o, p.report.exponential});
}

Reduction form(LossOptions o, Over over, const Divide& d) {
  o.over = over;
  o.divide = d;
  o.divide_eps = 0;
  return {form_of(o), o};
}

}  // namespace

std::string form_of(const LossOptions& o) {
  static const char* const axes[] = {"all", "time", "batch", "none"};
  const std::string eps = o.divide_eps > 0 ? fmt::format(", divide_eps: {:g}", o.divide_eps) : "";
  return fmt::format("{{over: {}, divide: {}{}}}", axes[static_cast<int>(o.over)], str(o.divide), eps);
}

std::string words_of(const Divide& d) {
  const std::string& counted = d.nested() ? d.batch : d.flat;
  std::string out = counted == "const" ? "a constant" : divisor(counted).words;
  if (!d.nested()) return out;
  if (d.batch == "one" && d.time == "one") return out;  // a plain sum
  if (d.time == "const") return fmt::format("{} times {:g}", out, d.k);
  if (d.batch == "one") out = "sentences added up";
  if (d.time == "one") return out + ", each a sum";
  return fmt::format("{}, each first over its {}", out, divisor(d.time).words);
}

namespace {

// " / Σ m", or "" for a divisor of 1; " / (Σ m + 1e-07)" with an epsilon.
std::string over(const std::string& name, double k, double eps) {
  if (eps > 0) return fmt::format(" / ({} + {:g})", name == "one" ? "1" : over(name, k, 0).substr(3), eps);
  if (name == "one") return "";
  if (name == "const") return fmt::format(" / {:g}", k);
  for (const auto& [divide, symbol] : {std::pair{"positions", "(B·T)"},
                                       {"steps", "T"},
                                       {"batch", "B"},
                                       {"active_batch", "B⁺"},
                                       {"active", "Σ m"},
                                       {"weight", "Σ ω"},
                                       {"class_weight", "Σ c_y"},
                                       {"active_minus_batch", "(Σ m − B)"}})
    if (name == divide) return fmt::format(" / {}", symbol);
  return fmt::format(" / {}", divisor(name).formula);
}

}  // namespace

std::string sentence_of(const LossOptions& o) {
  const Divide& d = o.divide;
  std::string out;
  if (d.nested()) {
    out = fmt::format("Σ_b(Σ_t ωℓ{}){}", over(d.time, d.k, o.divide_eps), over(d.batch, d.k, 0));
  } else {
    const char* sums[] = {"Σ ωℓ", "[B]: Σ_t ωℓ", "[T]: Σ_b ωℓ", "[B,T]: ωℓ"};
    out = sums[static_cast<int>(o.over)] + over(d.flat, d.k, o.divide_eps);
  }
  if (d.nested() || d.flat != "one") out += ", " + words_of(d);
  if (o.then != Then::nothing) out += o.then == Then::sum ? ", added up" : ", averaged";
  return out;
}

std::string id_of(const LossOptions& o) {
  const char* axes[] = {"all", "time", "batch", "none"};
  if (o.over != Over::all) return fmt::format("axis:{}", axes[static_cast<int>(o.over)]);
  if (o.divide.nested()) return "divisor:nested";
  return "divisor:" + (o.divide.flat == "const" ? "constant" : o.divide.flat);
}

std::vector<Reduction> reductions_of(const LossInputs& inputs, const LossOptions& options) {
  std::vector<Reduction> out;
  for (const Preset& p : presets())
    if (stands_for(p, inputs, options)) add_preset(p, inputs, options, out);
  for (const Divisor& d : divisors()) {
    out.push_back(form(options, Over::all, {d.name, "", "", 0}));
    for (const Over over : {Over::time, Over::batch, Over::none})
      if (over != Over::none || std::string(d.name) == "one") out.push_back(form(options, over, {d.name, "", "", 0}));
    for (const Divisor& outer : divisors())
      if (d.inner && outer.outer) out.push_back(form(options, Over::all, {"", d.name, outer.name, 0}));
  }
  return out;
}

}  // namespace seqgrad
