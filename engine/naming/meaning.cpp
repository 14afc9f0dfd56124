// From words to options.
#include "engine/naming/meaning.h"

#include <charconv>
#include <filesystem>

#include "engine/config/yaml.h"

namespace seqgrad {
namespace {

struct MeaningFile : Section {
  LossConfig loss{this, "loss", "the loss that is meant"};
};

// What stands in the brackets, as keys of the section.
std::string keys_of(const std::string& name, const std::string& brackets) {
  if (brackets.starts_with("k=")) {
    double k = 0;
    const char *begin = brackets.data() + 2, *end = brackets.data() + brackets.size();
    const auto [stop, error] = std::from_chars(begin, end, k);
    if (error != std::errc() || stop != end || !(k > 0))
      refuse("--means: {}[{}]: expected a number above 0 after k=", name, shown(brackets));
    Divide divide = preset(name).divide;
    if (divide.k == 0) refuse("--means: {} has no constant k", name);
    divide.k = k;
    return fmt::format(", reduce: {{divide: {}}}", Codec<Divide>::yaml(divide));
  }
  std::vector<std::string> on;
  for (size_t at = 0; brackets != "no flag" && at <= brackets.size();) {
    const size_t end = std::min(brackets.find_first_of("+,", at), brackets.size());
    on.push_back(brackets.substr(at, end - at));
    at = end + 1;
  }
  std::string flags;
  std::vector<std::string> known;
  for (const auto& [bit, flag] : {std::pair{average_across_timesteps, "average_across_timesteps"},
                                  {average_across_batch, "average_across_batch"},
                                  {sum_over_timesteps, "sum_over_timesteps"},
                                  {sum_over_batch, "sum_over_batch"}}) {
    if (!(preset(name).known_flags & bit)) continue;
    known.emplace_back(flag);
    const auto named = std::find(on.begin(), on.end(), flag);
    flags += fmt::format("{}{}: {}", flags.empty() ? "" : ", ", flag, named != on.end());
    if (named != on.end()) on.erase(named);
  }
  if (!on.empty() && known.empty()) refuse("--means: {} has no flags, and no '{}'", name, shown(on[0]));
  if (!on.empty())
    refuse("--means: {} has no flag '{}'; {}; join those that are true by +, or write [no flag]", name, shown(on[0]),
           not_among(known, on[0]));
  return fmt::format(", flags: {{{}}}", flags);
}

bool is_file(const std::string& text) {
  std::error_code ignored;
  return text.ends_with(".yaml") || text.ends_with(".yml") || text.find('/') != std::string::npos ||
         std::filesystem::is_regular_file(text, ignored);
}

std::shared_ptr<const LossConfig> config_of(const std::string& text) {
  if (is_file(text)) {
    auto file = std::make_shared<MeaningFile>();
    load(*file, text);
    const Node root = load_yaml(text);
    const Node* loss = root.kind == Node::Kind::map ? root.find("loss") : nullptr;
    if (!loss || loss->kind != Node::Kind::map)
      refuse("--means {}: it says no loss; expected a section, as in `loss: {{preset: torch.mean}}`", shown_path(text));
    return {file, &file->loss};
  }
  const size_t bracket = text.find('[');
  const std::string name = text.substr(0, bracket);
  preset(name);  // E14 in the words of the table
  std::string keys;
  if (bracket != std::string::npos) {
    if (text.back() != ']') refuse("--means: {}: a ']' is missing at its end", shown(text));
    keys = keys_of(name, text.substr(bracket + 1, text.size() - bracket - 2));
  }
  auto config = std::make_shared<LossConfig>(nullptr, "loss", "the loss that is meant");
  load(*config, parse_yaml(fmt::format("{{preset: {}{}}}", name, keys), "--means"));
  return config;
}

}  // namespace

LossMeaning meaning_of(const std::string& text) { return {text, config_of(text), {}}; }

bool says_probs_mode(const LossMeaning& meaning) {
  const LossConfig& c = *meaning.config;
  return c.probs.mode() || (c.preset() && preset(*c.preset()).row.probs_mode);
}

LossOptions options_for(const LossMeaning& meaning, const LossBatch& batch) {
  const bool dense = !batch.inputs.dense.empty();
  LossOptions o = meaning.config->options(batch.inputs.class_weight.has_value(), dense);
  o.input = batch.kind == PredictionKind::probs ? Input::probs : Input::logits;
  o.target = dense ? Target::dense : Target::ids;
  if (meaning.fixed.smoothing > 0) o.smoothing = meaning.fixed.smoothing;
  if (meaning.fixed.z_loss > 0) o.z_loss = meaning.fixed.z_loss;
  if (meaning.fixed.softcap) o.softcap = meaning.fixed.softcap;
  if (meaning.fixed.probs_mode) o.probs_mode = *meaning.fixed.probs_mode;
  o.nonfinite = Nonfinite::propagate;
  o.report = {};
  return o;
}

}  // namespace seqgrad
