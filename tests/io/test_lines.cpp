// Text files as lines.
#include <array>

#include "engine/core/random.h"
#include "engine/io/lines.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("only line feeds end lines") {
  const Scratch dir;
  const auto lines = [&](const std::string& text) { return read_lines(dir.write("text", text)); };
  CHECK(lines("").empty());
  CHECK(lines("\xEF\xBB\xBF").empty());
  CHECK(lines("\n") == std::vector<std::string>{""});
  CHECK(lines("a\n\nb") == std::vector<std::string>{"a", "", "b"});
  CHECK(lines("a\r\n\r\nb\r\n") == std::vector<std::string>{"a", "", "b"});
  CHECK(lines("a\rb\n\r") == std::vector<std::string>{"a\rb", "\r"});
  CHECK(lines("a\xE2\x80\xA8"
              "b\v\f\xC2\x85\n")
            .size() == 1);
  CHECK(lines(std::string("a\0b\n", 4)) == std::vector<std::string>{std::string("a\0b", 3)});
  CHECK(has(error_of([&] { lines("ok\nab\xED\xA0\x80\n"); }), "text:2: byte 3 is not valid UTF-8: '\\xed\\xa0\\x80'"));
}

TEST_CASE("lines are the same wherever the parts end in which a file comes") {
  const Scratch dir;
  const uint64_t seed = 11;
  CAPTURE(seed);
  Random random(seed, 0);
  std::string text = "\xEF\xBB\xBF";
  std::vector<std::string> want;
  while (text.size() < 300'000) {
    std::string line;
    for (uint64_t n = random.below(random.below(50) == 0 ? 90'000 : 100); n > 0; --n)
      line += std::array{"a", "ü", "日", " ", "\r", "😀"}[random.below(6)];
    const bool returns = random.below(3) == 0;
    text += line + (returns ? "\r\n" : "\n");
    if (!returns && line.ends_with('\r')) line.pop_back();
    want.push_back(line);
  }
  for (const char* last : {"", "no line feed", "\r"}) {
    CAPTURE(last);
    std::vector<std::string> all = want;
    if (*last) all.emplace_back(last);
    REQUIRE(read_lines(dir.write("text", text + last)) == all);
  }
  std::vector<std::string> seen;
  CHECK(has(error_of([&] {
              for_each_line(dir.write("text", text + "ok\nab\xED\n"),
                            [&](std::string_view line) { seen.emplace_back(line); });
            }),
            fmt::format("text:{}: byte 3 is not valid UTF-8", want.size() + 2)));
  want.emplace_back("ok");
  CHECK(seen == want);
}
