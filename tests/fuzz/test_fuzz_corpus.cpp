// The saved corpus of the fuzz targets, through the same functions, in every build.
#include <test_paths.h>
#include <map>

#include "tests/fuzz/targets.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

TEST_CASE("every input of the saved corpus is accepted or refused as it should be") {
  const std::map<std::string, void (*)(std::string_view)> targets = {
      {"config", fuzz_config},  {"safetensors", fuzz_safetensors},   {"text", fuzz_text},
      {"cases", fuzz_cases},    {"command_line", fuzz_command_line}, {"printers", every_printer},
      {"answers", fuzz_answers}};
  for (const auto& [name, target] : targets) {
    int inputs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(SEQGRAD_SOURCE_DIR "/tests/fuzz/corpus/" + name)) {
      const std::string file = entry.path(), bytes = slurp(entry.path());
      CAPTURE(file);
      CHECK_NOTHROW(target(bytes));
      for (const size_t cut : {bytes.size() / 2, bytes.size() - std::min<size_t>(1, bytes.size())})
        CHECK_NOTHROW(target(std::string_view(bytes).substr(0, cut)));
      ++inputs;
    }
    CAPTURE(name);
    CHECK(inputs >= 8);
  }
}
