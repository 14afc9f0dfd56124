// The hello, key by key. Keys that are not known here may be another version's: they are let be, and told.
#include "engine/conform/program.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "engine/config/field.h"
#include "engine/text/edit_distance.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

constexpr const char* known_inputs[] = {
    "logits", "probs", "log_probs", "hidden",  "weight",       "bias",      "row_loss",       "targets",
    "labels", "dense", "mask",      "lengths", "token_weight", "num_items", "example_weight", "class_weight"};
constexpr const char* known_keys[] = {"protocol", "name",  "framework", "takes",   "gradients",
                                      "dtypes",   "axis",  "layout",    "shifts",  "ignore",
                                      "classes",  "steps", "smoothing", "softcap", "z_loss"};
constexpr PredictionKind kinds[] = {PredictionKind::logits, PredictionKind::probs, PredictionKind::log_probs,
                                    PredictionKind::hidden, PredictionKind::row_loss};
constexpr std::pair<const char*, Over> axes[] = {
    {"all", Over::all}, {"time", Over::time}, {"batch", Over::batch}, {"none", Over::none}};

class Reader {
 public:
  explicit Reader(const Metadata& m) : metadata_(m) {}

  Program read() {
    if (text("protocol") != "1") refuse("hello: protocol is '{}'; this seqgrad speaks 1", shown(text("protocol")));
    Program p;
    p.name = text("name").empty() ? "the loss" : text("name");
    p.framework = text("framework");
    for (const std::string& word : words("takes")) {
      if (std::find(std::begin(known_inputs), std::end(known_inputs), word) == std::end(known_inputs))
        refuse("hello: takes '{}'; {}", shown(word),
               not_among({std::begin(known_inputs), std::end(known_inputs)}, word));
      p.takes.insert(word);
    }
    check_inputs(p);
    read_dtypes(p);
    read_gradients(p);
    read_axis(p);
    p.shifts = flag("shifts");
    p.time_major = text("layout") == "time";
    if (!text("layout").empty() && text("layout") != "time" && text("layout") != "batch")
      refuse("hello: layout is '{}'; expected time or batch", shown(text("layout")));
    p.ignore = whole("ignore").value_or(-100);
    p.classes = whole("classes"), p.steps = whole("steps");
    if (p.classes.value_or(2) < 2 || p.steps.value_or(1) < 1) refuse("hello: classes below 2 or steps below 1");
    p.fixed.smoothing = number("smoothing").value_or(0);
    p.fixed.z_loss = number("z_loss").value_or(0);
    p.fixed.softcap = number("softcap");
    read_unknown_keys(p);
    return p;
  }

 private:
  std::string text(const std::string& key) const {
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? "" : found->second;
  }
  // A list of another language is one word with brackets, quotes and commas in it.
  std::vector<std::string> words(const std::string& key) const {
    std::vector<std::string> out;
    const std::string line = text(key);
    if (line.find_first_of("[](){},;'\"") != std::string::npos)
      refuse("hello: {} is '{}'; expected names with blanks between them", key, shown(line));
    for (const std::string_view word : split_whitespace(line)) out.emplace_back(word);
    return out;
  }
  bool flag(const std::string& key) const {
    const std::string value = text(key);
    if (!value.empty() && value != "0" && value != "1") refuse("hello: {} is '{}'; expected 0 or 1", key, shown(value));
    return value == "1";
  }
  template <class T>
  std::optional<T> read_number(const std::string& key, const char* expected) const {
    const std::string value = text(key);
    if (value.empty()) return std::nullopt;
    T x{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), x);
    if (error != std::errc() || end != value.data() + value.size())
      refuse("hello: {} is '{}'; expected {}", key, shown(value), expected);
    return x;
  }
  std::optional<int64_t> whole(const std::string& key) const { return read_number<int64_t>(key, "a whole number"); }
  std::optional<double> number(const std::string& key) const { return read_number<double>(key, "a number"); }

  static int count(const Program& p, std::initializer_list<const char*> names) {
    return static_cast<int>(std::count_if(names.begin(), names.end(), [&](const char* n) { return p.takes_input(n); }));
  }

  void check_inputs(Program& p) const {
    const std::string all = fmt::format("{}", fmt::join(p.takes, " "));
    if (count(p, {"logits", "probs", "log_probs", "row_loss", "hidden"}) != 1)
      refuse("hello: takes '{}'; exactly one of logits, probs, log_probs, row_loss, hidden is needed", shown(all));
    for (const PredictionKind kind : kinds)
      if (p.takes_input(name_of(kind))) p.kind = kind;
    if (const std::vector<std::string> given = words("takes"); given.size() != p.takes.size())
      refuse("hello: takes '{}'; a name stands there twice", shown(fmt::format("{}", fmt::join(given, " "))));
    if (p.takes_input("hidden") != p.takes_input("weight") || (p.takes_input("bias") && !p.takes_input("hidden")))
      refuse("hello: takes '{}'; hidden goes with weight, and bias with both", shown(all));
    const int targets = count(p, {"targets", "labels", "dense"});
    if (p.kind == PredictionKind::row_loss ? targets > 0 : targets != 1)
      refuse("hello: takes '{}'; {}", shown(all),
             targets > 0 && p.kind == PredictionKind::row_loss ? "row_loss has its targets behind it"
                                                               : "exactly one of targets, labels, dense is needed");
    if (!p.takes_input("labels") && count(p, {"mask", "lengths"}) == 0)
      refuse("hello: takes '{}'; who counts is told by mask, lengths or labels", shown(all));
    if (p.kind == PredictionKind::row_loss && p.takes_input("class_weight"))
      refuse("hello: takes '{}'; class_weight belongs into row_loss", shown(all));
  }

  void read_dtypes(Program& p) const {
    const std::vector<std::string> given = words("dtypes");
    for (const std::string& word : given)
      if (std::none_of(std::begin(all_float_types), std::end(all_float_types),
                       [&](FloatType t) { return word == name_of(t); }))
        refuse("hello: dtypes has '{}'; expected F64, F32, BF16 or F16", shown(word));
    for (const FloatType t : all_float_types) {
      const bool is_default = given.empty() && (t == FloatType::f64 || t == FloatType::f32);
      if (is_default || std::find(given.begin(), given.end(), name_of(t)) != given.end()) p.dtypes.push_back(t);
    }
  }

  void read_gradients(Program& p) const {
    for (const std::string& word : words("gradients")) {
      const bool has = word.starts_with("d_") && p.takes_input(word.c_str() + 2);
      const std::string of = has ? word.substr(2) : "";
      if (of != p.prediction() && of != "weight" && of != "bias")
        refuse("hello: gradients has '{}'; expected d_{}{}", shown(word), p.prediction(),
               p.kind == PredictionKind::hidden ? ", d_weight, d_bias" : "");
      p.gradients.insert(word);
    }
  }

  void read_axis(Program& p) const {
    const std::string axis = text("axis");
    if (axis.empty()) return;
    const auto found = std::find_if(std::begin(axes), std::end(axes), [&](const auto& a) { return axis == a.first; });
    if (found == std::end(axes)) refuse("hello: axis is '{}'; expected all, time, batch or none", shown(axis));
    p.axis = found->second;
  }

  void read_unknown_keys(Program& p) const {
    const std::vector<std::string> known{std::begin(known_keys), std::end(known_keys)};
    for (const auto& [key, value] : metadata_) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string like = closest(key, known);
      p.unknown_keys.push_back(fmt::format("'{}' is no key of a hello and changes nothing{}", shown(key),
                                           like.empty() ? "" : fmt::format("; did you mean '{}'?", like)));
    }
  }

  const Metadata& metadata_;
};

}  // namespace

std::string Program::takes_text() const {
  std::string out;
  for (const char* input : known_inputs)
    if (takes_input(input)) out += (out.empty() ? "" : " ") + std::string(input);
  return out;
}

Program read_hello(const Metadata& metadata) { return Reader(metadata).read(); }

}  // namespace seqgrad
