// `seqgrad config`: what a config means, and what one may hold.
#include "apps/command.h"
#include "engine/config/describe.h"
#include "engine/run/setup.h"
#include "engine/text/numbers.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config;
  bool resolved = false, schema = false, reference = false;
};

int show_config(const Options& o) {
  Config config;
  if (o.resolved + o.schema + o.reference > 1) refuse("config: give one of --resolved, --schema and --reference");
  if (o.schema || o.reference) {
    if (!o.config.empty()) refuse("config: --schema and --reference are of every config; leave the file out");
    fmt::print("{}", o.schema ? json_schema(config) : reference_markdown(config));
    return 0;
  }
  if (o.config.empty()) refuse("config: a config file, --schema or --reference is needed");
  config.reads_files = true;
  load(config, o.config, o.common.overrides());
  const Setup ready = set_up(config, Purpose::training);  // so that it refuses what `train` refuses
  const auto differing = static_cast<int64_t>(differences(config).size());
  o.common.tell(counted(differing, "key") +
                (differing == 1 ? " differs from its default" : " differ from their defaults"));
  if (o.resolved) {
    if (task_of(config.data)) write_out(config.data, ready.data);
    print_text(resolved_yaml(config));
  } else {
    for (const std::string& d : differences(config)) print_text(d + "\n");
  }
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config,
                 "Config file: refused as train refuses it, else what differs from the defaults is printed")
      .type_name("CONFIG.yaml");
  app.add_flag("--resolved", o->resolved, "Every value and where it came from");
  app.add_flag("--schema", o->schema, "JSON Schema of config files");
  app.add_flag("--reference", o->reference, "All keys with type, default, range and meaning, as Markdown");
  o->common.declare(app);
  return [o] { return show_config(*o); };
}

const bool registered = register_command({"config",
                                          "Check a config; print it resolved, or the schema or reference of all keys",
                                          "seqgrad config configs/phrases.yaml --resolved",
                                          declare,
                                          {"lint", "show", "schema", "configs"}});

}  // namespace
}  // namespace seqgrad
