// Lower case and normal forms against Python's (scripts/record/unicode.py), of every code point that both know.
#include <test_paths.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/text/unicode.h"
#include "tests/support/catch.h"

using namespace seqgrad;
using Json = nlohmann::json;

namespace {

constexpr char32_t last = 0x110000;

Json golden() {
  std::ifstream in(SEQGRAD_SOURCE_DIR "/tests/golden/unicode.json");
  REQUIRE(in);
  return Json::parse(in);
}

std::vector<bool> members(const Json& ranges) {
  std::vector<bool> in(last);
  for (const Json& r : ranges) std::fill(in.begin() + r[0].get<int>(), in.begin() + r[1].get<int>() + 1, true);
  return in;
}

std::string utf8(char32_t c) {
  std::string text;
  append_utf8(text, c);
  return text;
}

std::string hexadecimal(char32_t c) { return fmt::format("{:04X}", static_cast<uint32_t>(c)); }

// The first few code points for which f is wrong.
template <class F>
std::vector<std::string> wrong(const std::vector<bool>& unassigned, const F& f) {
  std::vector<std::string> out;
  for (char32_t c = 0; c < last && out.size() < 20; ++c)
    if (!unassigned[c] && !f(c)) out.push_back(hexadecimal(c));
  return out;
}

}  // namespace

TEST_CASE("every character's lower case is Python's") {
  const Json expected = golden();
  const Json& lower = expected.at("lower");
  REQUIRE(lower.size() > 1300);
  const auto bad = wrong(members(expected.at("unassigned")), [&](char32_t c) {
    const auto found = lower.find(hexadecimal(c));
    return to_lower(utf8(c)) == (found == lower.end() ? utf8(c) : found->get<std::string>());
  });
  CHECK(bad == std::vector<std::string>());
}

TEST_CASE("a sigma is final where Python says so, for every character before, between and after") {
  const Json expected = golden();
  const std::vector<bool> unassigned = members(expected.at("unassigned"));
  const auto check = [&](const char* key, const std::string& before, const std::string& after, const auto& is_final) {
    INFO(key);
    const std::vector<bool> final = members(expected.at(key));
    CHECK(wrong(unassigned, [&](char32_t c) { return final[c] == is_final(to_lower(before + utf8(c) + after)); }) ==
          std::vector<std::string>());
  };
  const auto ends = [](const std::string& text) { return text.ends_with("ς"); };
  check("final_after", "", "Σ", ends);
  check("final_over", "A", "Σ", ends);
  check("final_before", "AΣ", "", [](const std::string& text) { return text.starts_with("aς"); });
}

TEST_CASE("normal forms of every character are Python's") {
  const Json expected = golden();
  const std::vector<bool> unassigned = members(expected.at("unassigned"));
  constexpr char32_t size = 0x1000;
  for (const auto& [name, form] : {std::pair("NFC", Form::nfc), {"NFD", Form::nfd}, {"NFKC", Form::nfkc}}) {
    const Json& blocks = expected.at("normal_blocks").at(name);
    REQUIRE(blocks.size() == last / size);
    for (char32_t b = 0; b < last / size; ++b) {
      uint64_t hash = 0xCBF29CE484222325;
      for (char32_t c = b * size; c < (b + 1) * size; ++c)
        if (!unassigned[c])
          for (const char byte : normalize(utf8(c), form) + "\n")
            hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
      INFO(name << " of U+" << hexadecimal(b * size) << " and the following");
      CHECK(fmt::format("{:016x}", hash) == blocks[b]);
    }
  }
}

TEST_CASE("texts of several characters are lowered and normalized as in Python") {
  const Json texts = golden().at("texts");
  REQUIRE(texts.size() > 300);
  for (const Json& t : texts) {
    const std::string text = t[0];
    INFO(text);
    CHECK(to_lower(text) == t[1]);
    CHECK(normalize(text, Form::nfc) == t[2]);
    CHECK(normalize(text, Form::nfd) == t[3]);
    CHECK(normalize(text, Form::nfkc) == t[4]);
  }
}

TEST_CASE("bytes that are not UTF-8, and NUL, stay where they are") {
  using namespace std::string_literals;
  const std::string text =
      "\xff"
      "E\u0301\0Σ\xC3"s;
  CHECK(to_lower(text) ==
        "\xff"
        "e\u0301\0σ\xC3"s);
  CHECK(normalize(text, Form::nfc) == "\xff\u00c9\0Σ\xC3"s);
  std::vector<std::pair<char32_t, size_t>> seen;
  for_each_code_point(text, [&](CodePoint c, std::string_view bytes) {
    CHECK(bytes.size() == c.length);
    seen.emplace_back(c.value, c.length);
  });
  const char32_t none = CodePoint::none;
  CHECK(seen ==
        std::vector<std::pair<char32_t, size_t>>{{none, 1}, {'E', 1}, {0x301, 2}, {0, 1}, {0x3A3, 2}, {none, 1}});
  CHECK(to_lower("").empty());
  CHECK(normalize("", Form::nfkc).empty());
}

TEST_CASE("a megabyte of marks is brought into its order in seconds of the processor") {
  constexpr size_t count = 250'000;
  const auto repeated = [](std::string_view unit) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += unit;
    return text;
  };
  const std::clock_t begin = std::clock();
  const std::string above = repeated("\u0300"), below = repeated("\u0327"), beside = repeated("\u0345");
  CHECK((normalize("x" + repeated("\u0300\u0327"), Form::nfc) == "x" + below + above));
  CHECK((normalize("e" + repeated("\u0345\u0300\u0327"), Form::nfd) == "e" + below + above + beside));
  // A character that is no mark itself, and is made of two.
  CHECK((normalize(repeated("\u0f73"), Form::nfkc) == repeated("\u0f71") + repeated("\u0f72")));
  CHECK((normalize("\u00e4" + repeated("\u0327"), Form::nfd) == "a" + below + "\u0308"));
  CHECK(std::clock() - begin < 20 * CLOCKS_PER_SEC);
}

TEST_CASE("code points are read and written in all four lengths, and no others are") {
  for (const char32_t c : {0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    const std::string bytes = utf8(c);
    CHECK(first_code_point(bytes).value == c);
    CHECK(first_code_point(bytes).length == bytes.size());
  }
  for (const char32_t c : {0xD800u, 0xDFFFu, 0x110000u}) CHECK_THROWS_AS(utf8(c), InputError);
  CHECK_THROWS_AS(first_code_point(""), InputError);
}

TEST_CASE("a sentence begins with a capital in every alphabet") {
  CHECK(capitalize_first("élan vital") == "Élan vital");
  CHECK(capitalize_first("ǆep") == "ǅep");
  CHECK(capitalize_first("ж") == "Ж");
  CHECK(capitalize_first("ß") == "ß");
  CHECK(capitalize_first("1a").append(capitalize_first("")) == "1a");
  CHECK(capitalize_first("\xff"
                         "a") ==
        "\xff"
        "a");
}

TEST_CASE("categories name what is not seen") {
  CHECK(category('A') == "Lu");
  CHECK(category(0xA0) == "Zs");
  CHECK(category(0x200B) == "Cf");
  CHECK(category(0x301) == "Mn");
  CHECK(category(0x85) == "Cc");
  CHECK(category(0x378) == "Cn");
  CHECK(category(0x110000) == "Cn");
  CHECK(unicode_version().size() >= 5);
}
