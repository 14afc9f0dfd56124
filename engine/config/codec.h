// How a C++ type is read from YAML, written as YAML, and described in JSON Schema; a new type is one specialisation.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/config/node.h"

namespace seqgrad {

// A path in a config: relative ones are relative to the file that they stand in. Empty: none.
struct Path {
  std::string value;
  bool operator==(const Path&) const = default;
};

// parse returns an empty string, or what is wrong: "expected an integer, got '1e3' (write 1000)".
// yaml prints a value on one line so that parse gives it back. schema is a JSON Schema object.
// examples are legal values and wrong ones that parse refuses, both as YAML, for tests that walk every key: a type
// without examples has no second value there, and {no_such_key: 1} is wrong where nothing else is said.
template <class T>
struct Codec;

template <>
struct Codec<bool> {
  static std::string parse(const Node& node, bool& value);
  static std::string yaml(bool value) { return value ? "true" : "false"; }
  static std::vector<std::string> examples() { return {"true", "false"}; }
  static std::vector<std::string> wrong() { return {"yes", "1", "'true'", "null", "[true]"}; }
  static std::string type() { return "boolean"; }
  static std::string schema() { return R"({"type":"boolean"})"; }
};
template <>
struct Codec<int64_t> {
  static std::string parse(const Node& node, int64_t& value);
  static std::string yaml(int64_t value) { return std::to_string(value); }
  static std::vector<std::string> examples() { return {"1", "2"}; }
  static std::vector<std::string> wrong() {
    return {"1.5", "many", "'1'", "010", "1e3", "9223372036854775808", "null", "[1]", "{no_such_key: 1}"};
  }
  static std::string type() { return "integer"; }
  static std::string schema() { return R"({"type":"integer"})"; }
};
template <>
struct Codec<double> {
  static std::string parse(const Node& node, double& value);
  static std::string yaml(double value);  // the shortest text that reads back as the same number
  static std::vector<std::string> examples() { return {"1.0", "2.0"}; }
  static std::vector<std::string> wrong() {
    return {"many", "'1'", "010", ".nan", ".inf", "1e999", "null", "[1]", "{no_such_key: 1}"};
  }
  static std::string type() { return "number"; }
  static std::string schema() { return R"({"type":"number"})"; }
};
template <>
struct Codec<std::string> {
  static std::string parse(const Node& node, std::string& value);
  static std::string yaml(const std::string& value);  // quoted where plain text would read as something else
  static std::vector<std::string> examples() { return {"text", "other"}; }
  static std::vector<std::string> wrong() { return {"yes", "010", "5", "null", "[text]", "{no_such_key: 1}"}; }
  static std::string type() { return "string"; }
  static std::string schema() { return R"({"type":"string"})"; }
};
template <>
struct Codec<Path> {
  static std::string parse(const Node& node, Path& value);
  static std::string yaml(const Path& value) {
    return value.value.empty() ? "null" : Codec<std::string>::yaml(value.value);
  }
  static std::vector<std::string> examples() { return {"some.txt", "other.txt"}; }
  static std::vector<std::string> wrong() { return {"yes", "5", "[some.txt]", "{no_such_key: 1}", "''"}; }
  static std::string type() { return "path"; }
  static std::string schema() { return R"({"type":["string","null"]})"; }
};
template <>
struct Codec<std::map<std::string, std::string>> {
  static std::string parse(const Node& node, std::map<std::string, std::string>& value);
  static std::string yaml(const std::map<std::string, std::string>& value);
  static std::vector<std::string> examples() { return {"{old: new}", "{}"}; }
  static std::vector<std::string> wrong() { return {"text", "[old]", "{old: [new]}", "{old: 5}", "null"}; }
  static std::string type() { return "map of strings"; }
  static std::string schema() { return R"({"type":"object","additionalProperties":{"type":"string"}})"; }
};

template <class T>
struct Codec<std::optional<T>> {
  static std::string parse(const Node& node, std::optional<T>& value) {
    value.reset();
    if (node.kind == Node::Kind::null) return "";
    T inner{};
    std::string problem = Codec<T>::parse(node, inner);
    if (problem.empty()) value = std::move(inner);
    return problem;
  }
  static std::string yaml(const std::optional<T>& value) { return value ? Codec<T>::yaml(*value) : "null"; }
  static std::string type() { return Codec<T>::type() + " or null"; }
  static std::string schema() { return R"({"anyOf":[)" + Codec<T>::schema() + R"(,{"type":"null"}]})"; }
};

template <class T>
struct Codec<std::vector<T>> {
  static std::string parse(const Node& node, std::vector<T>& value) {
    if (node.kind != Node::Kind::sequence) return "expected a list such as [a, b], got " + node.describe();
    value.clear();
    for (const Node& item : node.items) {
      T inner{};
      std::string problem = Codec<T>::parse(item, inner);
      if (!problem.empty()) return fmt::format("item {} of the list: {}", value.size() + 1, problem);
      value.push_back(std::move(inner));
    }
    return "";
  }
  static std::string yaml(const std::vector<T>& value) {
    std::string out = "[";
    for (const T& x : value) out += (out.size() > 1 ? ", " : "") + Codec<T>::yaml(x);
    return out + "]";
  }
  static std::string type() { return "list of " + Codec<T>::type(); }
  static std::string schema() { return R"({"type":"array","items":)" + Codec<T>::schema() + "}"; }
};

}  // namespace seqgrad
