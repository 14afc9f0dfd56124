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
  std::string text;
  bool is_option = false;

  std::string_view line(int number) const;  // from 1, without its end; empty when there is no such line
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
  std::vector<Node> items;        // of a sequence, or the values of a map
  std::vector<Key> keys;          // of a map, in the order written, no name twice
  std::vector<std::string> lost;  // names whose values could not be read; they are among the reported problems

  const Node* find(std::string_view key) const;  // in a map; null when absent
  std::string describe() const;                  // what an error message calls it: 'text', a list, a section, nothing
};

// These throw one ConfigError with everything that makes the text more or less than one plain YAML document: duplicate
// keys, anchors, aliases, merge keys, tags, further documents, tabs, control bytes, invalid UTF-8; and what is too
// large: 1 MiB, 32 levels, 100,000 values.
Node parse_yaml(std::string_view text, const std::string& name, const std::string& directory = "");
Node load_yaml(const std::string& path);

}  // namespace seqgrad
