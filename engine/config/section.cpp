// Binding of nodes to fields, and the words for keys that are not there.
#include "engine/config/section.h"

#include <algorithm>

namespace seqgrad {

Section::Section(Section* parent, const char* name, const char* doc) : parent_(parent), name_(name), doc_(doc) {
  if (parent) parent->sections_.push_back(this);
}

std::string Section::path() const {
  const std::string above = parent_ ? parent_->path() : "";
  return above.empty() ? name_ : above + "." + name_;
}

void Section::for_each_field(const std::function<void(FieldBase&)>& f) const {
  for (FieldBase* field : fields_) f(*field);
  for (const Section* s : sections_) s->for_each_field(f);
}

FieldBase* Section::find(const std::string& path) const {
  FieldBase* found = nullptr;
  for_each_field([&](FieldBase& f) {
    if (f.path() == path) found = &f;
  });
  return found;
}

static std::string where(const std::string& path) { return path.empty() ? "at the top level" : "in '" + path + "'"; }

// The paths of all sections that have a key or section of this name.
static void collect_homes(const Section& section, const std::string& name, std::vector<std::string>& homes) {
  const bool here =
      std::any_of(section.fields().begin(), section.fields().end(), [&](auto* f) { return f->name == name; }) ||
      std::any_of(section.sections().begin(), section.sections().end(), [&](auto* s) { return s->name() == name; });
  if (here) homes.push_back(section.path());
  for (const Section* s : section.sections()) collect_homes(*s, name, homes);
}

void Section::report_unknown(const Node::Key& key, Problems& problems) const {
  const Section* root = this;
  while (root->parent_) root = root->parent_;
  std::vector<std::string> names, homes;
  for (const FieldBase* f : fields_) names.emplace_back(f->name);
  for (const Section* s : sections_) names.emplace_back(s->name());
  const auto foreign = foreign_names();
  for (const auto& [theirs, ours] : foreign) names.push_back(theirs);
  collect_homes(*root, key.name, homes);
  const std::string near = closest(key.name, names);
  const auto alias = std::find_if(foreign.begin(), foreign.end(), [&](const auto& f) { return f.first == near; });
  distrust(alias == foreign.end() ? near : alias->second.substr(0, alias->second.find(':')));
  if (homes.size() == 1) {
    root->for_each_field([&](FieldBase& f) {
      if (f.parent->path() == homes[0] && f.name == key.name) f.distrust();
    });
    problems.add(key.at, fmt::format("'{}' belongs {}, not {}", shown(key.name), where(homes[0]), where(path())));
    return;
  }
  for (std::string& home : homes)
    if (home.empty()) home = "the top level";
  std::string hint;
  if (alias != foreign.end())
    hint = "write " + alias->second;
  else if (!near.empty())
    hint = fmt::format("did you mean '{}'?", near);
  else if (!homes.empty())
    hint = fmt::format("sections that have it: {}", fmt::join(homes, ", "));
  problems.add_excerpt(key.at, fmt::format("unknown key '{}' {}", shown(key.name), where(path())), hint);
}

void Section::distrust(const std::string& name) const {
  for (FieldBase* f : fields_)
    if (f->name == name) f->distrust();
  for (const Section* s : sections_)
    if (s->name() == name) s->for_each_field([](FieldBase& f) { f.distrust(); });
}

// " (write smoothing: {epsilon: 0.1})" for a number or a name that the section's first key could have.
std::string Section::written_as_section(const Node& node) const {
  if (node.kind != Node::Kind::scalar || node.quoted || fields_.empty() || path().empty()) return "";
  Problems trial;
  fields_[0]->read(node, trial);  // the caller refuses the section, whatever the field holds now
  if (!trial.empty()) return "";
  return fmt::format(" (write {}: {{{}: {}}})", name_, fields_[0]->name, shown(node.text));
}

void Section::read(const Node& node, Problems& problems) {
  if (node.kind == Node::Kind::null) return;  // an empty section is the defaults
  if (node.kind != Node::Kind::map) {
    const std::string meant = written_as_section(node);
    for_each_field([](FieldBase& f) { f.distrust(); });
    const bool unspaced = node.kind == Node::Kind::scalar && node.text.find(':') != std::string::npos;
    problems.add(node.at, fmt::format("{}: expected a section with keys, got {}{}", path().empty() ? "config" : path(),
                                      node.describe(), unspaced ? " (write a space after each ':')" : meant));
    return;
  }
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const auto& key = node.keys[i];
    const auto field =
        std::find_if(fields_.begin(), fields_.end(), [&](const FieldBase* f) { return key.name == f->name; });
    const auto section =
        std::find_if(sections_.begin(), sections_.end(), [&](const Section* s) { return key.name == s->name(); });
    if (field != fields_.end())
      (*field)->read(node.items[i], problems);
    else if (section != sections_.end())
      (*section)->read(node.items[i], problems);
    else
      report_unknown(key, problems);
  }
  for (const std::string& name : node.lost) distrust(name);
}

void Section::check_all(Problems& problems) const {
  for (const Section* s : sections_) s->check_all(problems);
  problems.begin_check();
  check(problems);
  problems.end_check();
}

}  // namespace seqgrad
