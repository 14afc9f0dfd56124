// All of these walk the same declarations that the loader reads.
#include "engine/config/describe.h"

#include <nlohmann/json.hpp>

namespace seqgrad {
namespace {

std::string origin(const FieldBase& f) {
  if (!f.is_set()) return "default";
  if (f.origin.source->is_option) return f.origin.source->name;
  return fmt::format("{}:{}", f.origin.source->name, f.origin.line);
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

nlohmann::ordered_json schema_of(const Section& section) {
  nlohmann::ordered_json properties = nlohmann::ordered_json::object();
  for (const FieldBase* f : section.fields()) {
    auto fragment = nlohmann::ordered_json::parse(f->schema());
    fragment["description"] = f->doc;
    fragment["x-default"] = f->default_yaml();
    properties[f->name] = fragment;
  }
  for (const Section* s : section.sections()) {
    auto inner = schema_of(*s);
    inner["description"] = s->doc();
    properties[s->name()] = inner;
  }
  return {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
}

void write_reference(const Section& section, std::string& out) {
  const std::string path = section.path();
  out += path.empty() ? "# Config reference\n\n" : fmt::format("\n## `{}`: {}\n\n", path, section.doc());
  if (!section.fields().empty()) out += "| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
  for (const FieldBase* f : section.fields()) {
    std::string range = f->range();
    for (size_t at = 0; (at = range.find('|', at)) != std::string::npos; at += 2) range.insert(at, "\\");
    out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", f->name, f->type(), f->default_yaml(), range, f->doc);
  }
  for (const Section* s : section.sections()) write_reference(*s, out);
}

}  // namespace

std::string resolved_yaml(const Section& root, bool origins) {
  std::string out;
  write_yaml(root, 0, origins, out);
  return out;
}

std::vector<std::string> differences(const Section& root) {
  std::vector<std::string> out;
  root.for_each_field([&](FieldBase& f) {
    if (!f.is_default()) out.push_back(fmt::format("{} = {} (default {})", f.path(), f.yaml(), f.default_yaml()));
  });
  return out;
}

std::string reference_markdown(const Section& root) {
  std::string out;
  write_reference(root, out);
  return out;
}

std::string json_schema(const Section& root) {
  auto schema = schema_of(root);
  nlohmann::ordered_json out = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "seqgrad config"}};
  out.update(schema);
  return out.dump(2) + "\n";
}

}  // namespace seqgrad
