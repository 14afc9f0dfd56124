// Settings in the words of a command line or of a file.
#include <algorithm>

#include "engine/config/meant.h"

namespace seqgrad {
namespace {

// A part of a document with the keys in the order in which they were first met.
struct Branch {
  std::string key, value;
  std::vector<Branch> inner;
};

void graft(std::vector<Branch>& branches, const std::string& path, const std::string& value) {
  const size_t dot = path.find('.');
  const std::string key = path.substr(0, dot);
  auto at = std::find_if(branches.begin(), branches.end(), [&](const Branch& b) { return b.key == key; });
  if (at == branches.end()) at = branches.insert(at, Branch{key, "", {}});
  if (dot == std::string::npos)
    at->value = value;
  else
    graft(at->inner, path.substr(dot + 1), value);
}

std::string text_of(const std::vector<Branch>& branches) {
  std::string out;
  for (const Branch& b : branches)
    out += (out.empty() ? "" : ", ") + b.key + ": " + (b.inner.empty() ? b.value : "{" + text_of(b.inner) + "}");
  return out;
}

bool contains(const Section& outer, const Section* inner) {
  while (inner && inner != &outer) inner = inner->parent();
  return inner != nullptr;
}

// The innermost section that holds all of these and stands in the file already; what is in no file begins at the top.
const Section& home_of(const std::vector<Setting>& settings, const Section& where) {
  const Section* home = &settings[0].owner();
  const auto holds_all = [&] {
    return std::all_of(settings.begin(), settings.end(), [&](const Setting& s) { return contains(*home, &s.owner()); });
  };
  while (home->parent() && !(holds_all() && (home == &where || home->is_written()))) home = home->parent();
  return *home;
}

}  // namespace

std::string as_options(const std::vector<Setting>& settings) {
  std::string out;
  for (const Setting& s : settings) {
    const std::string text = s.path() + "=" + s.value;
    const bool plain = text.find_first_of(" '\"{}[]*?$&|;<>()\\`!#~") == std::string::npos;
    out += (out.empty() ? "--set " : " --set ") + (plain ? text : "'" + text + "'");
  }
  return out;
}

std::string as_yaml(const std::vector<Setting>& settings, const Section& where) {
  const Section& home = home_of(settings, where);
  const size_t above = home.path().empty() ? 0 : home.path().size() + 1;
  std::vector<Branch> branches;
  for (const Setting& s : settings) graft(branches, s.path().substr(above), s.value);
  const std::string place = &home == &where       ? ""
                            : home.path().empty() ? " at the top level"
                                                  : " in '" + home.path() + "'";
  return text_of(branches) + place;
}

std::vector<Setting> bare_settings(const Section& section, const Node& value) {
  std::vector<Setting> out;
  if (value.kind != Node::Kind::scalar) return out;
  for (const std::string& key : section.bare_keys())
    for (const FieldBase* f : section.fields())
      if (f->name == key)
        if (const std::string text = f->offer(value); !text.empty()) out.push_back({f, &section, text});
  return out;
}

std::string option_for(const Section& root, const std::string& key, const std::string& value) {
  Node node;
  node.kind = value.empty() ? Node::Kind::null : Node::Kind::scalar;
  node.text = value;
  std::vector<Setting> settings;
  if (const FieldBase* field = root.find(key)) {
    settings.push_back({field, field->parent, field->offer(node)});
    if (settings[0].value.empty()) settings[0].value = value;
  } else {
    settings = meaning_of(root, key, node, true).settings;
  }
  const bool known = !settings.empty() &&
                     std::none_of(settings.begin(), settings.end(), [](const Setting& s) { return s.value.empty(); });
  return known ? as_options(settings) : "";
}

}  // namespace seqgrad
