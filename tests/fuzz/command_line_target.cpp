// Arguments: understood or refused in words; nothing is run.
#include "apps/command.h"
#include "engine/core/error.h"
#include "tests/fuzz/targets.h"

using namespace seqgrad;

void fuzz_command_line(std::string_view input) {
  std::vector<std::string> arguments{"seqgrad"};
  for (size_t at = 0; at < input.size() && arguments.size() < 64;) {
    const size_t end = std::min(input.find('\n', at), input.size());
    arguments.emplace_back(input.substr(at, std::min(end, input.find('\0', at)) - at));  // as the system passes it
    at = end + 1;
  }
  try {
    require(static_cast<bool>(parse_command_line(arguments)), "an accepted command line can be run");
    command_line(arguments);
  } catch (const InputError& e) {
    check_message(e.what());
  }
}
