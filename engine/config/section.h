// Config keys: one declaration line carries a key's name, type, default, range and documentation, and everything else
// (parsing, errors, --set, the resolved dump, the reference page, the JSON Schema) follows from it.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/config/codec.h"
#include "engine/config/problems.h"

namespace seqgrad {

// A rule on a value and its wording: "at least 1".
template <class T>
struct Rule {
  std::function<bool(const T&)> holds;
  std::string text;
  std::string schema;  // JSON Schema keywords without braces, e.g. "\"minimum\":1"
};
struct Bound {
  double value;
  bool lower, inclusive;
};
struct Choice {
  std::function<std::vector<std::string>()> names;
};
inline std::vector<Bound> at_least(double x) { return {{x, true, true}}; }
inline std::vector<Bound> above(double x) { return {{x, true, false}}; }
inline std::vector<Bound> at_most(double x) { return {{x, false, true}}; }
inline std::vector<Bound> between(double a, double b) { return {{a, true, true}, {b, false, true}}; }
inline std::vector<Bound> from_below(double a, double b) { return {{a, true, true}, {b, false, false}}; }  // [a, b)
inline Choice choice(std::vector<std::string> names) {
  return {[names = std::move(names)] { return names; }};
}
inline Choice choice(std::function<std::vector<std::string>()> names) { return {std::move(names)}; }

class Section;

class FieldBase {
 public:
  FieldBase(Section* parent, const char* name, const char* doc);
  virtual ~FieldBase() = default;
  FieldBase(const FieldBase&) = delete;
  FieldBase& operator=(const FieldBase&) = delete;

  virtual void read(const Node& node, Problems& problems) = 0;
  virtual std::string yaml() const = 0;
  virtual std::string default_yaml() const = 0;
  virtual std::string type() const = 0;
  virtual std::string range() const = 0;  // "" or "at least 1"
  virtual std::string schema() const = 0;
  virtual std::vector<std::string> choices() const = 0;

  std::string path() const;  // "optim.lr"
  bool is_set() const { return origin.source != nullptr; }
  bool is_default() const { return yaml() == default_yaml(); }

  Section* const parent;
  const char* const name;
  const char* const doc;
  Location origin;  // where the value was written; no source: the default
};

class Section {
 public:
  Section() = default;
  Section(Section* parent, const char* name, const char* doc);
  virtual ~Section() = default;
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  virtual void check(Problems&) const {}  // contradictions between keys; called when every value is in range

  std::string path() const;  // "" for the root
  const char* name() const { return name_; }
  const char* doc() const { return doc_; }
  const Section* parent() const { return parent_; }
  const std::vector<FieldBase*>& fields() const { return fields_; }
  const std::vector<Section*>& sections() const { return sections_; }
  void for_each_field(const std::function<void(FieldBase&)>& f) const;  // this section's and those below, in order
  FieldBase* find(const std::string& path) const;                       // "optim.lr" from the root; null when absent

  // Reads a map node into the fields; unknown keys and bad values go to `problems`.
  void read(const Node& node, Problems& problems);
  void check_all(Problems& problems) const;

 private:
  friend class FieldBase;
  void report_unknown(const Node::Key& key, Problems& problems) const;

  Section* parent_ = nullptr;
  const char* name_ = "";
  const char* doc_ = "";
  std::vector<FieldBase*> fields_;
  std::vector<Section*> sections_;
};

template <class T>
struct is_optional : std::false_type {
  using inner = T;
};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {
  using inner = T;
};

template <class T>
class Field : public FieldBase {
 public:
  using Inner = typename is_optional<T>::inner;

  Field(Section* parent, const char* name, T value, const char* doc)
      : FieldBase(parent, name, doc), value_(value), default_(std::move(value)) {}
  Field(Section* parent, const char* name, T value, std::vector<Bound> bounds, const char* doc)
      : Field(parent, name, std::move(value), doc) {
    bounds_ = std::move(bounds);
  }
  Field(Section* parent, const char* name, T value, Choice choice, const char* doc)
      : Field(parent, name, std::move(value), doc) {
    choice_ = std::move(choice.names);
  }

  const T& operator()() const { return value_; }
  operator const T&() const { return value_; }
  void set(T value) { value_ = std::move(value); }  // by the program, not by a file

  void read(const Node& node, Problems& problems) override {
    T value{};
    std::string problem = Codec<T>::parse(node, value);
    if (problem.empty()) problem = violation(value);
    if (!problem.empty()) {
      problems.add(node.at, path() + ": " + problem);
      return;
    }
    value_ = std::move(value);
    origin = node.at;
  }
  std::string yaml() const override { return Codec<T>::yaml(value_); }
  std::string default_yaml() const override { return Codec<T>::yaml(default_); }
  std::string type() const override { return Codec<T>::type(); }
  std::vector<std::string> choices() const override { return choice_ ? choice_() : std::vector<std::string>{}; }

  std::string range() const override {
    if (choice_) return fmt::format("one of {}", fmt::join(choices(), ", "));
    std::string text;
    for (const Bound& b : bounds_)
      text +=
          fmt::format("{}{} {}", text.empty() ? "" : " and ",
                      b.lower ? (b.inclusive ? "at least" : "above") : (b.inclusive ? "at most" : "below"), b.value);
    return text;
  }

  std::string schema() const override {
    if (choice_) {
      std::string list;
      for (const std::string& c : choices()) list += (list.empty() ? "\"" : ",\"") + c + "\"";
      return fmt::format(R"({{"enum":[{}{}]}})", list, is_optional<T>::value ? ",null" : "");
    }
    std::string inner = Codec<Inner>::schema();
    for (const Bound& b : bounds_) {
      inner.pop_back();
      inner += fmt::format(
          R"(,"{}":{}}})",
          b.lower ? (b.inclusive ? "minimum" : "exclusiveMinimum") : (b.inclusive ? "maximum" : "exclusiveMaximum"),
          b.value);
    }
    return is_optional<T>::value ? R"({"anyOf":[)" + inner + R"(,{"type":"null"}]})" : inner;
  }

 private:
  // What the range says against the value; empty: nothing.
  std::string violation(const T& value) const {
    const Inner* inner = nullptr;
    if constexpr (is_optional<T>::value)
      inner = value ? &*value : nullptr;
    else
      inner = &value;
    if (!inner) return "";
    if constexpr (std::is_same_v<Inner, std::string>) {
      if (!choice_) return "";
      const auto names = choices();
      for (const std::string& n : names)
        if (n == *inner) return "";
      return fmt::format("expected {}, got '{}'{}", range(), shown(*inner), closest_hint(*inner, names));
    }
    if constexpr (std::is_arithmetic_v<Inner>) {
      for (const Bound& b : bounds_) {
        const auto x = static_cast<double>(*inner);
        const bool ok =
            b.lower ? (b.inclusive ? x >= b.value : x > b.value) : (b.inclusive ? x <= b.value : x < b.value);
        if (!ok) return fmt::format("expected {}, got {}", range(), Codec<Inner>::yaml(*inner));
      }
    }
    return "";
  }
  static std::string closest_hint(const std::string& word, const std::vector<std::string>& names);

  T value_;
  const T default_;
  std::vector<Bound> bounds_;
  std::function<std::vector<std::string>()> choice_;
};

// The name nearest to `word` by edit distance, or "" when none is near.
std::string closest(const std::string& word, const std::vector<std::string>& names);

template <class T>
std::string Field<T>::closest_hint(const std::string& word, const std::vector<std::string>& names) {
  const std::string near = closest(word, names);
  return near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near);
}

std::string shown_line(const std::string& line);  // a line of a file as an excerpt may print it

// Reads a file, then the overrides ("a.b=VALUE") over it, then checks contradictions; throws one ConfigError with all
// problems. `path` may be empty: then there are defaults and overrides only.
void load(Section& root, const std::string& path, const std::vector<std::string>& overrides = {});
// The same for a part of a document (the `loss:` of a case).
void load(Section& root, const Node& node, const std::vector<std::string>& overrides = {});

}  // namespace seqgrad
