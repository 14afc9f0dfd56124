// Numbers in a C locale with a decimal comma, which programs that use the library may have set.
#include <fmt/format.h>
#include <test_paths.h>

#include <clocale>
#include <cstdlib>
#include <string>

#include "engine/check/run_case.h"
#include "engine/config/describe.h"
#include "engine/config/section.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("configs and cases are read and written the same in a locale with a decimal comma") {
  const Scratch dir;
  if (std::system(("localedef -i de_DE -f UTF-8 " + dir / "de_DE.UTF-8 > /dev/null 2>&1").c_str()) != 0) {
    WARN("skipped: localedef and its sources (package locales) are not installed");
    return;
  }
  const std::string lesson = std::string(SEQGRAD_SOURCE_DIR) + "/configs/lessons/01_padding.yaml";
  const auto everything = [&] {
    Config config;
    load(config, dir.write("c.yaml", "name: x\ndata: {task: copy}\noptim: {lr: 2.5e-4}\n"), {"optim.beta2=0.25"});
    const LossCase read = read_case(lesson);
    const LossResult loss = run_case(read, DType::f64, Device::cpu).loss;
    return resolved_yaml(config) + fmt::format("{} {}", loss.values.at(0), loss.numerators.at(0));
  };
  const std::string before = everything();
  setenv("LOCPATH", dir.path.c_str(), 1);
  REQUIRE(std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr);
  CHECK(std::string(std::localeconv()->decimal_point) == ",");
  const std::string after = everything();
  const std::string refused = error_of([&] {
    Config config;
    load(config, dir / "c.yaml", {"optim.lr=0,5"});
  });
  std::setlocale(LC_ALL, "C");
  unsetenv("LOCPATH");
  CHECK(after == before);
  CHECK(refused.substr(0, 2) == "2 ");
}
