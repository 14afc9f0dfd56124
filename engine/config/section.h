// Config structs: a section is a struct of fields and of other sections, and reads itself from a parsed document.
#pragma once
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "engine/config/field.h"

namespace seqgrad {

// Another program's name of a key or section, and what stands for it here: a path below the section that says so;
// several, with commas, share its value or take one item each of its list; path=value has a value of its own, while no,
// false and none stand for the default; "" says that nothing here stands for it, so that nothing is guessed.
struct ForeignName {
  std::string theirs, ours;
};
// From lists of all names of one path: {{"batch.by=tokens,batch.size", "max_tokens mini_batch_words"}, …}.
std::vector<ForeignName> foreign(std::initializer_list<std::pair<const char*, const char*>> names_by_path);

class Section {
 public:
  Section() = default;
  // Without a parent the section is a root that has a name for its messages (the `loss:` of a case).
  Section(Section* parent, const char* name, const char* doc);
  virtual ~Section() = default;
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  // Contradictions between keys. Runs even when other keys were refused; see FieldBase::mark_refused.
  virtual void check(Problems&) const {}

  // Names that people bring along. Compared without capitals and separators, and found from every other section too.
  virtual std::vector<ForeignName> foreign_names() const { return {}; }
  // The keys that a single value in the place of the section is for, all of those that take it; the first key, if not
  // said otherwise.
  virtual std::vector<std::string> bare_keys() const;

  std::string path() const;  // "" for a root without a name
  const char* name() const { return name_; }
  const char* doc() const { return doc_; }
  const Section* parent() const { return parent_; }
  const Section& root() const { return parent_ ? parent_->root() : *this; }
  const std::vector<FieldBase*>& fields() const { return fields_; }
  const std::vector<Section*>& sections() const { return sections_; }
  void for_each_field(const std::function<void(FieldBase&)>& f) const;  // this section's and those below, in order
  FieldBase* find(const std::string& path) const;                       // by its full path; null when absent

  // Reads a map node into the fields; unknown keys and bad values go to `problems`.
  void read(const Node& node, Problems& problems);
  void check_all(Problems& problems) const;
  void mark_refused(const std::string& name) const;  // the key or section of this name was not read
  // Of a root: whether a field that was refused has been read, here or below, since that was forgotten.
  bool has_read_refused() const { return has_read_refused_; }
  void forget_refused_reads() const { has_read_refused_ = false; }
  bool is_written() const { return written_; }  // it stands in what was read last

 private:
  friend class FieldBase;
  void note_written(const Node& node);
  void report_unknown(const Node::Key& key, const Node& value, Problems& problems) const;

  Section* parent_ = nullptr;
  const char* name_ = "";
  const char* doc_ = "";
  std::vector<FieldBase*> fields_;
  std::vector<Section*> sections_;
  bool written_ = false;
  mutable bool has_read_refused_ = false;
};

// Reads a file, then the overrides ("a.b=VALUE") over it, and looks for contradictions; throws one ConfigError with all
// problems. `path` may be empty: then there are defaults and overrides only.
void load(Section& root, const std::string& path, const std::vector<std::string>& overrides = {});
// The same for a part of a document; overrides then begin with the section's own keys.
void load(Section& root, const Node& node, const std::vector<std::string>& overrides = {});

}  // namespace seqgrad
