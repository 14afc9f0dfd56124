// From the `loss` section to LossOptions: the preset first, then what was written beside it.
#include "engine/loss_config/config.h"

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

// The row of the table that preset, flags and inputs name; the caller has checked that there is one.
const Preset& row_of(const LossConfig& c, bool class_weights, bool dense = false) {
  const std::string name = c.preset().value_or("token_mean");
  const Given given = c.target() == "dense" || dense                             ? Given::dense
                      : class_weights || !c.weights.classes.file().value.empty() ? Given::class_weight
                                                                                 : Given::anything;
  const Preset& first = preset(name, -1, given);
  const LossFlags& f = c.flags();
  return f.written == 0 ? first : preset(name, (first.default_flags & ~f.written) | f.bits, given);
}

template <class E>
using Names = std::initializer_list<std::pair<const char*, E>>;
constexpr Names<Over> over_names = {
    {"all", Over::all}, {"time", Over::time}, {"batch", Over::batch}, {"none", Over::none}};
constexpr Names<OnZero> zero_names = {{"zero", OnZero::zero}, {"nan", OnZero::nan}, {"error", OnZero::error}};
constexpr Names<Scope> scope_names = {{"global", Scope::global}, {"accum", Scope::accum}, {"micro", Scope::micro}};
constexpr Names<SmoothingKind> kind_names = {{"uniform", SmoothingKind::uniform},
                                             {"others", SmoothingKind::others},
                                             {"others_excluding", SmoothingKind::others_excluding},
                                             {"prior", SmoothingKind::prior}};
constexpr Names<ClassScope> class_names = {{"class", ClassScope::per_class}, {"target", ClassScope::target}};
constexpr Names<Target> target_names = {{"ids", Target::ids}, {"dense", Target::dense}};
constexpr Names<ProbsMode> mode_names = {{"renorm_clip", ProbsMode::renorm_clip},
                                         {"clip_then_softmax", ProbsMode::clip_then_softmax},
                                         {"strict", ProbsMode::strict}};

template <class E>
std::string name_of(Names<E> table, E value) {
  for (const auto& [text, v] : table)
    if (v == value) return text;
  return "";
}

}  // namespace

std::string Codec<Divide>::parse(const Node& node, Divide& value) {
  value = {};
  if (node.kind != Node::Kind::map) return name_problem(node, value.flat);
  const Node *k = node.find("const"), *time = node.find("time"), *batch = node.find("batch");
  const Node* times = node.find("times");
  if (k && (node.keys.size() == 1 || (times && node.keys.size() == 2))) {
    value.flat = "const";
    std::string problem = Codec<double>::parse(*k, value.k);
    if (problem.empty() && !(value.k > 0)) problem = "const must be above 0";
    if (!times || !problem.empty()) return problem;
    value = {"", "const", "", value.k};
    problem = name_problem(*times, value.batch);
    return problem.empty() && !divisor(value.batch).outer ? fmt::format("'{}' cannot stand under times", value.batch)
                                                          : problem;
  }
  if (!time || !batch || node.keys.size() != 2)
    return "expected a name, {const: k}, {const: k, times: name} or {time: name, batch: name}, got " + node.describe() +
           " with other keys";
  value.flat.clear();
  std::string problem = name_problem(*time, value.time);
  if (problem.empty()) problem = name_problem(*batch, value.batch);
  if (!problem.empty()) return problem;
  if (!divisor(value.time).inner) return fmt::format("'{}' cannot stand under time", value.time);
  if (!divisor(value.batch).outer) return fmt::format("'{}' cannot stand under batch", value.batch);
  return "";
}

std::string Codec<Divide>::yaml(const Divide& d) {
  if (d.time == "const") return fmt::format("{{const: {}, times: {}}}", Codec<double>::yaml(d.k), d.batch);
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
      const std::string near = closest(node.keys[i].name, names);
      return fmt::format("unknown flag '{}'; expected {}{}", shown(node.keys[i].name), fmt::join(names, ", "),
                         near.empty() ? "" : " (write " + near + ")");
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

LossConfig::LossConfig() = default;
LossConfig::LossConfig(Section* parent, const char* name, const char* doc) : Section(parent, name, doc) {}
LossConfig::~LossConfig() = default;

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
    row = &row_of(*this, false);
  } catch (const InputError& e) {
    problems.add(flags, e.what(), str(LossCode::flags));
    return;
  }
  const LossOptions o = options();
  if (preset()) check_against(*row, o, problems);
  check_reduction(o, problems);
  check_row_loss(o, problems);
}

// What is written beside a preset says the same.
void LossConfig::check_against(const Preset& row, const LossOptions& o, Problems& problems) const {
  const LossOptions has = options_of(row);
  const auto agree = [&](const FieldBase& field, bool written, bool same, const std::string& value) {
    if (written && !same)
      problems.add(field,
                   fmt::format("contradicts preset '{}', which has {}; leave one of them out", *preset(), value));
  };
  agree(reduce.over, reduce.over().has_value(), o.over == has.over, name_of(over_names, has.over));
  Divide with_their_constant = has.divide;  // a preset's constant is a default
  with_their_constant.k = o.divide.k;
  agree(reduce.divide, reduce.divide().has_value(), o.divide == (has.divide.k > 0 ? with_their_constant : has.divide),
        Codec<Divide>::yaml(has.divide));
  agree(reduce.divide_eps, reduce.divide_eps() && has.divide_eps > 0, o.divide_eps == has.divide_eps,
        Codec<double>::yaml(has.divide_eps));  // a preset without one leaves it free: early contrib had 1e-12
  agree(reduce.on_zero, reduce.on_zero().has_value(), o.on_zero == has.on_zero, name_of(zero_names, has.on_zero));
  agree(normalizer.scope, normalizer.scope().has_value(), o.scope == has.scope, name_of(scope_names, has.scope));
  const RowLossOf& r = row.row;
  agree(smoothing.kind, smoothing.kind() && r.smoothing_kind, o.smoothing_kind == has.smoothing_kind,
        name_of(kind_names, has.smoothing_kind));
  agree(smoothing.report, smoothing.report() && r.kl, o.report_kl, "kl");
  agree(weights.classes.scope, weights.classes.scope() && r.class_scope, o.class_scope == has.class_scope,
        name_of(class_names, has.class_scope));
  agree(target, target() && r.target, o.target == has.target, name_of(target_names, has.target));
  agree(input, input() && r.input, o.input == has.input, "probs");
  agree(probs.mode, probs.mode() && r.probs_mode, o.probs_mode == has.probs_mode, name_of(mode_names, has.probs_mode));
}

void LossConfig::check_reduction(const LossOptions& o, Problems& problems) const {
  if (o.over != Over::all && o.divide.nested())
    problems.add(reduce.divide, "a nested divisor gives a scalar; it goes with over: all");
  if (reduce.then() && o.over == Over::all)
    problems.add(reduce.then, "folds a vector loss, but over: all gives a scalar already");
}

void LossConfig::check_row_loss(const LossOptions& o, Problems& problems) const {
  const std::string combination = str(LossCode::combination);
  if (!dense_sum.is_default() && o.target != Target::dense)
    problems.add(dense_sum, "has a meaning only with target: dense");
  if (o.target == Target::dense && o.ignore_index)
    problems.add(mask.ignore_index, "has no meaning with target: dense; use a mask or lengths", combination);
  if (smoothing.kind() == "others_excluding" && smoothing.excluding().empty())
    problems.add(smoothing.kind, "others_excluding needs smoothing.excluding, e.g. [0]");
  if (o.smoothing_kind != SmoothingKind::prior && !smoothing.prior().value.empty())
    problems.add(smoothing.prior, "has a meaning only with kind: prior");
  if (o.smoothing_kind != SmoothingKind::others_excluding && !smoothing.excluding().empty())
    problems.add(smoothing.excluding, "has a meaning only with kind: others_excluding");
  if (o.input == Input::probs && softcap()) problems.add(softcap, "has no meaning with input: probs", combination);
  if (o.input == Input::probs && z_loss() > 0) problems.add(z_loss, "has no meaning with input: probs", combination);
  const bool class_weights = !weights.classes.file().value.empty();
  for (const std::string& name : compare())
    if (const std::string own = own_row_loss(seqgrad::preset(name), o, class_weights); !own.empty())
      problems.add(compare, fmt::format("preset '{}' has a row loss of its own ({}); only presets with the row loss of "
                                        "this section can stand beside it",
                                        name, own));
}

LossError as_loss_error(const ConfigError& e) {
  LossCode code = LossCode::unknown_option;
  for (const std::string& kind : e.kinds) {
    if (kind == "range") code = LossCode::range;
    for (int n = 1; n <= 17; ++n)
      if (kind == str(static_cast<LossCode>(n))) code = static_cast<LossCode>(n);
  }
  return {code, e.what()};
}

bool LossConfig::is_defined() const {
  try {
    row_of(*this, false);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

std::string LossConfig::prediction() const {
  if (input()) return *input();
  return row_of(*this, false).row.input == Input::probs ? "probs" : "hidden";
}

LossOptions LossConfig::options(bool class_weights, bool dense) const {
  LossOptions o = options_of(row_of(*this, class_weights, dense));
  o.over = pick(reduce.over(), over_names, o.over);
  o.divide = reduce.divide().value_or(o.divide);
  o.divide_eps = reduce.divide_eps().value_or(o.divide_eps);
  o.on_zero = pick(reduce.on_zero(), zero_names, o.on_zero);
  o.then = pick(reduce.then(), {{"sum", Then::sum}, {"mean", Then::mean}}, Then::nothing);
  o.scope = pick(normalizer.scope(), scope_names, o.scope);
  o.input = prediction() == "probs" ? Input::probs : Input::logits;
  o.probs_mode = pick(probs.mode(), mode_names, o.probs_mode);
  o.probs_eps = probs.eps();
  o.target = pick(target(), target_names, o.target);
  o.dense_sum = pick(std::optional(dense_sum()),
                     {{"require", DenseSum::require}, {"allow", DenseSum::allow}, {"normalize", DenseSum::normalize}},
                     o.dense_sum);
  o.smoothing = smoothing.epsilon();
  o.smoothing_kind = pick(smoothing.kind(), kind_names, o.smoothing_kind);
  o.smoothing_excluding = smoothing.excluding();
  if (o.smoothing_kind == SmoothingKind::others_excluding && o.smoothing_excluding.empty())
    o.smoothing_excluding = {mask.ignore_index().value_or(0)};  // the padding id, as JoeyNMT has it
  if (smoothing.report()) o.report_kl = smoothing.report() == "kl";
  o.softcap = softcap();
  o.z_loss = z_loss();
  o.ignore_index = mask.ignore_index();
  o.class_scope = pick(weights.classes.scope(), class_names, o.class_scope);
  o.allow_negative_weights = weights.allow_negative();
  o.nonfinite = nonfinite() == "propagate" ? Nonfinite::propagate : Nonfinite::error;
  return o;
}

}  // namespace seqgrad
