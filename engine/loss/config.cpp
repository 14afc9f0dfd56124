// From the `loss` section to LossOptions: the preset first, then what was written beside it.
#include "engine/loss/config.h"

#include <algorithm>

namespace seqgrad {
namespace {

const std::pair<const char*, int> flag_names[] = {{"average_across_timesteps", average_across_timesteps},
                                                  {"average_across_batch", average_across_batch},
                                                  {"sum_over_timesteps", sum_over_timesteps},
                                                  {"sum_over_batch", sum_over_batch}};

template <class E>
E pick(const std::optional<std::string>& name, std::initializer_list<std::pair<const char*, E>> table, E otherwise) {
  if (name)
    for (const auto& [text, value] : table)
      if (*name == text) return value;
  return otherwise;
}

std::string name_problem(const Node& node, std::string& name) {
  if (std::string problem = Codec<std::string>::parse(node, name); !problem.empty()) return problem;
  std::vector<std::string> names = divisor_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return "";
  const std::string near = closest(name, names);
  return fmt::format("expected one of {}, {{const: k}} or {{time: name, batch: name}}, got '{}'{}",
                     fmt::join(names, ", "), shown(name), near.empty() ? "" : " (did you mean '" + near + "'?)");
}

// The row of the table that preset and flags name; the caller has checked that there is one.
const Preset& row_of(const LossConfig& c) {
  const std::string name = c.preset().value_or("token_mean");
  const Preset& first = preset(name);
  const LossFlags& f = c.flags();
  return f.written == 0 ? first : preset(name, (first.default_flags & ~f.written) | f.bits);
}

}  // namespace

std::string Codec<Divide>::parse(const Node& node, Divide& value) {
  value = {};
  if (node.kind != Node::Kind::map) return name_problem(node, value.flat);
  const Node *k = node.find("const"), *time = node.find("time"), *batch = node.find("batch");
  if (k && node.keys.size() == 1) {
    value.flat = "const";
    std::string problem = Codec<double>::parse(*k, value.k);
    return problem.empty() && !(value.k > 0) ? "const must be above 0" : problem;
  }
  if (!time || !batch || node.keys.size() != 2)
    return "expected a name, {const: k} or {time: name, batch: name}, got " + node.describe() + " with other keys";
  value.flat.clear();
  std::string problem = name_problem(*time, value.time);
  if (problem.empty()) problem = name_problem(*batch, value.batch);
  if (!problem.empty()) return problem;
  if (!divisor(value.time).inner) return fmt::format("'{}' cannot stand under time", value.time);
  if (!divisor(value.batch).outer) return fmt::format("'{}' cannot stand under batch", value.batch);
  return "";
}

std::string Codec<Divide>::yaml(const Divide& d) {
  if (d.nested()) return fmt::format("{{time: {}, batch: {}}}", d.time, d.batch);
  return d.flat == "const" ? "{const: " + Codec<double>::yaml(d.k) + "}" : d.flat;
}

std::string Codec<Divide>::schema() {
  std::string names;
  for (const std::string& n : divisor_names()) names += (names.empty() ? "\"" : ",\"") + n + "\"";
  return R"({"anyOf":[{"enum":[)" + names + R"(]},{"type":"object"}]})";
}

std::string Codec<LossFlags>::parse(const Node& node, LossFlags& value) {
  value = {};
  if (node.kind == Node::Kind::null) return "";
  if (node.kind != Node::Kind::map)
    return "expected flags such as {average_across_batch: false}, got " + node.describe();
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const auto known = std::find_if(std::begin(flag_names), std::end(flag_names),
                                    [&](const auto& f) { return node.keys[i].name == f.first; });
    if (known == std::end(flag_names)) {
      std::vector<std::string> names;
      for (const auto& f : flag_names) names.emplace_back(f.first);
      return fmt::format("unknown flag '{}'; expected {}", shown(node.keys[i].name), fmt::join(names, ", "));
    }
    bool on = false;
    if (std::string problem = Codec<bool>::parse(node.items[i], on); !problem.empty())
      return node.keys[i].name + ": " + problem;
    value.written |= known->second;
    if (on) value.bits |= known->second;
  }
  return "";
}

std::string Codec<LossFlags>::yaml(const LossFlags& f) {
  std::string out = "{";
  for (const auto& [name, bit] : flag_names)
    if (f.written & bit)
      out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", name, f.bits & bit ? "true" : "false");
  return out + "}";
}

std::string Codec<LossFlags>::schema() {
  std::string properties;
  for (const auto& [name, bit] : flag_names)
    properties += fmt::format(R"({}"{}":{{"type":"boolean"}})", properties.empty() ? "" : ",", name);
  return R"({"type":"object","additionalProperties":false,"properties":{)" + properties + "}}";
}

void SmoothingConfig::check(Problems& problems) const {
  const std::string k = kind().value_or("uniform");
  if (k == "others_excluding" && excluding().empty())
    problems.add(kind, "others_excluding needs smoothing.excluding, e.g. [0]");
  if (k != "others_excluding" && !excluding().empty())
    problems.add(excluding, "has a meaning only with kind: others_excluding");
  if (k == "prior" && prior().value.empty()) problems.add(kind, "prior needs smoothing.prior, a file of probabilities");
  if (k != "prior" && !prior().value.empty()) problems.add(prior, "has a meaning only with kind: prior");
}

void LossConfig::check(Problems& problems) const {
  if (flags().written != 0) {
    const int known = seqgrad::preset(preset().value_or("token_mean")).known_flags;
    if (flags().written & ~known) {
      problems.add(flags, known == 0 ? "only a tf1 or tfa preset has flags"
                                     : fmt::format("preset '{}' does not have all of these flags", *preset()));
      return;
    }
  }
  const Preset* row = nullptr;
  try {
    row = &row_of(*this);
  } catch (const InputError& e) {
    problems.add(flags, e.what());
    return;
  }
  if (preset()) {
    const LossOptions o = options();
    const auto contradicts = [&](const FieldBase& field, const std::string& has) {
      problems.add(field, fmt::format("contradicts preset '{}', which has {}; leave one of them out", *preset(), has));
    };
    if (reduce.over() && o.over != row->over) contradicts(reduce.over, "another axis");
    if (reduce.divide() && !(*reduce.divide() == row->divide))
      contradicts(reduce.divide, Codec<Divide>::yaml(row->divide));
    if (reduce.divide_eps() && *reduce.divide_eps() != row->divide_eps)
      contradicts(reduce.divide_eps, Codec<double>::yaml(row->divide_eps));
    if (reduce.on_zero() && o.on_zero != row->on_zero)
      contradicts(reduce.on_zero, row->on_zero == OnZero::nan ? "nan" : "zero");
    if (normalizer.scope() && o.scope != row->scope)
      contradicts(normalizer.scope, row->scope == Scope::micro ? "micro" : "global");
  }
  const LossOptions o = options();
  if (o.divide.flat == "class_weight" && weights.classes.file().value.empty())
    problems.add(reduce.divide, "class_weight needs loss.weights.class.file");
  if (o.over != Over::all && o.divide.nested())
    problems.add(reduce.divide, "a nested divisor gives a scalar; it goes with over: all");
  if (reduce.then() && o.over == Over::all)
    problems.add(reduce.then, "folds a vector loss, but over: all gives a scalar already");
}

LossOptions LossConfig::options() const {
  const Preset& p = row_of(*this);
  LossOptions o;
  o.over = pick(reduce.over(), {{"all", Over::all}, {"time", Over::time}, {"batch", Over::batch}, {"none", Over::none}},
                p.over);
  o.divide = reduce.divide().value_or(p.divide);
  o.divide_eps = reduce.divide_eps().value_or(p.divide_eps);
  o.on_zero =
      pick(reduce.on_zero(), {{"zero", OnZero::zero}, {"nan", OnZero::nan}, {"error", OnZero::error}}, p.on_zero);
  o.then = pick(reduce.then(), {{"sum", Then::sum}, {"mean", Then::mean}}, Then::nothing);
  o.scope =
      pick(normalizer.scope(), {{"global", Scope::global}, {"accum", Scope::accum}, {"micro", Scope::micro}}, p.scope);
  o.smoothing = smoothing.epsilon();
  o.smoothing_kind = pick(smoothing.kind(),
                          {{"uniform", SmoothingKind::uniform},
                           {"others", SmoothingKind::others},
                           {"others_excluding", SmoothingKind::others_excluding},
                           {"prior", SmoothingKind::prior}},
                          SmoothingKind::uniform);
  o.smoothing_excluding = smoothing.excluding();
  o.report_kl = smoothing.report() == "kl";
  o.softcap = softcap();
  o.z_loss = z_loss();
  o.ignore_index = mask.ignore_index();
  o.class_scope = weights.classes.scope() == "target" ? ClassScope::target : ClassScope::per_class;
  o.allow_negative_weights = weights.allow_negative();
  o.nonfinite = nonfinite() == "propagate" ? Nonfinite::propagate : Nonfinite::error;
  return o;
}

}  // namespace seqgrad
