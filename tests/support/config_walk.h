// Walks every key of a config: absent, set to a second legal value, of a wrong type, out of range, misspelt.
#pragma once
#include "engine/config/describe.h"
#include "tests/support/catch.h"

namespace seqgrad {

// "a.b" and "1" as a file of nested sections.
inline std::string file_with(const std::string& path, const std::string& value) {
  std::string text, indent;
  size_t begin = 0;
  for (size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1) {
    text += indent + path.substr(begin, dot - begin) + ":\n";
    indent += "  ";
  }
  return text + indent + path.substr(begin) + ": " + value + "\n";
}

// What reading `text` into `config` says, without the checks between keys.
inline std::string reading(Section& config, const std::string& text) {
  Problems problems;
  try {
    config.read(parse_yaml(text, "walk.yaml"), problems);
    problems.throw_if_any();
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

template <class Config>
void walk_every_key() {
  const Config defaults;
  const std::string complete = resolved_yaml(defaults, false);
  Config all;
  CHECK(reading(all, complete) == "");
  CHECK(resolved_yaml(all, false) == complete);
  defaults.for_each_field([&](const FieldBase& f) {
    const std::string path = f.path();
    const auto line = std::count(path.begin(), path.end(), '.') + 1;
    const std::string here = fmt::format("walk.yaml:{}:", line);
    CAPTURE(path);
    CHECK(std::string(f.doc) != "");
    CHECK(f.is_default());
    Config same;
    CHECK(reading(same, file_with(path, f.default_yaml())) == "");

    const std::string second = f.second_value();
    CAPTURE(second);
    REQUIRE(second != "");
    Config changed, again;
    CHECK(reading(changed, file_with(path, second)) == "");
    CHECK(changed.find(path)->is_set());
    REQUIRE(differences(changed).size() == 1);
    CHECK(differences(changed)[0].starts_with(path + " = "));
    CHECK(reading(again, resolved_yaml(changed)) == "");
    CHECK(resolved_yaml(again, false) == resolved_yaml(changed, false));

    const auto illegal = f.illegal_values();
    CHECK(!illegal.empty());
    for (const std::string& bad : illegal) {
      CAPTURE(bad);
      Config refused;
      const std::string said = reading(refused, file_with(path, bad));
      CHECK(said.starts_with(here));
      CHECK(said.find(": error: " + path) != std::string::npos);
      CHECK(said.ends_with("\n1 error; nothing was run"));
      CHECK(resolved_yaml(refused, false) == complete);
    }

    Config other;
    const std::string misspelt = reading(other, file_with(path + "q", f.default_yaml()));
    CHECK(misspelt.starts_with(here));
    CHECK(misspelt.find(fmt::format(": error: unknown key '{}q'", f.name)) != std::string::npos);
  });
}

}  // namespace seqgrad
