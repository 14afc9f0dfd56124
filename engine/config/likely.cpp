// Each guess is one rule; the field tries them in this order.
#include "engine/config/likely.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/config/codec.h"
#include "engine/core/error.h"
#include "engine/text/edit_distance.h"

namespace seqgrad {
namespace {

bool among(const std::string& text, std::initializer_list<const char*> words) {
  const std::string plain = folded(text);
  return std::any_of(words.begin(), words.end(), [&](const char* w) { return plain == w; });
}
bool is_yes(const std::string& text) { return among(text, {"true", "yes", "on", "y"}); }
bool is_no(const std::string& text) { return among(text, {"false", "no", "off", "n"}); }
bool is_nothing(const std::string& text) {
  return among(text, {"none", "null", "nil", "~", "undefined", "disabled"}) || text.empty();
}

bool reads_as_number(const std::string& text, double& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && std::isfinite(value);
}

// As a whole number where it is one, so that both kinds of field can take it.
std::string number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{}", static_cast<int64_t>(value));
  return fmt::format("{}", value);
}

// "30 %" -> 0.3, "10k" -> 10000, "1,000,000" -> 1000000, "1e3" -> 1000, "1_000" -> 1000.
void add_numbers(const std::string& text, std::vector<std::string>& out) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != '_' && c != ' '; });
  double value = 0;
  if (digits.empty()) return;
  if (reads_as_number(digits, value)) {
    out.push_back(number(value));
    if (value == 0 || value == -1) out.emplace_back("null");  // where others write them for "off"
    return;
  }
  const char unit = digits.back();
  const double factor = unit == '%' ? 0.01 : unit == 'k' || unit == 'K' ? 1e3 : unit == 'M' ? 1e6 : 0;
  if (factor > 0 && reads_as_number(digits.substr(0, digits.size() - 1), value))
    out.push_back(unit == '%' ? fmt::format("{:.12g}", value / 100) : number(value * factor));
  std::string joined;
  std::copy_if(digits.begin(), digits.end(), std::back_inserter(joined), [](char c) { return c != ','; });
  const size_t first = digits.find(',');
  const bool groups = first != std::string::npos && first <= 3 && digits[0] != '0' && (digits.size() - first) % 4 == 0;
  if (groups && reads_as_number(joined, value)) out.push_back(number(value));
}

std::string flow_list(const std::string& text) {
  std::string out = "[";
  for (const char c : text) out += c == ',' ? std::string(", ") : c == ' ' ? std::string() : std::string(1, c);
  return out + "]";
}

}  // namespace

std::string flow_yaml(const Node& node) {
  std::string out;
  switch (node.kind) {
    case Node::Kind::null: return "null";
    case Node::Kind::scalar: {
      // Plain text that was read as plain text reads so again, unless a comma or bracket now ends it.
      const bool plain = !node.quoted && node.text.find_first_of(",[]{}#:&*!|>'\"%@`\n") == std::string::npos;
      return plain ? node.text : Codec<std::string>::yaml(node.text);
    }
    case Node::Kind::sequence:
      for (const Node& item : node.items) out += (out.empty() ? "" : ", ") + flow_yaml(item);
      return "[" + out + "]";
    case Node::Kind::map:
      for (size_t i = 0; i < node.keys.size(); ++i)
        out +=
            (out.empty() ? "" : ", ") + Codec<std::string>::yaml(node.keys[i].name) + ": " + flow_yaml(node.items[i]);
      return "{" + out + "}";
  }
  return out;
}

Node parsed_or_nothing(const std::string& text) {
  try {
    return parse_yaml(text, "");
  } catch (const InputError&) {
    return {};
  }
}

bool no_file_name(const Node& node) {
  std::vector<std::string> numbers;
  if (node.kind == Node::Kind::scalar) add_numbers(node.text, numbers);
  return !numbers.empty() || is_yes(node.text) || is_no(node.text);
}

bool is_falsy(const Node& node) {
  return node.kind == Node::Kind::null ||
         (node.kind == Node::Kind::scalar && (is_no(node.text) || is_nothing(node.text)));
}

std::vector<std::string> likely_values(const Node& node) {
  std::vector<std::string> out{flow_yaml(node)};
  if (node.kind == Node::Kind::sequence && node.items.size() == 1) {
    const std::vector<std::string> inner = likely_values(node.items[0]);
    out.insert(out.end(), inner.begin(), inner.end());
  }
  if (node.kind != Node::Kind::scalar) return out;
  const std::string& text = node.text;
  Node plain = node;
  plain.quoted = false;
  out.push_back(flow_yaml(plain));
  if (is_yes(text)) out.emplace_back("true");
  if (is_no(text)) out.insert(out.end(), {"false", "null"});
  if (is_nothing(text) || among(text, {"inf", "infinity", "+inf", "∞"})) out.insert(out.end(), {"null", "false"});
  add_numbers(text, out);
  if (text == "1") out.emplace_back("true");
  if (text == "0") out.emplace_back("false");
  out.push_back(Codec<std::string>::yaml(text));
  if (text.find_first_of("[]{}:#&*!|>'\"%@`") == std::string::npos) out.push_back(flow_list(text));  // else not as YAML
  return out;
}

LikelyChoice likely_choice(const Node& node, const std::vector<std::string>& names, const Aliases& aliases) {
  const Node* value = &node;
  if (node.kind == Node::Kind::sequence && node.items.size() == 1) value = &node.items[0];
  if (value->kind != Node::Kind::scalar && value->kind != Node::Kind::null) return {};
  const std::string& text = value->text;
  std::vector<std::string> words{folded(text)};
  if (is_yes(text)) words.emplace_back("true");
  if (is_falsy(*value) || text == "0") words.insert(words.end(), {"false", "null", "none"});
  for (const std::string& word : words) {
    for (const auto& [theirs, ours] : aliases)
      if (folded(theirs) == word) return {ours, true};
    for (const std::string& name : names)
      if (folded(name) == word) return {name, true};
  }
  const std::string before_bracket = text.substr(0, text.find('['));  // "tfa.sequence_loss[no flag]"
  for (const std::string& name : names)
    if (!text.empty() && (name.starts_with(text + ".") || (name == before_bracket && name != text)))
      return {name, false};
  return {closest(text, names), false};
}

}  // namespace seqgrad
