// The files of configs/ are what they say: each loads, names the schema for editors, and the schema is the code's.
#include <test_paths.h>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/config/describe.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace seqgrad;

namespace {

const fs::path configs = fs::path(SEQGRAD_SOURCE_DIR) / "configs";

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

}  // namespace

TEST_CASE("every config of the project loads without a problem and carries the schema modeline") {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(configs)) {
    if (entry.path().extension() != ".yaml") continue;
    CAPTURE(entry.path().filename().string());
    ++count;
    const std::string text = slurp(entry.path());
    CHECK(text.rfind("# yaml-language-server: $schema=schema.json\n# ", 0) == 0);  // and says what it is about
    Config config;
    CHECK_NOTHROW(load(config, entry.path().string(), {}));
    CHECK(config.name() == entry.path().stem().string());
  }
  CHECK(count >= 3);
}

TEST_CASE("configs/schema.json is what the code declares") {
  const Config config;
  CHECK(slurp(configs / "schema.json") == json_schema(config));
}
