// The small forms of case.yaml.
#include "engine/check/case_config.h"

namespace seqgrad {
namespace {

std::string other_key(const Node& node, std::initializer_list<const char*> known) {
  for (const Node::Key& key : node.keys)
    if (std::find(known.begin(), known.end(), key.name) == known.end())
      return fmt::format("unknown key '{}'; expected {}", shown(key.name), fmt::join(known, ", "));
  return "";
}

}  // namespace

std::string Codec<Expectation>::parse(const Node& node, Expectation& value) {
  value = {};
  if (node.kind == Node::Kind::scalar && node.text == "value") return "";
  const Node* error = node.kind == Node::Kind::map ? node.find("error") : nullptr;
  if (!error) return "expected value or {error: E04}, got " + node.describe();
  if (std::string problem = other_key(node, {"error", "message"}); !problem.empty()) return problem;
  if (std::string problem = Codec<std::string>::parse(*error, value.error); !problem.empty()) return problem;
  const bool code = value.error.size() == 3 && value.error >= "E01" && value.error <= "E17" && value.error[2] <= '9';
  if (!code) return fmt::format("expected an error of the loss, E01 to E17, got '{}'", shown(value.error));
  const Node* message = node.find("message");
  return message ? Codec<std::string>::parse(*message, value.message) : "";
}

std::string Codec<Expectation>::yaml(const Expectation& e) {
  if (e.error.empty()) return "value";
  return "{error: " + e.error + (e.message.empty() ? "" : ", message: " + Codec<std::string>::yaml(e.message)) + "}";
}

std::string Codec<GoldTolerance>::parse(const Node& node, GoldTolerance& value) {
  value = {};
  if (node.kind != Node::Kind::map || node.keys.empty()) return "expected {rtol: …, atol: …}, got " + node.describe();
  if (std::string problem = other_key(node, {"rtol", "atol"}); !problem.empty()) return problem;
  for (const auto& [name, number] : {std::pair{"rtol", &value.rtol}, std::pair{"atol", &value.atol}}) {
    const Node* written = node.find(name);
    if (!written) continue;
    if (std::string problem = Codec<double>::parse(*written, *number); !problem.empty()) return problem;
    if (*number < 0) return fmt::format("{} must be at least 0", name);
  }
  return "";
}

std::string Codec<GoldTolerance>::yaml(const GoldTolerance& t) {
  return fmt::format("{{rtol: {}, atol: {}}}", Codec<double>::yaml(t.rtol), Codec<double>::yaml(t.atol));
}

}  // namespace seqgrad
