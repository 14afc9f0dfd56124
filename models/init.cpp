// A layer is what shares a name up to its last dot: "enc.gru".
#include "models/init.h"

#include <cmath>
#include <map>
#include <set>

#include "engine/io/safetensors.h"

namespace seqgrad {
namespace {

std::string renamed(const std::string& name, const std::map<std::string, std::string>& rename) {
  const std::pair<const std::string, std::string>* best = nullptr;
  for (const auto& entry : rename)
    if (name.starts_with(entry.first) && (!best || entry.first.size() > best->first.size())) best = &entry;
  return best ? best->second + name.substr(best->first.size()) : name;
}

std::string layer_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

std::vector<double> values_of(const SafetensorsFile& file, const NamedArray& t) {
  if (t.dtype != DType::f32 && t.dtype != DType::f64)
    refuse("{}: error: tensor '{}' is {}; expected float32 or float64", shown_path(file.path), shown(t.name),
           name_of(t.dtype));
  return with_floating(t.dtype, [&](auto zero) {
    const auto* data = t.data<decltype(zero)>();
    for (int64_t i = 0; i < t.numel(); ++i)
      if (!std::isfinite(data[i]))
        refuse("{}: error: tensor '{}' holds {} at {}", shown_path(file.path), shown(t.name), data[i], i);
    return std::vector<double>(data, data + t.numel());
  });
}

}  // namespace

std::string init_weights(const ModelConfig& config, SequenceModel& model) {
  if (config.init.file().value.empty()) return "";
  const SafetensorsFile file = read_safetensors(config.init.file().value);
  const std::string path = shown_path(file.path);
  ParameterStore& store = model.store();
  std::map<std::string, std::pair<std::string, std::vector<double>>> found;  // by parameter: the tensor and its values
  std::set<std::string> layers;
  for (const NamedArray& t : file.tensors) {
    const std::string name = renamed(t.name, config.init.rename());
    const std::string is = name == t.name ? "" : fmt::format(" (renamed '{}')", shown(name));
    const Parameter* p = store.find(name);
    if (!p)
      refuse("{}: error: the model has no tensor '{}'{}; map names with model.init.rename", path, shown(t.name), is);
    const Shape want = p->file_shape();
    if (t.shape != std::vector<int64_t>(want.begin(), want.end()))
      refuse("{}: error: tensor '{}'{} has shape [{}]; the model has {}", path, shown(t.name), is,
             fmt::join(t.shape, ","), want.str());
    const auto [at, fresh] = found.try_emplace(name, t.name, values_of(file, t));
    if (!fresh)
      refuse("{}: error: '{}' and '{}' are both '{}'", path, shown(at->second.first), shown(t.name), shown(name));
    layers.insert(layer_of(name));
  }
  if (found.empty()) refuse("{}: error: holds no tensor", path);
  for (const Parameter& p : store.parameters())
    if (layers.count(layer_of(p.name)) && !found.count(p.name))
      refuse("{}: error: tensor '{}' is missing, of a layer that is there in part", path, p.name);
  for (const auto& entry : found)
    with_floating(store.dtype(), [&](auto zero) {
      const std::vector<double>& values = entry.second.second;
      const std::vector<decltype(zero)> typed(values.begin(), values.end());
      store.from_file(*store.find(entry.first), store.values(), typed.data());
    });
  return fmt::format("model.init: {} of {} tensors from {}", found.size(), store.parameters().size(), path);
}

}  // namespace seqgrad
