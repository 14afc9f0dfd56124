// Binding of nodes to fields, and the words for keys that are not there.
#include "engine/config/section.h"

#include <algorithm>

namespace seqgrad {

FieldBase::FieldBase(Section* parent, const char* name, const char* doc) : parent(parent), name(name), doc(doc) {
  parent->fields_.push_back(this);
}

std::string FieldBase::path() const {
  const std::string above = parent->path();
  return above.empty() ? name : above + "." + name;
}

Section::Section(Section* parent, const char* name, const char* doc) : parent_(parent), name_(name), doc_(doc) {
  parent->sections_.push_back(this);
}

std::string Section::path() const {
  if (!parent_) return "";
  const std::string above = parent_->path();
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

static size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t best = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[b.size()];
}

std::string closest(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  if (word.size() > 60) return best;
  for (const std::string& n : names)
    if (const size_t d = edit_distance(word, n); d < least && d < n.size()) {
      least = d;
      best = n;
    }
  return best;
}

std::string shown_line(const std::string& line) {
  std::string out;
  for (const char c : line) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out;
}

void Section::report_unknown(const Node::Key& key, Problems& problems) const {
  std::vector<std::string> here;
  for (const FieldBase* f : fields_) here.emplace_back(f->name);
  for (const Section* s : sections_) here.emplace_back(s->name());
  const std::string where = path().empty() ? "the file" : "'" + path() + "'";
  const Section* root = this;
  while (root->parent_) root = root->parent_;
  std::vector<std::string> elsewhere;
  root->for_each_field([&](FieldBase& f) {
    if (key.name == f.name) elsewhere.push_back(f.parent->path());
  });
  if (elsewhere.size() == 1) {
    const std::string home = elsewhere[0].empty() ? "the top level" : "'" + elsewhere[0] + "'";
    problems.add(key.at, fmt::format("'{}' belongs in {}, not in {}", shown(key.name), home, where));
    return;
  }
  const std::string near = closest(key.name, here);
  problems.add(key.at, fmt::format("unknown key '{}' in {}", shown(key.name), where),
               near.empty() ? "" : fmt::format("did you mean '{}'?", near));
}

void Section::read(const Node& node, Problems& problems) {
  if (node.kind == Node::Kind::null) return;  // an empty section is the defaults
  if (node.kind != Node::Kind::map) {
    problems.add(node.at, fmt::format("{}: expected a section with keys, got {}", path().empty() ? "the file" : path(),
                                      node.describe()));
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
}

void Section::check_all(Problems& problems) const {
  check(problems);
  for (const Section* s : sections_) s->check_all(problems);
}

// Each override becomes a document of nested maps, so that it is read, checked and located like a file.
static Node nested(const std::string& override, Problems& problems) {
  const std::string option = "--set " + override;
  const size_t equals = override.find('=');
  const Node value = parse_option(option, equals == std::string::npos ? "" : override.substr(equals + 1));
  if (equals == std::string::npos || equals == 0) {
    problems.add(value.at, "expected KEY=VALUE, such as optim.lr=0.001");
    return {};
  }
  Node node = value;
  std::string path = override.substr(0, equals);
  while (!path.empty()) {
    const size_t dot = path.rfind('.');
    Node outer;
    outer.kind = Node::Kind::map;
    outer.at = value.at;
    outer.keys.push_back({dot == std::string::npos ? path : path.substr(dot + 1), value.at});
    outer.items.push_back(std::move(node));
    node = std::move(outer);
    path = dot == std::string::npos ? "" : path.substr(0, dot);
  }
  return node;
}

void load(Section& root, const Node& node, const std::vector<std::string>& overrides) {
  Problems problems;
  root.read(node, problems);
  for (const std::string& o : overrides) root.read(nested(o, problems), problems);
  if (problems.empty()) root.check_all(problems);
  problems.throw_if_any();
}

void load(Section& root, const std::string& path, const std::vector<std::string>& overrides) {
  load(root, path.empty() ? Node{} : load_yaml(path), overrides);
}

}  // namespace seqgrad
