// All of these walk the same declarations that the loader reads.
#include "engine/config/describe.h"

#include <nlohmann/json.hpp>

namespace seqgrad {
namespace {

using nlohmann::ordered_json;

std::string origin(const FieldBase& f) {
  if (!f.is_set()) return "default";
  const Source& source = *f.origin.source;
  return source.is_option ? shown(source.name) : fmt::format("{}:{}", shown_path(source.name), f.origin.line);
}

void write_yaml(const Section& section, int depth, bool origins, std::string& out) {
  const std::string indent(static_cast<size_t>(2 * depth), ' ');
  for (const FieldBase* f : section.fields()) {
    const std::string line = fmt::format("{}{}: {}", indent, f->name, f->yaml());
    out += origins ? fmt::format("{:<50} # {}\n", line, origin(*f)) : line + "\n";
  }
  for (const Section* s : section.sections()) {
    out += fmt::format("{}{}:\n", indent, s->name());
    write_yaml(*s, depth + 1, origins, out);
  }
}

// A default as the value that an editor offers.
ordered_json json_of(const Node& node) {
  int64_t whole = 0;
  double number = 0;
  bool truth = false;
  switch (node.kind) {
    case Node::Kind::null: return nullptr;
    case Node::Kind::sequence: {
      ordered_json list = ordered_json::array();
      for (const Node& item : node.items) list.push_back(json_of(item));
      return list;
    }
    case Node::Kind::map: {
      ordered_json object = ordered_json::object();
      for (size_t i = 0; i < node.keys.size(); ++i) object[node.keys[i].name] = json_of(node.items[i]);
      return object;
    }
    case Node::Kind::scalar: break;
  }
  if (Codec<bool>::parse(node, truth).empty()) return truth;
  if (Codec<int64_t>::parse(node, whole).empty()) return whole;
  if (Codec<double>::parse(node, number).empty()) return number;
  return node.text;
}

ordered_json schema_of(const Section& section) {
  ordered_json properties = ordered_json::object();
  for (const FieldBase* f : section.fields()) {
    ordered_json fragment = ordered_json::parse(f->schema());
    fragment["description"] = f->doc;
    fragment["default"] = json_of(parse_yaml(f->default_yaml(), f->name));
    properties[f->name] = fragment;
  }
  for (const Section* s : section.sections()) {
    ordered_json inner = schema_of(*s);
    inner["description"] = s->doc();
    properties[s->name()] = inner;
  }
  return {{"type", {"object", "null"}}, {"additionalProperties", false}, {"properties", properties}};
}

// Text in a cell of a table.
std::string cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

void write_reference(const Section& section, std::string& out) {
  const std::string path = section.path();
  out += path.empty() ? "# Config reference\n" : fmt::format("\n## `{}`\n\n{}\n", path, section.doc());
  if (!section.fields().empty()) out += "\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
  for (const FieldBase* f : section.fields())
    out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", f->name, f->type(), cell(f->default_yaml()),
                       cell(f->range()), cell(f->doc));
  for (const Section* s : section.sections()) write_reference(*s, out);
}

}  // namespace

std::string resolved_yaml(const Section& root, bool origins) {
  std::string out;
  write_yaml(root, 0, origins, out);
  return out;
}

std::vector<Difference> changes(const Section& root) {
  std::vector<Difference> out;
  root.for_each_field([&](const FieldBase& f) {
    if (!f.is_default()) out.push_back({f.path(), f.yaml(), f.default_yaml()});
  });
  return out;
}

std::vector<std::string> differences(const Section& root) {
  std::vector<std::string> out;
  for (const Difference& d : changes(root))
    out.push_back(fmt::format("{} = {} (default {})", d.key, d.value, d.standard));
  return out;
}

std::string reference_markdown(const Section& root) {
  std::string out;
  write_reference(root, out);
  return out;
}

std::string json_schema(const Section& root) {
  ordered_json out = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "seqgrad config"}};
  out.update(schema_of(root));
  return out.dump(2) + "\n";
}

}  // namespace seqgrad
