// First weights from a file. A layer is what shares a name up to its last dot: "enc.gru".

#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "engine/io/safetensors.h"
#include "engine/run/record.h"
#include "engine/text/numbers.h"
#include "models/config.h"

namespace seqgrad {
namespace {

// `used` gets the key that `name` begins with.
std::string renamed(const std::string& name, const std::map<std::string, std::string>& rename,
                    std::set<std::string>& used) {
  const std::pair<const std::string, std::string>* best = nullptr;
  for (const auto& entry : rename)
    if (name.starts_with(entry.first) && (!best || entry.first.size() > best->first.size())) best = &entry;
  if (!best) return name;
  used.insert(best->first);
  return best->second + name.substr(best->first.size());
}

std::string layer_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

std::vector<double> values_of(const SafetensorsFile& file, const NamedArray& t) {
  if (t.dtype != DType::f32 && t.dtype != DType::f64)
    refuse("{}: error: tensor '{}' is {}; expected float32 or float64", shown_path(file.path), shown(t.name),
           name_of(t.dtype));
  return dispatch(t.dtype, [&]<class T> {
    const auto* data = t.data<T>();
    for (int64_t i = 0; i < t.numel(); ++i)
      if (!std::isfinite(data[i]))
        refuse("{}: error: tensor '{}' holds {} at {}", shown_path(file.path), shown(t.name), data[i], i);
    return std::vector<double>(data, data + t.numel());
  });
}

// Whose words the rows of a parameter are: "source", "target" or "".
std::string side_of(const std::string& parameter) {
  if (parameter.starts_with("enc.emb.")) return "source";
  return parameter.starts_with("dec.emb.") || parameter.starts_with("out.") ? "target" : "";
}

// The fingerprint of the vocabulary that the weights of a file were learned with; "" where nobody wrote it down.
std::string learned_with(const SafetensorsFile& file, const std::string& side) {
  const auto found = file.metadata.find(side + "_vocabulary");
  if (found != file.metadata.end()) return found->second;
  std::error_code ignored;
  const std::string run = run_around(std::filesystem::weakly_canonical(file.path, ignored).string());
  return run.empty() ? "" : recorded_vocabulary(run, side);
}

// What a shape that does not fit says about the vocabulary.
std::string about_vocabulary(const std::string& parameter, const NamedArray& t, const Shape& want) {
  const std::string side = side_of(parameter);
  if (side.empty() || t.shape.empty() || t.shape[0] == want[0]) return "";
  return fmt::format(" (the {} vocabulary has {} entries here, and {} where the file comes from)", side, want[0],
                     t.shape[0]);
}

void check_vocabulary(const SafetensorsFile& file, const std::string& parameter, const Tokenizer* ours) {
  const std::string side = side_of(parameter), theirs = side.empty() || !ours ? "" : learned_with(file, side);
  if (!theirs.empty() && theirs != ours->fingerprint())
    refuse(
        "{}: error: tensor '{}' was learned with another {} vocabulary: content {}, and {} here, of the same size; "
        "the rows would be other words (train on the data of that run, or give a file without this layer)",
        shown_path(file.path), parameter, side, shown(theirs), ours->fingerprint());
}

// "rnn.weight_ih_l0, rnn.weight_hh_l0, ... (8)"
std::string some_names(const SafetensorsFile& file) {
  constexpr size_t few = 4;
  std::string out;
  for (size_t i = 0; i < std::min(few, file.tensors.size()); ++i)
    out += (i > 0 ? ", " : "") + shown(file.tensors[i].name);
  return out + (file.tensors.size() > few ? fmt::format(", ... ({})", file.tensors.size()) : "");
}

}  // namespace

std::string ModelConfig::init_weights(SequenceModel& model, const Tokenizer* source, const Tokenizer* target) const {
  if (!first_weights()) return "";
  const SafetensorsFile file = read_safetensors(init.file().value);
  const std::string path = shown_path(file.path);
  ParameterStore& store = model.store();
  std::map<std::string, std::pair<std::string, std::vector<double>>> found;  // by parameter: the tensor and its values
  std::set<std::string> layers, used;
  for (const NamedArray& t : file.tensors) {
    const std::string name = renamed(t.name, init.rename(), used);
    const std::string is = name == t.name ? "" : fmt::format(" (renamed '{}')", shown(name));
    const Parameter* p = store.find(name);
    if (!p)
      refuse("{}: error: the model has no tensor '{}'{}; map names with model.init.rename", path, shown(t.name), is);
    const Shape want = p->file_shape();
    if (t.shape != std::vector<int64_t>(want.begin(), want.end()))
      refuse("{}: error: tensor '{}'{} has shape [{}]; the model has {}{}", path, shown(t.name), is,
             fmt::join(t.shape, ","), want.str(), about_vocabulary(name, t, want));
    check_vocabulary(file, name, side_of(name) == "source" ? source : target);
    const auto [at, fresh] = found.try_emplace(name, t.name, values_of(file, t));
    if (!fresh)
      refuse("{}: error: '{}' and '{}' are both '{}'", path, shown(at->second.first), shown(t.name), shown(name));
    layers.insert(layer_of(name));
  }
  if (found.empty()) refuse("{}: error: holds no tensor", path);
  for (const auto& entry : init.rename())
    if (!used.count(entry.first))
      refuse("{}: error: no tensor is renamed by '{}' of model.init.rename; its tensors are {}", path,
             shown(entry.first), some_names(file));
  for (const Parameter& p : store.parameters())
    if (layers.count(layer_of(p.name)) && !found.count(p.name))
      refuse("{}: error: tensor '{}' is missing, of a layer that is there in part", path, p.name);
  for (const auto& entry : found)
    dispatch(store.dtype(), [&]<class T> {
      const std::vector<double>& values = entry.second.second;
      const std::vector<T> typed(values.begin(), values.end());
      store.from_file(*store.find(entry.first), store.values(), typed.data());
    });
  return fmt::format("model.init: {} of {} from {}", found.size(),
                     counted(static_cast<int64_t>(store.parameters().size()), "tensor"), path);
}

}  // namespace seqgrad
