// A config and its overrides: refused in words, or the resolved config loads again to the same.
#include "engine/config/describe.h"
#include "engine/train/config.h"
#include "tests/fuzz/targets.h"

using namespace seqgrad;

void fuzz_config(std::string_view input) {
  const size_t end = std::min(input.find('\0'), input.size());
  std::vector<std::string> overrides;
  for (size_t at = end; at < input.size() && overrides.size() < 8;) {
    const size_t next = std::min(input.find('\0', at + 1), input.size());
    overrides.emplace_back(input.substr(at + 1, next - at - 1));
    at = next;
  }
  try {
    Config config;
    load(config, parse_yaml(input.substr(0, end), "config.yaml", ""), overrides);
    const std::string resolved = resolved_yaml(config, false);
    differences(config);
    Config again;
    load(again, parse_yaml(resolved, "config.resolved.yaml", ""), {});
    require(resolved_yaml(again, false) == resolved, "a resolved config loads to itself");
  } catch (const InputError& e) {
    check_message(e.what());
  }
}
