// Binding of nodes to fields, and the words for keys that are not there.
#include "engine/config/section.h"

#include <algorithm>

#include "engine/config/meant.h"
#include "engine/text/words.h"

namespace seqgrad {

std::vector<ForeignName> foreign(std::initializer_list<std::pair<const char*, const char*>> names_by_path) {
  std::vector<ForeignName> out;
  for (const auto& [ours, names] : names_by_path)
    for (const std::string_view theirs : split_whitespace(names)) out.push_back({std::string(theirs), ours});
  return out;
}

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

// What to write instead, for an excerpt's last line; "" for no idea.
static std::string hint_for(const Meaning& m, const Section& section, const std::string& written, bool option) {
  if (m.settings.empty())
    return m.homes.empty() ? "" : fmt::format("sections that have it: {}", fmt::join(m.homes, ", "));
  const Setting& first = m.settings[0];
  const bool known = std::none_of(m.settings.begin(), m.settings.end(), [](auto& s) { return s.value.empty(); });
  if (option && known) return "write " + as_options(m.settings);
  const bool here = m.settings.size() == 1 && &first.owner() == &section;
  if (here && (!known || (first.value == written && !m.other_name)))
    return fmt::format("did you mean '{}'?", first.name());
  if (!known) return fmt::format("did you mean '{}'?", first.path());
  return "write " + as_yaml(m.settings, section);
}

void Section::report_unknown(const Node::Key& key, const Node& value, Problems& problems) const {
  const std::string what = fmt::format("unknown key '{}' {}", shown(key.name), where(path()));
  if (problems.full()) return problems.add_excerpt(key.at, what);
  const bool option = key.at.source && key.at.source->is_option;
  const Meaning m = meaning_of(*this, key.name, value, option);
  const std::string hint = hint_for(m, *this, flow_yaml(value), option);
  const Setting* only = m.settings.size() == 1 ? &m.settings[0] : nullptr;
  if (m.same_name && only && only->name() == key.name && (!only->field || only->value == flow_yaml(value))) {
    const std::string belongs =
        fmt::format("'{}' belongs {}, not {}", shown(key.name), where(only->owner().path()), where(path()));
    if (option && hint.starts_with("write "))
      problems.add_excerpt(key.at, belongs, hint);
    else
      problems.add(key.at, belongs);
  } else {
    problems.add_excerpt(key.at, what, hint);
  }
  if (only && !only->field && value.kind == Node::Kind::map && !option && !only->section->is_written())
    for (Section* s : only->owner().sections())  // what is wrong in it is told in the same run
      if (s == only->section) s->read(value, problems);
  for (const Setting& s : m.settings) s.section->mark_refused(s.field ? s.field->name : "");
}

void Section::mark_refused(const std::string& name) const {
  if (name.empty()) for_each_field([](FieldBase& f) { f.mark_refused(); });
  for (FieldBase* f : fields_)
    if (f->name == name) f->mark_refused();
  for (const Section* s : sections_)
    if (s->name() == name) s->for_each_field([](FieldBase& f) { f.mark_refused(); });
}

std::vector<std::string> Section::bare_keys() const {
  return fields_.empty() ? std::vector<std::string>{} : std::vector<std::string>{fields_[0]->name};
}

// " (write smoothing: {epsilon: 0.1})" for a number or a name that one of the section's keys could have.
static std::string written_as_section(const Section& section, const Node& node) {
  const std::vector<Setting> settings = section.path().empty() ? std::vector<Setting>{} : bare_settings(section, node);
  if (settings.empty()) return "";
  if (node.at.source && node.at.source->is_option) return " (write " + as_options(settings) + ")";
  std::string text;
  for (const Setting& s : settings) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", s.field->name, s.value);
  return fmt::format(" (write {}: {{{}}})", section.name(), text);
}

// Where cures may say "in 'optim'": its line stands already.
void Section::note_written(const Node& node) {
  written_ = true;
  for (size_t i = 0; i < node.keys.size(); ++i)
    for (Section* s : sections_)
      if (node.keys[i].name == s->name()) s->note_written(node.items[i]);
}

// "1000" or "0.3" for {steps: 1,000} and {rate: 0,3}, which YAML takes for two keys; "" where it is no such thing.
static std::string cut_number(const Node& map, size_t i) {
  const auto digits = [](const std::string& t) {
    return !t.empty() && t.find_first_not_of("0123456789") == std::string::npos;
  };
  if (i == 0 || map.items[i].kind != Node::Kind::null || !digits(map.keys[i].name)) return "";
  const std::string& before = map.items[i - 1].text;
  if (map.items[i - 1].quoted || !digits(before)) return "";
  return before + (before[0] != '0' && map.keys[i].name.size() == 3 ? "" : ".") + map.keys[i].name;
}

void Section::read(const Node& node, Problems& problems) {
  if (node.kind == Node::Kind::null) return;  // an empty section is the defaults
  if (node.kind != Node::Kind::map) {
    const std::string meant = written_as_section(*this, node);
    for_each_field([](FieldBase& f) { f.mark_refused(); });
    const bool unspaced = node.kind == Node::Kind::scalar && node.text.find(':') != std::string::npos;
    problems.add(node.at, fmt::format("{}: expected a section with keys, got {}{}", path().empty() ? "config" : path(),
                                      node.describe(), unspaced ? " (write a space after each ':')" : meant));
    return;
  }
  if (!parent_) note_written(node);
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
    else if (const std::string number = cut_number(node, i); !number.empty()) {
      mark_refused(node.keys[i - 1].name);
      problems.add_excerpt(key.at, fmt::format("a number holds no ',', which begins a new key here"),
                           fmt::format("write {}: {}", shown(node.keys[i - 1].name), number));
    } else
      report_unknown(key, node.items[i], problems);
  }
  for (const std::string& name : node.lost) mark_refused(name);
}

void Section::check_all(Problems& problems) const {
  for (const Section* s : sections_) s->check_all(problems);
  problems.begin_check(root());
  check(problems);
  problems.end_check();
}

}  // namespace seqgrad
