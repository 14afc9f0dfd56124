// All names are those of the sections themselves; nothing here knows a key.
#include "engine/config/meant.h"

#include <algorithm>
#include <optional>

#include "engine/text/edit_distance.h"

namespace seqgrad {
namespace {

// A key or section that exists, with the value that another program's name for it implies.
struct Target {
  const Section* section;
  const FieldBase* field;  // null: the section itself
  std::string fixed;
};
using Targets = std::vector<Target>;

// Calls f(name, target) for every key and section that stands in `s`.
template <class F>
void each_own(const Section& s, const F& f) {
  for (const FieldBase* field : s.fields()) f(std::string(field->name), Target{&s, field, ""});
  for (const Section* inner : s.sections()) f(std::string(inner->name()), Target{inner, nullptr, ""});
}

// "batch.by=tokens,batch.size" below `s`.
Targets targets_of(const Section& s, const std::string& ours) {
  Targets out;
  for (size_t begin = 0; begin < ours.size();) {
    const size_t end = std::min(ours.find(',', begin), ours.size());
    const std::string one = ours.substr(begin, end - begin), path = one.substr(0, one.find('='));
    Target target{&s, nullptr, one.size() > path.size() ? one.substr(path.size() + 1) : ""};
    for (size_t at = 0; at < path.size();) {
      const size_t dot = std::min(path.find('.', at), path.size());
      each_own(*target.section, [&, part = path.substr(at, dot - at)](const std::string& name, const Target& t) {
        if (name == part) target.section = t.section, target.field = t.field;
      });
      at = dot + 1;
    }
    out.push_back(target);
    begin = end + 1;
  }
  return out;
}

// The section itself, what is below it, then the whole config from its root; nearer ones first.
std::vector<const Section*> around(const Section& section) {
  const Section* root = &section;
  while (root->parent()) root = root->parent();
  std::vector<const Section*> out;
  for (const Section* start : {&section, root}) {
    std::vector<const Section*> level{start};
    while (!level.empty()) {
      std::vector<const Section*> next;
      for (const Section* s : level) {
        if (std::find(out.begin(), out.end(), s) == out.end()) out.push_back(s);
        next.insert(next.end(), s->sections().begin(), s->sections().end());
      }
      level = std::move(next);
    }
  }
  return out;
}

Targets spelt(const Section& s, const std::string& key) {  // in another way
  Targets out;
  each_own(s, [&](const std::string& name, const Target& t) {
    if (out.empty() && folded(name) == folded(key)) out = {t};
  });
  return out;
}

// No value: `s` does not know the name; no targets: it knows that nothing stands for it.
std::optional<Targets> foreign(const Section& s, const std::string& key) {
  for (const ForeignName& n : s.foreign_names())
    if (folded(n.theirs) == folded(key)) return targets_of(s, n.ours);
  return std::nullopt;
}

// Whether a name says by itself what it is of, as num_epochs does and size, path or type do not: others say nothing in
// a section that they were not written for.
bool is_distinctive(const std::string& key) { return key.find_first_of("_-") != std::string::npos || key.size() > 5; }

struct Slip {
  Targets targets;
  size_t distance = 0;
  bool other_name = false;
};

// The nearest name of `s`, its own or another program's. `here`: the key was written in `s`; of other sections only one
// letter may differ in a name of few, and not the first.
Slip slip(const Section& s, const std::string& key, bool here) {
  Slip best;
  const auto consider = [&](const std::string& name, bool other_name, const auto& targets) {
    const std::string a = folded(key), b = folded(name);
    const size_t distance = edit_distance(a, b), length = std::max(a.size(), b.size());
    if (distance == 0 || distance > largest_slip(length)) return;
    if (!here && (a[0] != b[0] || distance > (length < 10 ? 1 : 2))) return;
    if (best.targets.empty() || distance < best.distance) best = {targets(), distance, other_name};
  };
  each_own(s, [&](const std::string& name, const Target& t) { consider(name, false, [&] { return Targets{t}; }); });
  for (const ForeignName& n : s.foreign_names())
    if (!n.ours.empty() && (here || is_distinctive(n.theirs)))
      consider(n.theirs, true, [&] { return targets_of(s, n.ours); });
  return best;
}

std::string value_for(const Target& target, const Node& value) {
  if (!target.fixed.empty()) return is_falsy(value) || value.text == "0" ? target.field->default_yaml() : target.fixed;
  const std::string text = target.field->offer(value);
  return text.empty() && value.kind == Node::Kind::null ? target.field->default_yaml() : text;
}

std::vector<Setting> below(const Section& section, const Node& map);

std::vector<Setting> settings_of(const Targets& targets, const Node& value, bool whole) {
  std::vector<Setting> out;
  const bool each = targets.size() > 1 && value.kind == Node::Kind::sequence && value.items.size() == targets.size();
  for (size_t i = 0; i < targets.size(); ++i) {
    const Target& t = targets[i];
    std::vector<Setting> more;
    if (t.field)
      more = {{t.field, t.section, value_for(t, each ? value.items[i] : value)}};
    else if (value.kind == Node::Kind::map && whole)
      more = below(*t.section, value);
    else if (value.kind != Node::Kind::map)
      more = bare_settings(*t.section, value);
    if (more.empty()) more = {{nullptr, t.section, ""}};
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

// Of a map in the place of a section; empty when one of its keys is a riddle.
std::vector<Setting> below(const Section& section, const Node& map) {
  std::vector<Setting> out;
  for (size_t i = 0; i < map.keys.size(); ++i) {
    Targets own;
    each_own(section, [&](const std::string& name, const Target& t) {
      if (name == map.keys[i].name) own = {t};
    });
    const std::vector<Setting> more = own.empty() ? meaning_of(section, map.keys[i].name, map.items[i], true).settings
                                                  : settings_of(own, map.items[i], true);
    if (more.empty()) return {};
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

// {a: {b: value}} for "a.b", or a null node.
Node undotted(const std::string& key, const Node& value) {
  const size_t dot = key.find('.');
  Node map;
  map.kind = Node::Kind::map;
  map.at = value.at;
  map.keys.push_back({key.substr(0, dot), value.at});
  map.items.push_back(dot == std::string::npos ? value : undotted(key.substr(dot + 1), value));
  return map;
}

// The key of this name, in any spelling, in another section; empty where none or several have it.
Targets elsewhere(const std::vector<const Section*>& sections, const std::string& key,
                  std::vector<std::string>& homes) {
  Targets all;
  for (const Section* s : sections)
    for (const Target& t : spelt(*s, key)) {
      all.push_back(t);
      homes.push_back(s->path().empty() ? "the top level" : s->path());
    }
  return all.size() == 1 ? all : Targets{};
}

}  // namespace

Meaning meaning_of(const Section& section, const std::string& key, const Node& value, bool whole) {
  Meaning out;
  if (key.size() > 60) return out;
  const std::vector<const Section*> sections = around(section);
  if (key.find('.') != std::string::npos && key.front() != '.' && key.back() != '.')
    for (const Section* s : sections)
      if (s == &section || !s->parent()) {
        out.settings = below(*s, undotted(key, value));
        if (!out.settings.empty()) return out;
      }
  const auto found = [&](const Targets& targets) {
    if (!targets.empty()) out.settings = settings_of(targets, value, whole);
    return !targets.empty();
  };
  if (found(spelt(section, key))) return out;
  out.other_name = true;
  if (const auto targets = foreign(section, key); targets && (found(*targets) || targets->empty())) return out;
  out.other_name = false;
  const std::vector<const Section*> others(sections.begin() + 1, sections.end());
  std::vector<std::string> homes;
  if (const Targets same = elsewhere(others, key, homes); found(same)) {
    out.same_name = key == (same[0].field ? same[0].field->name : same[0].section->name());
    return out;
  }
  out.other_name = true;
  for (const Section* s : others)
    if (const auto targets = foreign(*s, key); is_distinctive(key) && targets && (found(*targets) || targets->empty()))
      return out;
  Slip best = slip(section, key, true);
  if (best.targets.empty() && homes.empty())
    for (const Section* s : others)
      if (Slip next = slip(*s, key, false);
          !next.targets.empty() && (best.targets.empty() || next.distance < best.distance))
        best = std::move(next);
  out.other_name = best.other_name;
  if (!found(best.targets)) out.homes = std::move(homes);
  return out;
}

}  // namespace seqgrad
