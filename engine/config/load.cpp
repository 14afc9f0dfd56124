// The only file that knows yaml-cpp: its events become Nodes, and what it lets through in silence is refused here.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/config/problems.h"
#include "engine/core/utf8.h"

namespace seqgrad {
namespace {

constexpr size_t largest_file = size_t{1} << 20;
constexpr size_t deepest = 32;

[[noreturn]] void fail(const Location& at, const std::string& message) {
  Problems problems;
  problems.add(at, message);
  problems.throw_if_any();
  throw ConfigError(message);  // not reached: there is a problem
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::shared_ptr<const Source> source) : source_(std::move(source)) {}

  Node root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    Node n;
    n.at = location(mark, 1);
    put(std::move(n));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(location(mark, 1), "aliases are not supported; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    Node n;
    n.kind = Node::Kind::scalar;
    n.text = value;
    n.quoted = tag == "!";
    n.at = location(mark, static_cast<int>(std::max<size_t>(1, characters(value))) + (n.quoted ? 2 : 0));
    if (!n.quoted && (value.empty() || value == "~" || value == "null" || value == "Null" || value == "NULL"))
      n.kind = Node::Kind::null;
    put(std::move(n));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  static size_t characters(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  }
  Location location(const YAML::Mark& mark, int length) const {
    return {source_, mark.line + 1, mark.column + 1, length};
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(location(mark, 1), "anchors are not supported; write the value out");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      fail(location(mark, 1), fmt::format("tags such as '{}' are not supported", shown(tag)));
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (stack_.size() == deepest) fail(location(mark, 1), fmt::format("nested more than {} levels deep", deepest));
    Node n;
    n.kind = kind;
    n.at = location(mark, 1);
    if (stack_.empty() || stack_.back().kind != Node::Kind::map || pending_key_.back()) {
      stack_.push_back(std::move(n));
      pending_key_.push_back(false);
    } else {
      fail(n.at, "a key must be a plain word");
    }
  }
  void close() {
    Node n = std::move(stack_.back());
    stack_.pop_back();
    pending_key_.pop_back();
    put(std::move(n));
  }
  void put(Node n) {
    if (stack_.empty()) {
      root = std::move(n);
      return;
    }
    Node& parent = stack_.back();
    if (parent.kind == Node::Kind::map && !pending_key_.back()) {
      if (n.kind != Node::Kind::scalar) fail(n.at, "a key must be a plain word");
      if (n.text == "<<" && !n.quoted) fail(n.at, "merge keys are not supported; write the values out");
      if (parent.find(n.text)) fail(n.at, fmt::format("'{}' stands twice in the same section", shown(n.text)));
      parent.keys.push_back({n.text, n.at});
      pending_key_.back() = true;
      return;
    }
    parent.items.push_back(std::move(n));
    if (parent.kind == Node::Kind::map) pending_key_.back() = false;
  }

  std::shared_ptr<const Source> source_;
  std::vector<Node> stack_;
  std::vector<bool> pending_key_;  // of each open map: a key waits for its value
};

// What must be found before yaml-cpp reads the text.
void check_bytes(std::string_view text, const std::shared_ptr<Source>& source) {
  if (text.size() > largest_file)
    fail({source, 1, 1, 1}, fmt::format("{} bytes; a config has at most {}", text.size(), largest_file));
  if (const size_t bad = utf8_error(text); bad < text.size()) {
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n') + 1;
    source->lines.clear();
    fail({source, static_cast<int>(line), 1, 1}, fmt::format("byte {} is not UTF-8", bad));
  }
  for (size_t i = 0; i < source->lines.size(); ++i) {
    const std::string& line = source->lines[i];
    const size_t first = line.find_first_not_of(" ");
    if (first != std::string::npos && line[first] == '\t' && line.find_first_not_of(" \t") != std::string::npos)
      fail({source, static_cast<int>(i) + 1, static_cast<int>(first) + 1, 1}, "a tab indents this line; use spaces");
    if (line.find('\0') != std::string::npos)
      fail({source, static_cast<int>(i) + 1, 1, 1}, "a zero byte stands in this line");
  }
}

Node parse(std::string_view text, const std::shared_ptr<Source>& source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string clean;  // CRLF becomes LF
  clean.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') clean += text[i];
  std::istringstream split(clean);
  for (std::string line; std::getline(split, line);) source->lines.push_back(line);
  check_bytes(clean, source);
  Builder builder(source);
  try {
    std::istringstream in(clean);
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
    Builder second(source);
    if (parser.HandleNextDocument(second))
      fail(second.root.at.source ? second.root.at : Location{source, 1, 1, 1},
           "a second document begins here; one file holds one");
  } catch (const YAML::Exception& e) {
    const int line = e.mark.line < 0 ? 1 : e.mark.line + 1;
    fail({source, std::clamp(line, 1, std::max(1, static_cast<int>(source->lines.size()))),
          std::max(1, e.mark.column + 1), 1},
         "this is not valid YAML (check indentation, quotes and brackets around here)");
  }
  if (!builder.root.at.source) builder.root.at = {source, 1, 1, 1};
  return std::move(builder.root);
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (size_t i = 0; i < keys.size() && i < items.size(); ++i)
    if (keys[i].name == key) return &items[i];
  // While a map is being built its last key has no value yet.
  if (keys.size() > items.size() && keys.back().name == key) return this;
  return nullptr;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::null: return "nothing";
    case Kind::scalar: return "'" + shown(text) + "'";
    case Kind::sequence: return "a list";
    case Kind::map: return "a section";
  }
  return "?";
}

Node parse_yaml(std::string_view text, const std::string& name, const std::string& directory) {
  auto source = std::make_shared<Source>();
  source->name = name;
  source->directory = directory;
  return parse(text, source);
}

Node load_yaml(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) refuse("{}: error: this is a directory, not a config file", path);
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse("{}: error: cannot be read ({})", path, std::strerror(errno));
  std::string text(largest_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return parse_yaml(text, path, std::filesystem::path(path).parent_path().string());
}

Node parse_option(const std::string& option, const std::string& value) {
  auto source = std::make_shared<Source>();
  source->name = option;
  source->is_option = true;
  return parse(value, source);
}

}  // namespace seqgrad
