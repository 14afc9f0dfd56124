// Text from outside on its way to a terminal, a page, an XML file.
#include "engine/text/escape.h"

#include "engine/core/error.h"
#include "engine/text/utf8.h"
#include "tests/support/catch.h"

using namespace seqgrad;

namespace {

std::string utf8(char32_t c) {
  const auto low = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), low(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), low(6), low(0)};
  return {static_cast<char>(0xF0 | c >> 18), low(12), low(6), low(0)};
}

}  // namespace

TEST_CASE("a terminal gets no character that it obeys, that is invisible, or that reorders its line") {
  CHECK(for_terminal("plain Füße 犬 🐕 \\n 'quoted'") == "plain Füße 犬 🐕 \\n 'quoted'");
  CHECK(for_terminal(std::string("\0\a\b\t\n\v\f\r\x1b[31m\x7f", 14)) ==
        "\\x00\\x07\\x08\\t\\n\\x0b\\x0c\\r\\x1b[31m\\x7f");
  CHECK(for_terminal("\xc2\x9b"
                     "31m \xc2\x85") == "\\u009b31m \\u0085");
  CHECK(for_terminal("abc\u202Edcb\u202C \u2066x\u2069") == "abc\\u202edcb\\u202c \\u2066x\\u2069");
  CHECK(for_terminal("a\u2028b\u2029c\u200Bd\uFEFFe\U000E0041") == "a\\u2028b\\u2029c\\u200bd\\ufeffe\\U000e0041");
  CHECK(for_terminal("\xff\xc3(\xed\xa0\x80 \xf0\x9f") == "\\xff\\xc3(\\xed\\xa0\\x80 \\xf0\\x9f");
  CHECK(for_terminal("می\u200Cخواهم क्\u200Dष") == "می\u200Cخواهم क्\u200Dष");  // part of the spelling
  CHECK(lines_for_terminal("a\n\tb\r\n\nc\n") == "a\n\\tb\\r\n\nc\n");
  CHECK(lines_for_terminal("").empty());
}

// By the names that the Unicode standard gives them: general categories Cc, Cf, Zl and Zp, but for what spells words or
// stands in front of numbers.
TEST_CASE("every control and format character of Unicode is shown, but for those of a script's spelling") {
  const auto spelling = [](char32_t c) {
    return c == 0x200C || c == 0x200D || (c >= 0x600 && c <= 0x605) || c == 0x6DD || c == 0x70F || c == 0x890 ||
           c == 0x891 || c == 0x8E2 || c == 0x110BD || c == 0x110CD || (c >= 0x13430 && c <= 0x1343F) ||
           (c >= 0x1BCA0 && c <= 0x1BCA3) || (c >= 0x1D173 && c <= 0x1D17A);
  };
  const std::pair<char32_t, char32_t> hidden[] = {
      {0, 0x1F},        {0x7F, 0x9F},     {0xAD, 0xAD},       {0x61C, 0x61C},    {0x180E, 0x180E},
      {0x200B, 0x200B}, {0x200E, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x2064},  {0x2066, 0x206F},
      {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0001, 0xE0001}, {0xE0020, 0xE007F}};
  for (const auto& [first, last] : hidden)
    for (char32_t c = first; c <= last; ++c) {
      const std::string shown = for_terminal(utf8(c));
      CAPTURE(static_cast<uint32_t>(c), shown);
      CHECK(shown.size() > 1);
      CHECK(shown[0] == '\\');
      CHECK(utf8_characters(shown) == static_cast<int64_t>(shown.size()));
      CHECK_FALSE(spelling(c));
    }
  for (char32_t c = 0x20; c < 0x3000; ++c) {
    if (c >= 0x7F && c < 0xA0) continue;
    const bool escaped = for_terminal(utf8(c)) != utf8(c);
    bool wanted = c == 0x2065;  // has no character yet, and lies between them
    for (const auto& [first, last] : hidden) wanted = wanted || (c >= first && c <= last);
    CAPTURE(static_cast<uint32_t>(c));
    CHECK(escaped == wanted);
  }
}

TEST_CASE("values and paths in messages are escaped in the same way, and cut") {
  CHECK(shown("a\x1b\u202Eb\xff\n") == "a\\x1b\\u202eb\\xff\\n");
  CHECK(shown(std::string(60, 'x')) == std::string(60, 'x'));
  CHECK(shown(std::string(61, 'x')) == std::string(60, 'x') + "…");
  CHECK(shown(std::string(58, 'x') + "\x1b") == std::string(58, 'x') + "…");  // no half of an escape
  CHECK(shown_path("/a/b\u202E\x1b") == "/a/b\\u202e\\x1b");
  const std::string deep = "/" + std::string(300, 'd') + "/file.txt";
  CHECK(shown_path(deep) == "…" + deep.substr(deep.size() - 200));
}

TEST_CASE("text in a page and in XML stays text") {
  CHECK(for_html("<a b=\"c\" d='e'>&amp;") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
  CHECK(for_html("Füße 犬 🐕 a\tb\nc") == "Füße 犬 🐕 a\tb\nc");
  CHECK(for_html(std::string("\0\x01\x1b\r\x7f", 5)) == "␀␁␛␍␡");
  CHECK(for_html("\xff\xc3(\xed\xa0\x80 \xc2\x85") ==
        "\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD");
  CHECK(for_xml("<a b=\"c\" d='e'>&amp;") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
  CHECK(for_xml("Füße 犬 🐕 a\tb\nc\r") == "Füße 犬 🐕 a&#9;b&#10;c&#13;");
  for (const std::string& none : {std::string(1, '\0'), std::string("\x1b"), std::string("\x7f"), utf8(0x85),
                                  utf8(0xFFFE), utf8(0xFFFF), std::string("\xff")})
    CHECK(for_xml(none) == "\xEF\xBF\xBD");
}
