// From files and --set options to a filled config: defaults, then the file, then the options.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/config/section.h"
#include "engine/config/yaml.h"
#include "engine/io/inputs.h"
#include "engine/io/near_path.h"

namespace seqgrad {
namespace {

constexpr size_t longest_read = (size_t{1} << 20) + 1;  // one byte more than a config may have
constexpr int deepest_key = 32;

Node parse_into(std::string_view text, const std::string& name, const std::string& directory, Problems& problems) {
  auto source = std::make_shared<Source>();
  source->name = name;
  source->directory = directory;
  source->text = text;
  return read_yaml(source, problems);
}

Node load_into(const std::string& path, Problems& problems) {
  const auto unreadable = [&](const char* why) {
    const std::string near = nearest_path(path);
    problems.add(Location{}, fmt::format("{}: cannot be read ({}){}", shown_path(path), why,
                                         near.empty() ? "" : fmt::format("; did you mean '{}'?", shown_path(near))));
    return Node{};
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable(std::strerror(EISDIR));
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return unreadable(std::strerror(errno));
  remember_input(path);
  std::string text(longest_read, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) system_failure("{}: read failed ({})", shown_path(path), std::strerror(errno));
  text.resize(static_cast<size_t>(in.gcount()));
  return parse_into(text, path, std::filesystem::path(path).parent_path().string(), problems);
}

// An override becomes a document of nested maps, so that it is read, checked and located like a file.
void read_override(Section& root, const std::string& override, Problems& problems) {
  auto source = std::make_shared<Source>();
  source->name = "--set " + override;
  source->is_option = true;
  const Location at{source, 1, 1, 1};
  const size_t equals = override.find('=');
  std::string path = override.substr(0, equals);
  if (equals == std::string::npos || equals == 0) return problems.add(at, "expected KEY=VALUE, such as optim.lr=0.001");
  if (std::count(path.begin(), path.end(), '.') >= deepest_key)
    return problems.add(at, fmt::format("a key of more than {} parts", deepest_key));
  source->text = override.substr(equals + 1);
  const size_t before = problems.count();
  Node node = read_yaml(source, problems);
  if (problems.count() != before) {
    if (FieldBase* field = root.find(path)) field->mark_refused();
    return;
  }
  while (!path.empty()) {
    const size_t dot = path.rfind('.');
    Node outer;
    outer.kind = Node::Kind::map;
    outer.at = at;
    outer.keys.push_back({dot == std::string::npos ? path : path.substr(dot + 1), at});
    outer.items.push_back(std::move(node));
    node = std::move(outer);
    path = dot == std::string::npos ? "" : path.substr(0, dot);
  }
  root.read(node, problems);
}

void load_node(Section& root, const Node& node, const std::vector<std::string>& overrides, Problems& problems) {
  root.read(node, problems);
  for (const std::string& o : overrides) read_override(root, o, problems);
  root.check_all(problems);
  problems.throw_if_any();
}

}  // namespace

Node parse_yaml(std::string_view text, const std::string& name, const std::string& directory) {
  Problems problems;
  Node node = parse_into(text, name, directory, problems);
  problems.throw_if_any();
  return node;
}

Node load_yaml(const std::string& path) {
  Problems problems;
  Node node = load_into(path, problems);
  problems.throw_if_any();
  return node;
}

void load(Section& root, const Node& node, const std::vector<std::string>& overrides) {
  Problems problems;
  load_node(root, node, overrides, problems);
}

void load(Section& root, const std::string& path, const std::vector<std::string>& overrides) {
  Problems problems;
  const Node node = path.empty() ? Node{} : load_into(path, problems);
  // A text that could not be read to its end says nothing about any key.
  if (!problems.empty() && node.kind == Node::Kind::null) root.for_each_field([](FieldBase& f) { f.mark_refused(); });
  load_node(root, node, overrides, problems);
}

}  // namespace seqgrad
