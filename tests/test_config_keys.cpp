// Every key of the config that users write.
#include <nlohmann/json.hpp>

#include "models/config.h"
#include "tests/config_walk.h"

using namespace seqgrad;

TEST_CASE("every key: absent, second value, wrong type, out of range, misspelt") { walk_every_key<Config>(); }

TEST_CASE("a resolved config loads as a config, with every key written") {
  Config config, again;
  load(config, "", {"data.task=copy", "loss.preset=tfa.sequence_loss", "optim.lr=0.5"});
  load(again, parse_yaml(resolved_yaml(config), "config.resolved.yaml"));
  CHECK(resolved_yaml(again, false) == resolved_yaml(config, false));
}

TEST_CASE("the schema has every key, and its defaults are legal") {
  const Config config;
  const auto schema = nlohmann::json::parse(json_schema(config));
  config.for_each_field([&](const FieldBase& f) {
    std::string pointer = "/properties/" + f.path();
    for (size_t dot; (dot = pointer.find('.')) != std::string::npos;) pointer.replace(dot, 1, "/properties/");
    CAPTURE(pointer);
    const nlohmann::json::json_pointer place(pointer);
    REQUIRE(schema.contains(place));
    CHECK(schema[place]["description"] == f.doc);
    CHECK(schema[place].contains("default"));
  });
}
