// Batches as case folders: what `check`, `explain` and `gradcheck` open.
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "engine/config/describe.h"
#include "engine/conform/cells.h"
#include "engine/conform/conform.h"
#include "engine/io/directories.h"
#include "engine/io/output.h"

namespace seqgrad {
namespace {

struct Saved {
  const LossBatch* batch;
  const LossAnswer* answer;
  std::string about;
};

// Keys with dots as a tree: {reduce: {divide: one}}.
std::string tree(const std::vector<std::pair<std::string, std::string>>& keys) {
  std::vector<std::string> parts, sections;
  for (const auto& [path, value] : keys) {
    const size_t dot = path.find('.');
    const std::string section = path.substr(0, dot);
    if (dot == std::string::npos) {
      parts.push_back(fmt::format("{}: {}", path, value));
    } else if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
      std::vector<std::pair<std::string, std::string>> below;
      for (const auto& [other, v] : keys)
        if (other.starts_with(section + ".")) below.emplace_back(other.substr(section.size() + 1), v);
      parts.push_back(fmt::format("{}: {}", section, tree(below)));
    }
  }
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

std::string loss_yaml(const ConformReport& r, const std::optional<LossMeaning>& meant, const LossBatch& b) {
  std::vector<std::pair<std::string, std::string>> keys;
  if (meant)
    for (const Difference& d : changes(*meant->config))
      keys.emplace_back(d.key.starts_with("loss.") ? d.key.substr(5) : d.key, d.value);
  else
    keys.emplace_back("preset", "token_mean");
  const auto set = [&](const std::string& key, const std::string& value) {
    std::erase_if(keys, [&](const auto& k) { return k.first == key; });
    keys.emplace_back(key, value);
  };
  if (b.kind == PredictionKind::row_loss || b.kind == PredictionKind::probs) set("input", name_of(b.kind));
  if (!b.inputs.dense.empty()) set("target", "dense");
  if (r.program.fixed.smoothing > 0) set("smoothing.epsilon", fmt::format("{}", r.program.fixed.smoothing));
  if (r.program.fixed.softcap) set("softcap", fmt::format("{}", *r.program.fixed.softcap));
  if (r.program.fixed.z_loss > 0) set("z_loss", fmt::format("{}", r.program.fixed.z_loss));
  return tree(keys);
}

std::vector<NamedArray> tensors_of(const LossBatch& b, const LossAnswer& got, Over over) {
  const LossInputs& in = b.inputs;
  const std::vector<int64_t> cells{in.batch, in.steps};
  const bool row = b.kind == PredictionKind::row_loss;
  const std::vector<int64_t> shape = row ? cells : std::vector<int64_t>{in.batch, in.steps, b.width()};
  const std::vector<int64_t> value = over == Over::all ? std::vector<int64_t>{}
                                     : over == Over::none
                                         ? cells
                                         : std::vector<int64_t>{over == Over::time ? in.batch : in.steps};
  std::vector<NamedArray> out;
  const auto add = [&](const std::string& name, std::vector<int64_t> s, const std::vector<double>& x) {
    if (!x.empty()) out.push_back(named_array(name, std::move(s), x.data()));
  };
  // A softmax gives back the probabilities that these are the logarithms of; its gradient is another one.
  const std::string name = b.kind == PredictionKind::log_probs ? "logits" : name_of(b.kind);
  add(name, shape, b.x);
  add("weight", {in.classes, b.width()}, b.weight);
  add("bias", {in.classes}, b.bias);
  if (!row && !in.targets.empty()) out.push_back(named_array("targets", cells, in.targets.data()));
  add("targets", {in.batch, in.steps, in.classes}, in.dense);
  if (in.lengths) out.push_back(named_array("lengths", {in.batch}, in.lengths->data()));
  if (in.mask) out.push_back(named_array("mask", cells, in.mask->data()));
  if (in.token_weight) add("token_weight", cells, *in.token_weight);
  if (in.example_weight) add("example_weight", {in.batch}, *in.example_weight);
  if (in.class_weight) add("class_weight", {in.classes}, *in.class_weight);
  add("upstream", value, b.upstream);
  add("gold.value", value, got.value);
  if (b.kind != PredictionKind::log_probs && got.d_x.size() == b.x.size()) add("gold.d_" + name, shape, got.d_x);
  return out;
}

}  // namespace

std::vector<std::string> save_cases(const ConformReport& r, const std::optional<LossMeaning>& meant,
                                    const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<std::pair<std::string, Saved>> all;
  if (r.smallest)
    all.push_back({r.smallest->property, {&r.smallest->batch, &r.smallest->answer, "the smallest batch"}});
  for (const PropertyResult& p : r.properties)
    for (const Evidence& e : p.evidence) {
      const bool known = std::any_of(all.begin(), all.end(), [&](const auto& a) { return a.first == p.id; });
      if (!known && e.batch && e.answer) all.push_back({p.id, {&*e.batch, &*e.answer, e.text}});
    }
  std::vector<std::string> names;
  for (const auto& [name, saved] : all) {
    const LossBatch b = shifted(*saved.batch);
    if (b.inputs.batch * b.inputs.steps == 0) continue;
    const std::string folder = (fs::path(directory) / name).string();
    make_directories(folder);
    const Over over = r.program.axis;
    const std::string yaml =
        fmt::format("name: {}\nabout: {}\nloss: {}\nnan: equal\nprovenance: {}\n", name,
                    Codec<std::string>::yaml(saved.about), loss_yaml(r, meant, b),
                    Codec<std::string>::yaml(
                        fmt::format("{} {}, seqgrad conform {}", r.program.name, r.program.framework, r.repeat)));
    write_output((fs::path(folder) / "case.yaml").string(), yaml);
    write_safetensors((fs::path(folder) / "tensors.safetensors").string(), tensors_of(b, *saved.answer, over));
    names.push_back(folder);
  }
  return names;
}

}  // namespace seqgrad
