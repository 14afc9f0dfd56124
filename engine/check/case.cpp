// Reading of cases: the keys, then each tensor by what its name may hold.
#include "engine/check/case.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "engine/check/flat.h"
#include "engine/check/inline_tensors.h"
#include "engine/io/files.h"

namespace seqgrad {
namespace {

namespace fs = std::filesystem;

constexpr size_t largest_tensors = size_t{4} << 30;
constexpr size_t largest_yaml = size_t{1} << 20;
constexpr int64_t longest_empty = 1 << 20;  // a side of a tensor without numbers, whose results may have some

enum class InputKind { floats, ids, lengths, flags };
struct CaseInput {
  const char* name;
  InputKind kind;
  bool steps;  // one array a step in layout: list
};
const CaseInput inputs[] = {{"logits", InputKind::floats, true},        {"probs", InputKind::floats, true},
                            {"hidden", InputKind::floats, false},       {"weight", InputKind::floats, false},
                            {"bias", InputKind::floats, false},         {"targets", InputKind::ids, true},
                            {"lengths", InputKind::lengths, false},     {"mask", InputKind::flags, true},
                            {"token_weight", InputKind::floats, true},  {"example_weight", InputKind::floats, false},
                            {"class_weight", InputKind::floats, false}, {"prior", InputKind::floats, false},
                            {"upstream", InputKind::floats, false},     {"row_loss", InputKind::floats, false}};

bool fits(InputKind kind, DType dtype) {
  switch (kind) {
    case InputKind::floats: return is_floating(dtype);
    case InputKind::ids: return true;  // floats among ids are E05, which the loss refuses
    case InputKind::lengths: return dtype == DType::i64 || dtype == DType::i32;
    case InputKind::flags: return dtype == DType::u8;
  }
  return false;
}
const char* expected(InputKind kind) {
  return kind == InputKind::floats    ? "float32 or float64"
         : kind == InputKind::lengths ? "int32 or int64"
         : kind == InputKind::flags   ? "uint8 or bool"
                                      : "int32 or int64";
}

// Reads the tensors of one file into a case whose section has been read.
class Reader {
 public:
  Reader(LossCase& c, std::string where) : case_(c), where_(std::move(where)) {
    none_ = c.config->loss.options().over == Over::none;
  }

  void read(std::vector<NamedArray> tensors) {
    for (NamedArray& t : tensors) {
      for (const int64_t side : t.shape)
        if (t.bytes.empty() && side > longest_empty)
          bad(t.name, fmt::format("a side of {} without a number; at most {} are read", side, longest_empty));
      const bool gold = t.name.starts_with("gold."), peer = t.name.starts_with("peer.");
      if (gold || peer)
        read_gold(t, gold ? gold_ : peer_);
      else
        read_input(t);
    }
    case_.gold = assemble(gold_, "gold.");
    case_.peer = assemble(peer_, "peer.");
    check();
  }

 private:
  using Steps = std::map<std::string, std::map<int64_t, Values>>;  // -1: not a list

  [[noreturn]] void bad(const std::string& tensor, const std::string& why) const {
    refuse("{}: error: tensor '{}': {}", where_, shown(tensor), why);
  }

  // "logits.3" in layout: list is step 3 of logits; other names have no step (-1).
  int64_t step_of(std::string& name, bool by_steps) const {
    if (case_.layout != Layout::list || !by_steps) return -1;
    const size_t dot = name.rfind('.');
    int64_t step = -1;
    if (dot != std::string::npos) {
      const auto [end, error] = std::from_chars(name.data() + dot + 1, name.data() + name.size(), step);
      const bool whole = error == std::errc() && end == name.data() + name.size();
      if (!whole || step < 0 || name.substr(dot + 1) != std::to_string(step)) step = -1;
    }
    if (step < 0) bad(name, fmt::format("layout: list has one array a step: {0}.0, {0}.1, …", shown(name)));
    name.resize(dot);
    return step;
  }

  void read_input(NamedArray& t) {
    std::string base = t.name;
    const CaseInput* known = nullptr;
    const auto find = [&](const std::string& name) {
      for (const CaseInput& i : inputs)
        if (name == i.name) known = &i;
    };
    find(base);
    if (!known && case_.layout == Layout::list) find(base.substr(0, base.rfind('.')));
    if (!known) {
      std::vector<std::string> names;
      for (const CaseInput& i : inputs) names.emplace_back(i.name);
      for (const char* g : gold_names) names.push_back(std::string("gold.") + g);
      const std::string near = closest(t.name, names);
      bad(t.name, near.empty() ? "is none of a case's" : fmt::format("is none of a case's (did you mean '{}'?)", near));
    }
    const int64_t step = step_of(base, known->steps || (none_ && base.starts_with("upstream")));
    if (!fits(known->kind, t.dtype))
      bad(t.name, fmt::format("expected {}, got {}", expected(known->kind), name_of(t.dtype)));
    if (step >= 0) steps_[base].insert(step);
    present_.insert(base);
    case_.tensors.push_back(std::move(t));
  }

  void read_gold(const NamedArray& t, Steps& into) {
    std::string base = t.name.substr(5);
    const bool cells = base.starts_with("row_loss") || base.starts_with("d_logits") || base.starts_with("d_probs");
    const int64_t step = step_of(base, cells || none_);
    if (std::find(std::begin(gold_names), std::end(gold_names), base) == std::end(gold_names))
      bad(t.name, fmt::format("expected one of {}", fmt::join(gold_names, ", ")));
    if (!is_floating(t.dtype)) bad(t.name, fmt::format("expected float64, got {}", name_of(t.dtype)));
    Values v{base, t.shape, {}};
    dispatch(t.dtype, [&]<class T> {
      const auto* x = t.data<T>();
      v.numbers.assign(x, x + t.numel());
    });
    into[base].emplace(step, std::move(v));
  }

  // Lists of steps become one array [T,…].
  std::vector<Values> assemble(Steps& from, const char* prefix) const {
    std::vector<Values> out;
    for (const char* name : gold_names) {
      const auto found = from.find(name);
      if (found == from.end()) continue;
      if (found->second.begin()->first < 0) {
        out.push_back(std::move(found->second.begin()->second));
        continue;
      }
      Values whole{name, found->second.begin()->second.shape, {}};
      int64_t next = 0;
      for (auto& [step, v] : found->second) {
        const std::string tensor = fmt::format("{}{}.{}", prefix, name, step);
        if (step != next++) bad(tensor, fmt::format("step {} is missing before it", next - 1));
        if (v.shape != whole.shape) bad(tensor, "its shape differs from that of step 0");
        whole.numbers.insert(whole.numbers.end(), v.numbers.begin(), v.numbers.end());
      }
      whole.shape.insert(whole.shape.begin(), next);
      out.push_back(std::move(whole));
    }
    return out;
  }

  bool has(const char* name) const { return present_.count(name) > 0; }

  void check() const {
    const int predictions = has("logits") + has("probs") + has("hidden") + has("row_loss");
    if (predictions == 0 && case_.layout == Layout::list && present_.empty()) return;  // E17, which the loss refuses
    if (predictions != 1)
      refuse("{}: error: expected exactly one of the tensors logits, probs, hidden and row_loss, got {}", where_,
             predictions);
    if (!has("targets") && !has("row_loss")) refuse("{}: error: the tensor 'targets' is missing", where_);
    if (has("hidden") != has("weight"))
      refuse("{}: error: the tensors 'hidden' and 'weight' go together, and one is missing", where_);
    if (has("bias") && !has("hidden")) bad("bias", "goes with hidden");
    if (has("row_loss")) check_row_loss();
    if (has("hidden") && case_.layout == Layout::list)
      problem(case_.config->loss.layout, "list is for logits and probs");
    check_steps_and_dtypes();
    check_config();
    check_gold();
  }

  // Losses of positions are reduced; nothing else is done to them.
  void check_row_loss() const {
    for (const char* name : {"targets", "class_weight", "prior"})
      if (has(name)) bad(name, "has no meaning beside row_loss");
    const LossConfig& loss = case_.config->loss;
    if (case_.layout == Layout::list) problem(loss.layout, "list is for logits and probs");
    const std::string why = "has no meaning beside the tensor 'row_loss'";
    if (loss.input()) problem(loss.input, why);
    if (loss.target()) problem(loss.target, why);
    if (loss.mask.ignore_index()) problem(loss.mask.ignore_index, why);
    if (loss.smoothing.epsilon() > 0) problem(loss.smoothing.epsilon, why);
    if (loss.softcap()) problem(loss.softcap, why);
    if (loss.z_loss() > 0) problem(loss.z_loss, why);
  }

  [[noreturn]] void problem(const FieldBase& field, const std::string& why) const {
    const std::string at = field.origin.source ? fmt::format("{}:{}:{}", shown_path(field.origin.source->name),
                                                             field.origin.line, field.origin.column)
                                               : shown_path(case_.where);
    refuse("{}: error: {}: {}", at, field.path(), why);
  }

  void check_steps_and_dtypes() const {
    for (const auto& [name, steps] : steps_)
      if (*steps.rbegin() + 1 != static_cast<int64_t>(steps.size()))
        bad(name, fmt::format("has steps up to {}, but {} of them", *steps.rbegin(), steps.size()));
    DType dtype = case_.dtype();
    for (const NamedArray& t : case_.tensors) {
      const std::string base = t.name.substr(0, t.name.find('.'));
      if ((base == "logits" || base == "probs" || base == "hidden" || base == "row_loss" || base == "weight" ||
           base == "bias") &&
          t.dtype != dtype)
        bad(t.name, fmt::format("is {}, others are {}; a case runs in one dtype", name_of(t.dtype), name_of(dtype)));
    }
  }

  // Whether the section `loss` says what the tensors are.
  void check_config() const {
    const LossConfig& loss = case_.config->loss;
    if (!case_.refused && !has("row_loss")) {
      const bool probs = loss.prediction() == "probs";
      const char* have = has("probs") ? "probs" : has("hidden") ? "hidden" : "logits";
      if (probs != has("probs") || (loss.input() && *loss.input() != have))
        problem(loss.input,
                fmt::format("is {}, but the tensor is '{}'; write input: {}", loss.prediction(), have, have));
    }
    const auto agree = [&](const Field<bool>& field, const char* tensor) {
      if (field.is_set() && field() != has(tensor))
        problem(field, fmt::format("is {}, but the tensor '{}' is {}", field(), tensor, has(tensor) ? "there" : "not"));
    };
    agree(loss.mask.lengths, "lengths");
    agree(loss.mask.file, "mask");
    agree(loss.weights.token, "token_weight");
    agree(loss.weights.example, "example_weight");
    if (!loss.weights.classes.file().value.empty())
      problem(loss.weights.classes.file, "in a case the tensor class_weight gives them; leave this out");
    if (!loss.smoothing.prior().value.empty())
      problem(loss.smoothing.prior, "in a case the tensor prior gives it; leave this out");
    if (loss.smoothing.kind() == "prior" && !has("prior")) problem(loss.smoothing.kind, "needs the tensor 'prior'");
    if (has("prior") && loss.smoothing.kind() != "prior") bad("prior", "goes with smoothing.kind: prior");
  }

  void check_gold() const {
    const CaseConfig& config = *case_.config;
    const bool error = !config.expect().error.empty();
    if (error && !case_.gold.empty()) problem(config.expect, "is an error, but there is gold");
    if (!case_.peer.empty() && config.peer_differs().empty())
      bad("peer." + case_.peer[0].name, "needs peer_differs: in what, and why");
    const auto gradient_of = [&](const char* name, const char* tensor) {
      if ((case_.gold_of(name) ||
           std::any_of(case_.peer.begin(), case_.peer.end(), [&](const Values& v) { return v.name == name; })) &&
          !has(tensor))
        bad(std::string("gold.") + name, fmt::format("there is no '{}'", tensor));
    };
    for (const auto& [gradient, tensor] : {std::pair{"d_logits", "logits"},
                                           {"d_probs", "probs"},
                                           {"d_hidden", "hidden"},
                                           {"d_weight", "weight"},
                                           {"d_bias", "bias"},
                                           {"d_row_loss", "row_loss"}})
      gradient_of(gradient, tensor);
  }

  LossCase& case_;
  std::string where_;
  bool none_ = false;
  Steps gold_, peer_;
  std::map<std::string, std::set<int64_t>> steps_;
  std::set<std::string> present_;
};

Node without(const Node& node, std::initializer_list<const char*> keys) {
  Node out = node;
  for (const char* key : keys)
    for (size_t i = 0; i < out.keys.size(); ++i)
      if (out.keys[i].name == key) {
        out.keys.erase(out.keys.begin() + static_cast<std::ptrdiff_t>(i));
        out.items.erase(out.items.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      }
  return out;
}

void read_keys(LossCase& c, const Node& yaml) {
  c.config = std::make_unique<CaseConfig>();
  try {
    load(*c.config, yaml);
  } catch (const ConfigError& e) {
    // Where an error of the loss is expected and all else is well, the case can be read.
    auto rest = std::make_unique<CaseConfig>();
    try {
      load(*rest, without(yaml, {"loss"}));
    } catch (const ConfigError&) {
      throw e;
    }
    if (rest->expect().error.empty()) throw;
    c.config = std::move(rest);
    c.refused = as_loss_error(e);
  }
  const std::string layout = c.config->loss.layout();
  c.layout = layout == "time" ? Layout::time : layout == "list" ? Layout::list : Layout::batch;
}

// A lesson with its repair: the keys of that text in place of the file's.
Node repaired_node(const Node& yaml, const std::string& path) {
  const Node* text = yaml.find("repair");
  if (!text) refuse("{}: error: 'repair' is missing", shown_path(path));
  const Node repair = parse_yaml(text->text, path + " (repair)");
  if (repair.kind != Node::Kind::map) refuse("{}: error: repair: expected keys", shown_path(path));
  Node out = yaml;
  for (size_t i = 0; i < repair.keys.size(); ++i) {
    out = without(out, {repair.keys[i].name.c_str()});
    out.keys.push_back(repair.keys[i]);
    out.items.push_back(repair.items[i]);
  }
  return out;
}

}  // namespace

const NamedArray* LossCase::find(const std::string& name) const {
  for (const NamedArray& t : tensors)
    if (t.name == name) return &t;
  return nullptr;
}

const Values* LossCase::gold_of(const std::string& name) const {
  for (const Values& v : gold)
    if (v.name == name) return &v;
  return nullptr;
}

bool LossCase::has_prediction(const char* name) const {
  return find(layout == Layout::list ? std::string(name) + ".0" : name) != nullptr;
}

DType LossCase::dtype() const {
  for (const char* name : {"logits", "probs", "hidden", "row_loss"})
    if (const NamedArray* t = find(layout == Layout::list ? std::string(name) + ".0" : name)) return t->dtype;
  return DType::f64;
}

LossCase make_case(const Node& yaml, std::optional<SafetensorsFile> file, const std::string& path) {
  LossCase c;
  c.path = path;
  c.where = yaml.at.source ? yaml.at.source->name : path;
  const Node* written = yaml.kind == Node::Kind::map ? yaml.find("tensors") : nullptr;
  if (yaml.kind != Node::Kind::map || !yaml.find("loss"))
    refuse("{}: error: the section 'loss' is missing", shown_path(c.where));
  read_keys(c, without(yaml, {"tensors"}));
  if (written && file)
    refuse("{}: error: tensors stand here and in tensors.safetensors; a case has them once", shown_path(c.where));
  if (!written && !file) refuse("{}: error: the section 'tensors' is missing", shown_path(c.where));
  c.inline_tensors = written != nullptr;
  const bool dense = c.config->loss.options().target == Target::dense;
  Reader reader(c, shown_path(written ? c.where : file->path));
  reader.read(written ? inline_tensors(*written, dense) : std::move(file->tensors));
  unflatten(c);
  return c;
}

CaseFiles files_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path, ""};
  return {(fs::path(path) / "case.yaml").string(), (fs::path(path) / "tensors.safetensors").string()};
}

static LossCase read_node(const std::string& path, const std::function<Node(Node)>& edited) {
  const auto [yaml, beside] = files_of(path);
  const Node node = edited(load_yaml(yaml));
  std::optional<SafetensorsFile> tensors;
  std::error_code error;
  const bool is_inline = node.kind == Node::Kind::map && node.find("tensors");
  if (!beside.empty() && (!is_inline || fs::exists(beside, error))) tensors = read_safetensors(beside, largest_tensors);
  return make_case(node, std::move(tensors), path);
}

LossCase read_case(const std::string& path, bool repaired) {
  return read_node(path, [&](Node node) { return repaired ? repaired_node(node, path) : node; });
}

// The case's loss section with another reduction: what a name or an axis says goes, what stands in `keys` comes.
static Node with_loss(Node node, const Node& keys) {
  for (size_t i = 0; i < node.keys.size(); ++i) {
    if (node.keys[i].name != "loss" || node.items[i].kind != Node::Kind::map) continue;
    Node loss = without(node.items[i], {"preset", "flags", "reduce", "normalizer"});
    for (size_t k = 0; k < keys.keys.size(); ++k) {
      loss = without(loss, {keys.keys[k].name.c_str()});
      loss.keys.push_back(keys.keys[k]);
      loss.items.push_back(keys.items[k]);
    }
    node.items[i] = std::move(loss);
  }
  return node;
}

LossCase read_case_with_loss(const std::string& path, const std::string& loss) {
  const Node keys = parse_yaml(loss, "--loss");
  if (keys.kind != Node::Kind::map)
    refuse("--loss: expected keys of a loss section, as '{{preset: torch.mean}}', got '{}'", shown(loss));
  return read_node(path, [&](Node node) { return with_loss(std::move(node), keys); });
}

LossCase read_case_with_preset(const std::string& path, const std::string& preset) {
  seqgrad::preset(preset);  // E14 before anything is read
  return read_case_with_loss(path, "preset: " + preset);
}

bool is_case(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return fs::exists(fs::path(path) / "case.yaml", error);
  if (!path.ends_with(".yaml") || !fs::is_regular_file(path, error) || path.ends_with("/case.yaml")) return false;
  if (fs::file_size(path, error) > largest_yaml) return false;
  const std::string text = "\n" + read_file(path, largest_yaml);
  return text.find("\ntensors:") != std::string::npos && text.find("\nloss:") != std::string::npos;
}

}  // namespace seqgrad
