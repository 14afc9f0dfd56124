// What a person meant by a key that is not there.
#pragma once
#include <string>
#include <vector>

#include "engine/config/section.h"

namespace seqgrad {

struct Setting {
  const FieldBase* field;  // null: a whole section
  const Section* section;  // of the field, or the section itself
  std::string value;       // YAML that the field takes; "" where what was written fits it in no way
  std::string name() const { return field ? field->name : section->name(); }
  std::string path() const { return field ? field->path() : section->path(); }
  const Section& owner() const { return field ? *section : *section->parent(); }
};

struct Meaning {
  std::vector<Setting> settings;   // what to write instead; none: no idea
  bool same_name = false;          // another section has a key of exactly this name
  bool other_name = false;         // another program has this name for it
  std::vector<std::string> homes;  // with no idea: the sections that have a key of this name
};

// What `key`, which `section` does not have, stands for with this value. Looked for: the same name with other
// separators or capitals, another program's name for it (Section::foreign_names), a whole path with dots, and slips of
// the pen; here first, then below, then in the whole config. `whole`: what is below a map is looked up too.
Meaning meaning_of(const Section& section, const std::string& key, const Node& value, bool whole);

// Settings as they are written: for --set, or in a file that `where` has been read from ("optim: {lr: 0.1} at the top
// level").
std::string as_options(const std::vector<Setting>& settings);
std::string as_yaml(const std::vector<Setting>& settings, const Section& where);

// What a single value in the place of a section stands for (Section::bare_keys).
std::vector<Setting> bare_settings(const Section& section, const Node& value);

// "--set optim.lr=0.1" for lr=0.1, learning_rate=0.1 and the like on a command line; "" when no key is meant.
std::string option_for(const Section& root, const std::string& key, const std::string& value);

}  // namespace seqgrad
