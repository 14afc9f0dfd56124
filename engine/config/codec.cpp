// Whole-string parses of scalars; what other YAML readers guess is refused with the way to write it.
#include "engine/config/codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "engine/core/error.h"
#include "engine/text/escape.h"

namespace seqgrad {
namespace {

std::string expected(const char* what, const Node& node, const std::string& hint = "") {
  return fmt::format("expected {}, got {}{}", what, node.describe(), hint.empty() ? "" : " (" + hint + ")");
}

// The whole text as a finite number.
bool parse_whole(const std::string& text, double& value) {
  const size_t plus = text.size() > 1 && text[0] == '+' && text[1] != '-' ? 1 : 0;
  const char *begin = text.data() + plus, *end = text.data() + text.size();
  const auto result = std::from_chars(begin, end, value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(value);
}

// What readers of YAML take for different numbers or for text ("010" is 8, 10 or text; "0x1f"; "1_000"), written so
// that all agree; "" for all other text.
std::string unambiguous(const std::string& text) {
  const std::string sign = text.starts_with('-') ? "-" : "";
  std::string digits = text.substr(sign.empty() && !text.starts_with('+') ? 0 : 1);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return "";
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  const char prefix = digits.size() > 2 && digits[0] == '0' ? digits[1] : ' ';
  const int base = prefix == 'x' || prefix == 'X' ? 16 : prefix == 'o' || prefix == 'O' ? 8 : prefix == 'b' ? 2 : 10;
  if (base != 10) {
    int64_t value = 0;
    const auto result = std::from_chars(digits.data() + 2, digits.data() + digits.size(), value, base);
    const bool whole = result.ec == std::errc() && result.ptr == digits.data() + digits.size();
    return whole ? fmt::format("{}{}", sign, value) : "";
  }
  const size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  const bool padded = zeros > 0 && digits.size() > 1 && digits[1] >= '0' && digits[1] <= '9';
  if (padded)
    digits.erase(0, zeros < digits.size() && digits[zeros] >= '0' && digits[zeros] <= '9' ? zeros : zeros - 1);
  double value = 0;
  const bool rewritten = padded || text.find('_') != std::string::npos;
  return rewritten && parse_whole(digits, value) ? sign + digits : "";
}

const std::set<std::string> truths{"yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE", "y", "Y"};
const std::set<std::string> falsehoods{"no", "No", "NO", "off", "Off", "OFF", "False", "FALSE", "n", "N"};

}  // namespace

std::string Codec<bool>::parse(const Node& node, bool& value) {
  if (node.kind == Node::Kind::scalar && !node.quoted && (node.text == "true" || node.text == "false")) {
    value = node.text == "true";
    return "";
  }
  const bool yes = truths.count(node.text) > 0, no = falsehoods.count(node.text) > 0;
  return expected("true or false", node, yes ? "write true" : no ? "write false" : "");
}

std::string Codec<int64_t>::parse(const Node& node, int64_t& value) {
  if (node.kind != Node::Kind::scalar) return expected("an integer", node);
  if (node.quoted) return expected("an integer", node, "write it without quotes");
  if (const std::string better = unambiguous(node.text); !better.empty())
    return expected("an integer", node, "write " + better);
  const char *begin = node.text.data(), *end = begin + node.text.size();
  const auto result = std::from_chars(begin, end, value);
  if (result.ec == std::errc() && result.ptr == end) return "";
  if (result.ec == std::errc::result_out_of_range && result.ptr == end)
    return expected("an integer between -2^63 and 2^63 - 1", node);
  double number = 0;
  if (parse_whole(node.text, number) && number == std::floor(number) && std::abs(number) < 1e15)
    return expected("an integer", node, fmt::format("write {}", static_cast<int64_t>(number)));
  return expected("an integer", node);
}

std::string Codec<double>::parse(const Node& node, double& value) {
  if (node.kind != Node::Kind::scalar) return expected("a number", node);
  if (node.quoted) return expected("a number", node, "write it without quotes");
  if (const std::string better = unambiguous(node.text); !better.empty())
    return expected("a number", node, "write " + better);
  if (parse_whole(node.text, value)) return "";
  std::string with_point = node.text;
  std::replace(with_point.begin(), with_point.end(), ',', '.');
  double number = 0;
  if (parse_whole(with_point, number)) return expected("a number", node, "write " + with_point);
  return expected("a finite number", node);
}

std::string Codec<double>::yaml(double value) {
  const std::string text = fmt::format("{}", value);
  // YAML 1.1 readers take 1e-05 for a string: a number is written with a point.
  if (text.find_first_of(".n") != std::string::npos) return text;
  const size_t e = text.find('e');
  return e == std::string::npos ? text + ".0" : text.substr(0, e) + ".0" + text.substr(e);
}

std::string Codec<std::string>::parse(const Node& node, std::string& value) {
  if (node.kind == Node::Kind::null) return expected("text", node, "an empty text is written \"\"");
  if (node.kind != Node::Kind::scalar) return expected("text", node);
  const std::string& t = node.text;
  double number = 0;
  if (!node.quoted && (truths.count(t) || falsehoods.count(t) || t == "true" || t == "false" ||
                       parse_whole(t, number) || !unambiguous(t).empty()))
    return expected("text", node, fmt::format("write \"{}\" in quotes", shown(t)));
  value = t;
  return "";
}

std::string Codec<std::string>::yaml(const std::string& value) {
  static constexpr std::string_view safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  Node node;
  node.kind = Node::Kind::scalar;
  node.text = value;
  std::string ignored;
  const bool plain = !value.empty() && value.find_first_not_of(safe) == std::string::npos && value[0] != '-' &&
                     value[0] != '.' && value != "null" && value != "Null" && value != "NULL" &&
                     parse(node, ignored).empty();
  if (plain) return value;
  std::string out;
  for (const char c : value) out += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
  return "\"" + for_terminal(out) + "\"";  // YAML reads the same escapes, of all UTF-8
}

std::string Codec<Path>::parse(const Node& node, Path& value) {
  if (node.kind == Node::Kind::null) {
    value.value.clear();
    return "";
  }
  std::string text;
  if (std::string problem = Codec<std::string>::parse(node, text); !problem.empty()) return problem;
  if (text.empty()) return expected("a path", node, "null means none");
  if (!node.quoted && (text == "None" || text == "none"))
    return expected("a path", node, "write null, or \"./" + text + "\" for a file of that name");
  if (text.find('\0') != std::string::npos) return expected("a path without a zero byte", node);
  namespace fs = std::filesystem;
  const fs::path base =
      node.at.source && !node.at.source->directory.empty() ? fs::path(node.at.source->directory) : fs::path(".");
  value.value = fs::absolute(base / text).lexically_normal().string();
  return "";
}

std::string Codec<std::map<std::string, std::string>>::parse(const Node& node,
                                                             std::map<std::string, std::string>& value) {
  if (node.kind != Node::Kind::map) return expected("a section such as {old: new}", node);
  value.clear();
  for (size_t i = 0; i < node.keys.size(); ++i) {
    std::string text;
    if (std::string problem = Codec<std::string>::parse(node.items[i], text); !problem.empty())
      return fmt::format("'{}': {}", shown(node.keys[i].name), problem);
    value[node.keys[i].name] = text;
  }
  return "";
}

std::string Codec<std::map<std::string, std::string>>::yaml(const std::map<std::string, std::string>& value) {
  std::string out = "{";
  for (const auto& [k, v] : value)
    out += (out.size() > 1 ? ", " : "") + Codec<std::string>::yaml(k) + ": " + Codec<std::string>::yaml(v);
  return out + "}";
}

}  // namespace seqgrad
