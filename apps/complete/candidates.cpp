#include "apps/complete/candidates.h"

#include <algorithm>
#include <cctype>

#include "apps/command.h"
#include "engine/conform/trial.h"
#include "engine/loss/presets.h"
#include "engine/teach/experiment.h"
#include "engine/train/config.h"

namespace seqgrad {
namespace {

using Words = std::vector<std::string>;

// "loss.preset=" of each key; of the one whose value was begun, "loss.preset=torch.mean" of each word that it takes.
Words keys(const std::string& typed) {
  const bool has_value = typed.find('=') != std::string::npos;
  Words out;
  Config().for_each_field([&](const FieldBase& f) {
    const std::string key = f.path() + "=";
    if (!has_value) {
      out.push_back(key);
    } else if (typed.starts_with(key)) {
      Words values = f.choices();
      if (f.type().starts_with("boolean")) values = {"true", "false"};
      for (const std::string& v : values) out.push_back(key + v);
    }
  });
  return out;
}

Words experiment_ids() {
  Words out;
  for (const ExperimentKind& kind : experiment_kinds()) out.push_back(kind.id);
  return out;
}

// Those of one alternative of a type name.
Words words_of(const std::string& alternative) {
  if (alternative == "PRESET") return preset_names();
  if (alternative == "PROPERTY") return property_ids();
  if (alternative == "EXPERIMENT") return experiment_ids();
  const bool is_word =
      !std::any_of(alternative.begin(), alternative.end(), [](char c) { return c == ' ' || std::isupper(c); });
  return is_word ? Words{alternative} : Words{};
}

// What a value of `type` may be, where `typed` of it stands there already.
Words values(std::string type, const std::string& typed) {
  if (type == "KEY=VALUE") return keys(typed);
  std::string before;  // items of a list that are complete
  if (const std::string several = ",…"; type.ends_with(several)) {
    type.resize(type.size() - several.size());
    before = typed.substr(0, typed.rfind(',') + 1);
  }
  Words out;
  for (size_t begin = 0; begin <= type.size();) {
    const size_t end = std::min(type.find('|', begin), type.size());
    for (const std::string& w : words_of(type.substr(begin, end - begin))) out.push_back(before + w);
    begin = end + 1;
  }
  return out;
}

const OptionText* named(const std::vector<OptionText>& options, const std::string& name) {
  for (const OptionText& o : options)
    if (std::find(o.names.begin(), o.names.end(), name) != o.names.end()) return &o;
  return nullptr;
}

// After `seqgrad COMMAND`.
Words of_command(const Command& command, const Words& words) {
  const std::vector<OptionText> options = options_of(command);
  const std::string &typed = words.back(), &before = words[words.size() - 2];
  if (const OptionText* o = named(options, before); o && !o->type.empty()) return values(o->type, typed);
  Words out;
  if (const size_t equals = typed.find('='); typed.starts_with("--") && equals != std::string::npos) {
    const OptionText* o = named(options, typed.substr(0, equals));
    if (o && !o->type.empty())
      for (const std::string& v : values(o->type, typed.substr(equals + 1)))
        out.push_back(typed.substr(0, equals + 1) + v);
  } else if (typed.starts_with('-')) {
    for (const OptionText& o : options) out.insert(out.end(), o.names.begin(), o.names.end());
    out.push_back("--help");
  } else {
    for (const OptionText& o : options)
      if (o.names.empty()) out = values(o.type, typed);
  }
  return out;
}

}  // namespace

std::vector<std::string> candidates(const std::vector<std::string>& words) {
  if (words.size() < 2) return {};
  if (std::find(words.begin(), words.end() - 1, "--") != words.end() - 1) return {};  // another program's
  Words all;
  if (words.size() == 2) {
    for (const auto& [name, command] : commands()) all.push_back(name);
    if (words.back().starts_with('-')) all = {"--help", "--version"};
  } else if (const auto found = commands().find(words[1]); found != commands().end()) {
    all = of_command(found->second, words);
  }
  std::erase_if(all, [&](const std::string& c) { return !c.starts_with(words.back()); });
  return all;
}

}  // namespace seqgrad
