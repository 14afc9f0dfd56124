// A parsed YAML document as the rest of the program sees it: plain values with the place that they came from.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace seqgrad {

// Where text came from: a file, or one --set option.
struct Source {
  std::string name;       // "configs/a.yaml" or "--set a.b=1"
  std::string directory;  // relative paths in it are relative to this; empty: the current directory
  std::vector<std::string> lines;
  bool is_option = false;
};

struct Location {
  std::shared_ptr<const Source> source;
  int line = 1, column = 1;  // from 1; columns count characters
  int length = 1;            // characters to underline
};

struct Node {
  enum class Kind { null, scalar, sequence, map };
  struct Key {
    std::string name;
    Location at;
  };

  Kind kind = Kind::null;
  std::string text;     // of a scalar
  bool quoted = false;  // a quoted scalar is a string whatever it looks like
  Location at;
  std::vector<Node> items;  // of a sequence, or the values of a map
  std::vector<Key> keys;    // of a map, in the order written

  const Node* find(std::string_view key) const;  // in a map; null when absent
  std::string describe() const;                  // what an error message calls it: 'text', a list, a section, null
};

// Throws ConfigError where the text is not one plain YAML document: duplicate keys, anchors, aliases, merge keys, tags,
// further documents, tabs in indentation, invalid UTF-8, more than 1 MiB or 32 levels are refused.
Node parse_yaml(std::string_view text, const std::string& name, const std::string& directory = "");
Node load_yaml(const std::string& path);
Node parse_option(const std::string& option, const std::string& value);  // VALUE of --set a.b=VALUE

}  // namespace seqgrad
