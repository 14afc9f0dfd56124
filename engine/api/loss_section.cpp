// A section is what a file holds, so the arguments become the node that such a file would be parsed to.
#include "engine/api/loss_section.h"

#include "engine/config/yaml.h"
#include "engine/loss_config/config.h"

namespace seqgrad {
namespace {

Node map_node(const Location& at) {
  Node node;
  node.kind = Node::Kind::map;
  node.at = at;
  return node;
}

// Keys with their values, at their paths below `loss`. What is not set is not written.
class Writer {
 public:
  Writer() {
    auto source = std::make_shared<Source>();
    source->name = "seqgrad::loss";
    source->is_option = true;
    at_.source = source;
    root_ = map_node(at_);
  }

  void text(const std::string& path, const std::string& value) {
    if (!value.empty()) put(root_, path, scalar(value, true));
  }
  void yaml(const std::string& path, const std::string& value) {
    if (!value.empty()) put(root_, path, parse_yaml(value, "seqgrad::loss, " + path));
  }
  template <class T>
  void number(const std::string& path, const std::optional<T>& value) {
    if (value) put(root_, path, scalar(Codec<T>::yaml(*value), false));
  }
  void numbers(const std::string& path, const std::vector<int64_t>& values) {
    if (values.empty()) return;
    Node list;
    list.kind = Node::Kind::sequence;
    list.at = at_;
    for (const int64_t value : values) list.items.push_back(scalar(Codec<int64_t>::yaml(value), false));
    put(root_, path, std::move(list));
  }
  void flags(const std::string& path, const std::map<std::string, bool>& values) {
    for (const auto& [name, on] : values) put(root_, path + "." + name, scalar(Codec<bool>::yaml(on), false));
  }
  void flag(const std::string& path, bool on) {
    if (on) put(root_, path, scalar("true", false));
  }

  const Node& node() const { return root_; }

 private:
  Node scalar(std::string value, bool quoted) const {
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = std::move(value);
    node.quoted = quoted;
    node.at = at_;
    return node;
  }

  void put(Node& map, const std::string& path, Node value) {
    const size_t dot = path.find('.');
    const std::string key = path.substr(0, dot);
    size_t i = 0;
    while (i < map.keys.size() && map.keys[i].name != key) ++i;
    if (i == map.keys.size()) {
      map.keys.push_back({key, at_});
      map.items.push_back(map_node(at_));
    }
    if (dot == std::string::npos)
      map.items[i] = std::move(value);
    else
      put(map.items[i], path.substr(dot + 1), std::move(value));
  }

  Location at_;
  Node root_;
};

Node section_of(const LossArguments& a) {
  Writer w;
  w.text("preset", a.preset);
  w.flags("flags", a.flags);
  w.text("input", a.input);
  w.text("layout", a.layout);
  w.text("target", a.dense.given() ? "dense" : "ids");
  w.text("dense_sum", a.dense_sum);
  w.number("mask.ignore_index", a.ignore_index);
  w.text("weights.class.scope", a.class_scope);
  w.flag("weights.allow_negative", a.allow_negative_weights);
  w.number("smoothing.epsilon", a.smoothing);
  w.text("smoothing.kind", a.smoothing_kind);
  w.numbers("smoothing.excluding", a.smoothing_excluding);
  w.text("smoothing.report", a.smoothing_report);
  w.text("probs.mode", a.probs_mode);
  w.number("probs.eps", a.probs_eps);
  w.number("softcap", a.softcap);
  w.number("z_loss", a.z_loss);
  w.text("reduce.over", a.over);
  w.yaml("reduce.divide", a.divide);
  w.number("reduce.divide_eps", a.divide_eps);
  w.text("reduce.on_zero", a.on_zero);
  w.text("reduce.then", a.then);
  w.text("nonfinite", a.nonfinite);
  return w.node();
}

}  // namespace

LossSection::LossSection(const LossArguments& a) {
  LossConfig config;
  try {
    load(config, section_of(a));
  } catch (const ConfigError& e) {
    throw as_loss_error(e);
  }
  options = config.options(a.class_weight.values().has_value());
  if (config.layout() == "list")
    refuse(LossCode::combination, "loss: layout: list is for tensors of one step each; expected batch or time");
  if (config.layout() == "time") layout = Layout::time;
  if (a.prior.values() && options.smoothing_kind != SmoothingKind::prior)
    refuse(LossCode::combination, "loss: prior goes with smoothing.kind: prior");
}

}  // namespace seqgrad
