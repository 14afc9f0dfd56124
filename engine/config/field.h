// Config keys: one declaration line carries a key's name, type, default, range and documentation, and everything else
// (parsing, errors, --set, the resolved dump, the reference page, the JSON Schema) follows from it.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/config/codec.h"
#include "engine/config/likely.h"
#include "engine/config/problems.h"

namespace seqgrad {

class Section;

// A range is a list of bounds that all hold; on a list of numbers it holds for each.
struct Bound {
  double value;
  bool lower, inclusive;
};
inline std::vector<Bound> at_least(double x) { return {{x, true, true}}; }
inline std::vector<Bound> above(double x) { return {{x, true, false}}; }
inline std::vector<Bound> at_most(double x) { return {{x, false, true}}; }
inline std::vector<Bound> below(double x) { return {{x, false, false}}; }
inline std::vector<Bound> between(double a, double b) { return {{a, true, true}, {b, false, true}}; }
inline std::vector<Bound> from_below(double a, double b) { return {{a, true, true}, {b, false, false}}; }  // [a, b)
inline std::vector<Bound> above_to(double a, double b) { return {{a, true, false}, {b, false, true}}; }    // (a, b]
inline std::vector<Bound> inside(double a, double b) { return {{a, true, false}, {b, false, false}}; }     // (a, b)

// One of some names; a function is asked anew each time, so that a registry may still grow. `aliases` are words of
// other programs that are refused with the name to write: {"bahdanau", "additive"}; "true" stands for every yes.
struct Choice {
  std::function<std::vector<std::string>()> names;
  Aliases aliases;
};
Choice choice(std::vector<std::string> names, Aliases aliases = {});
Choice choice(std::function<std::vector<std::string>()> names, Aliases aliases = {});

class FieldBase {
 public:
  FieldBase(Section* parent, const char* name, const char* doc);
  virtual ~FieldBase() = default;
  FieldBase(const FieldBase&) = delete;
  FieldBase& operator=(const FieldBase&) = delete;

  virtual void read(const Node& node, Problems& problems) = 0;
  virtual std::string yaml() const = 0;
  virtual std::string default_yaml() const = 0;
  virtual std::string type() const = 0;    // "integer or null"
  virtual std::string range() const = 0;   // "", "at least 1" or "one of a, b"
  virtual std::string schema() const = 0;  // JSON
  virtual std::vector<std::string> choices() const = 0;
  // The likeliest meaning of `node` that this key takes, as YAML: what was written, where that is right; "" for none.
  virtual std::string offer(const Node& node) const = 0;
  // For tests that walk every key, as YAML: a legal value other than the default ("" when there is none, as for a
  // choice of one), and values of a wrong type or outside the range.
  virtual std::string second_value() const = 0;
  virtual std::vector<std::string> illegal_values() const = 0;

  std::string path() const;  // "optim.lr"
  bool is_set() const {
    note_read();
    return origin.source != nullptr;
  }
  bool is_default() const {
    note_read();
    return yaml() == default_yaml();
  }

  // What the user wrote for this key was refused, so the value that it holds is not meant. Whoever reads it may be
  // wrong about what they find: Section::has_read_refused().
  void mark_refused() { accepted_ = false; }

  Section* const parent;
  const char* const name;
  const char* const doc;
  Location origin;  // where the value was written; no source: the default

 protected:
  void mark_accepted() { accepted_ = true; }
  void note_read() const {
    if (!accepted_) note_refused_read();
  }

 private:
  void note_refused_read() const;

  bool accepted_ = true;
};

// What a range or choice is about: T itself, or the elements of an optional or a list.
template <class T>
struct element_of {
  using type = T;
};
template <class T>
struct element_of<std::optional<T>> : element_of<T> {};
template <class T>
struct element_of<std::vector<T>> : element_of<T> {};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

template <class T>
class Field : public FieldBase {
 public:
  using Element = typename element_of<T>::type;
  static constexpr bool numeric = std::is_same_v<Element, int64_t> || std::is_same_v<Element, double>;

  Field(Section* parent, const char* name, T value, const char* doc)
      : FieldBase(parent, name, doc), value_(value), default_(std::move(value)) {}
  Field(Section* parent, const char* name, T value, std::vector<Bound> bounds, const char* doc) requires numeric
      : Field(parent, name, std::move(value), doc) {
    bounds_ = std::move(bounds);
  }
  Field(Section* parent, const char* name, T value, Choice choice,
        const char* doc) requires std::is_same_v<Element, std::string> : Field(parent, name, std::move(value), doc) {
    choice_ = std::move(choice);
  }

  const T& operator()() const {
    note_read();
    return value_;
  }
  operator const T&() const { return (*this)(); }
  void set(T value) { value_ = std::move(value); }  // by the program, not by a file

  void read(const Node& node, Problems& problems) override {
    T value{};
    if (!read_value(node, path(), value, problems)) return mark_refused();
    value_ = std::move(value);
    origin = node.at;
    mark_accepted();
  }
  std::string yaml() const override { return Codec<T>::yaml(value_); }
  std::string default_yaml() const override { return Codec<T>::yaml(default_); }
  std::string type() const override { return Codec<T>::type(); }
  std::string range() const override;
  std::string schema() const override { return schema_of<T>(); }
  std::vector<std::string> choices() const override {
    return choice_.names ? choice_.names() : std::vector<std::string>{};
  }
  std::string offer(const Node& node) const override {
    const std::string text = offer_as<T>(node);
    return std::is_same_v<Element, Path> && text != "null" && no_file_name(node) ? "" : text;
  }
  std::string second_value() const override;
  std::vector<std::string> illegal_values() const override;

 private:
  // Every bad element is reported at its own place, with a cure unless this is a trial.
  template <class V>
  bool read_value(const Node& node, const std::string& where, V& value, Problems& problems, bool trial = false) const;
  std::string violation(const Element& value, const Node& node) const;  // empty: none
  template <class V>
  std::string offer_as(const Node& node) const;
  std::string cure(const Node& node) const;  // " (write 0.3)", of an element
  template <class V>
  std::string schema_of() const;
  template <class V>
  static std::string around(const std::string& element) {
    if constexpr (is_optional<V>) return around<typename V::value_type>(element);
    if constexpr (is_list<V>) return "[" + around<typename V::value_type>(element) + "]";
    return element;
  }

  T value_;
  const T default_;
  std::vector<Bound> bounds_;
  Choice choice_;
};

// A bound in words, a bound's JSON Schema keyword, whether x keeps it.
std::string words(const Bound& bound);
std::string keyword(const Bound& bound);
bool holds(const Bound& bound, double x);
// "expected one of a, b, got 'x' (did you mean 'a'?)", shortened when there are many names.
std::string not_among(const std::vector<std::string>& names, const std::string& value);
std::string not_among(const std::vector<std::string>& names, const Node& node, const Aliases& aliases);
// Numbers inside and outside the bounds, as YAML, for tests.
std::vector<std::string> numbers_around(const std::vector<Bound>& bounds, bool whole, double start, bool inside);

template <class T>
std::string Field<T>::range() const {
  if (choice_.names) return fmt::format("one of {}", fmt::join(choices(), ", "));
  std::string text;
  for (const Bound& b : bounds_) text += (text.empty() ? "" : " and ") + words(b);
  return text;
}

template <class T>
template <class V>
bool Field<T>::read_value(const Node& node, const std::string& where, V& value, Problems& problems, bool trial) const {
  if constexpr (is_optional<V>) {
    value.reset();
    return node.kind == Node::Kind::null || read_value(node, where, value.emplace(), problems, trial);
  } else if constexpr (is_list<V>) {
    if (node.kind != Node::Kind::sequence) {
      const std::string meant = trial ? "" : offer_as<V>(node);
      problems.add(node.at, where + ": expected a list such as [a, b], got " + node.describe() +
                                (meant.empty() ? "" : " (write " + meant + ")"));
      return false;
    }
    bool good = true;
    for (size_t i = 0; i < node.items.size(); ++i) {
      typename V::value_type item{};
      good = read_value(node.items[i], fmt::format("{}[{}]", where, i), item, problems, trial) && good;
      value.push_back(std::move(item));
    }
    return good;
  } else {
    std::string problem = Codec<V>::parse(node, value);
    bool out_of_range = false;
    if (problem.empty() || choice_.names) {
      const std::string said = violation(value, node);
      out_of_range = numeric && !said.empty();
      if (!said.empty()) problem = said;
    }
    if (problem.empty()) return true;
    if (!trial && !problem.ends_with(")")) problem += cure(node);
    problems.add(node.at, where + ": " + problem, out_of_range ? "range" : "");
    return false;
  }
}

template <class T>
std::string Field<T>::violation([[maybe_unused]] const Element& value, [[maybe_unused]] const Node& node) const {
  if constexpr (std::is_same_v<Element, std::string>) {
    const auto names = choices();
    if (choice_.names && std::find(names.begin(), names.end(), value) == names.end())
      return not_among(names, node, choice_.aliases);
  }
  if constexpr (numeric) {
    for (const Bound& b : bounds_)
      if (!holds(b, static_cast<double>(value))) return "expected " + range() + ", got " + node.describe();
  }
  return "";
}

template <class T>
template <class V>
std::string Field<T>::offer_as(const Node& node) const {
  std::vector<std::string> candidates = likely_values(node);
  if (choice_.names)
    if (const LikelyChoice likely = likely_choice(node, choices(), choice_.aliases); !likely.name.empty())
      candidates.insert(candidates.begin() + 1, {likely.name, "[" + likely.name + "]"});
  for (const std::string& text : candidates) {
    V value{};
    Problems ignored;
    const Node read = parsed_or_nothing(text);
    if ((is_optional<V> || read.kind != Node::Kind::null) && read_value(read, "", value, ignored, true)) return text;
  }
  return "";
}

template <class T>
std::string Field<T>::cure(const Node& node) const {
  std::string text;
  if constexpr (is_optional<T>)
    text = offer_as<T>(node);
  else
    text = offer_as<Element>(node);
  if (!text.empty()) return " (write " + shown(text) + ")";
  if (std::is_same_v<T, Element> && is_falsy(node)) return " (write " + shown(default_yaml()) + ", the default)";
  return "";
}

template <class T>
template <class V>
std::string Field<T>::schema_of() const {
  if constexpr (is_optional<V>)
    return R"({"anyOf":[)" + schema_of<typename V::value_type>() + R"(,{"type":"null"}]})";
  else if constexpr (is_list<V>)
    return R"({"type":"array","items":)" + schema_of<typename V::value_type>() + "}";
  else if (choice_.names)
    return fmt::format(R"({{"enum":["{}"]}})", fmt::join(choices(), R"(",")"));
  std::string element = Codec<Element>::schema();
  for (const Bound& b : bounds_) element.insert(element.size() - 1, "," + keyword(b));
  return element;
}

template <class T>
std::string Field<T>::second_value() const {
  std::vector<std::string> elements = choices();
  for (std::string& e : elements) e = Codec<std::string>::yaml(e);
  if constexpr (numeric) {
    double start = 1;
    if constexpr (std::is_same_v<T, Element>) start = static_cast<double>(default_);
    if constexpr (std::is_same_v<T, std::optional<Element>>) start = static_cast<double>(default_.value_or(Element(1)));
    elements = numbers_around(bounds_, std::is_same_v<Element, int64_t>, start, true);
  } else if constexpr (requires { Codec<Element>::examples(); }) {
    if (!choice_.names) elements = Codec<Element>::examples();
  }
  for (const std::string& e : elements) {
    const std::string text = around<T>(e);
    T value{};
    if (Codec<T>::parse(parse_yaml(text, name), value).empty() && Codec<T>::yaml(value) != default_yaml()) return text;
  }
  return "";
}

template <class T>
std::vector<std::string> Field<T>::illegal_values() const {
  std::vector<std::string> elements{"{no_such_key: 1}"};
  if constexpr (requires { Codec<Element>::wrong(); }) elements = Codec<Element>::wrong();
  if (choice_.names) elements.push_back("no_such_choice");
  if constexpr (numeric)
    for (std::string& e : numbers_around(bounds_, std::is_same_v<Element, int64_t>, 0, false))
      elements.push_back(std::move(e));
  std::vector<std::string> out;
  for (const std::string& e : elements)
    if (e != "null" || !is_optional<T>) out.push_back(around<T>(e));
  if (is_list<T>) out.push_back("{no_such_key: 1}");
  return out;
}

// Made once, in field.cpp: every file that holds a config would make them anew.
extern template class Field<bool>;
extern template class Field<int64_t>;
extern template class Field<double>;
extern template class Field<std::string>;
extern template class Field<Path>;
extern template class Field<std::map<std::string, std::string>>;
extern template class Field<std::optional<int64_t>>;
extern template class Field<std::optional<double>>;
extern template class Field<std::optional<std::string>>;
extern template class Field<std::vector<int64_t>>;
extern template class Field<std::vector<double>>;
extern template class Field<std::vector<std::string>>;

}  // namespace seqgrad
