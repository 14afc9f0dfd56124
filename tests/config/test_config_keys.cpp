// Every key of the config that users write.
#include <nlohmann/json.hpp>

#include "engine/train/config.h"
#include "tests/support/config_walk.h"
#include "tests/support/scratch.h"

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

TEST_CASE("keys as other frameworks name them, and numbers where a section stands, are told what to write") {
  const auto refusal = [](const std::string& yaml) {
    Config config;
    return error_of([&] { load(config, parse_yaml("data: {task: copy}\n" + yaml, "a.yaml")); });
  };
  const auto tells = [&](const std::string& yaml, const char* what) {
    CAPTURE(yaml, refusal(yaml));
    CHECK(refusal(yaml).find(what) != std::string::npos);
  };
  tells("loss: {label_smoothing: 0.1}", "= write smoothing: {epsilon: 0.1}");
  tells("loss: {label_smothing: 0.1}", "= write smoothing: {epsilon: 0.1}");
  tells("loss: {reduction: mean}", "= write preset: torch.mean");
  tells("loss: {from_logits: true}", "= write input: logits");
  tells("loss: {smoothing: 0.1}",
        "loss.smoothing: expected a section with keys, got '0.1' (write smoothing: {epsilon: 0.1})");
  tells("loss: token_mean", "(write loss: {preset: token_mean})");
}
