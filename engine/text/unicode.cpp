// The only file that sees utf8proc.
#include "engine/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "engine/core/error.h"
#include "engine/text/utf8.h"

namespace seqgrad {

CodePoint first_code_point(std::string_view text) {
  if (text.empty()) refuse("a character of an empty text was asked for");
  const size_t length = utf8_length(text);
  if (length == 0) return {};
  const auto at = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  if (length == 1) return {at(0), 1};
  char32_t value = at(0) & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) value = value << 6 | (at(i) & 0x3F);
  return {value, length};
}

void append_utf8(std::string& text, char32_t value) {
  if (value > 0x10FFFF || (0xD800 <= value && value <= 0xDFFF))
    refuse("U+{:04X} is no character", static_cast<uint32_t>(value));
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(value), bytes.data());
  text.append(bytes.begin(), bytes.begin() + length);
}

static bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

struct Range {
  char32_t first, last;
};

template <size_t N>
static bool in(const std::array<Range, N>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return r.first <= c && c <= r.last; });
}

// Other_Lowercase and Other_Uppercase of PropList.txt: letters by use, not by category.
constexpr std::array<Range, 31> also_cased{
    {{0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},     {0x2E0, 0x2E4},
     {0x345, 0x345},     {0x37A, 0x37A},     {0x10FC, 0x10FC},   {0x1D2C, 0x1D6A},   {0x1D78, 0x1D78},
     {0x1D9B, 0x1DBF},   {0x2071, 0x2071},   {0x207F, 0x207F},   {0x2090, 0x209C},   {0x2160, 0x217F},
     {0x24B6, 0x24E9},   {0x2C7C, 0x2C7D},   {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F2, 0xA7F4},
     {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},   {0xAB69, 0xAB69},   {0x10780, 0x10780}, {0x10783, 0x10785},
     {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x1E030, 0x1E06D}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169},
     {0x1F170, 0x1F189}}};

static bool cased(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: return true;
    default: return in(also_cased, c);
  }
}

// Word_Break MidLetter, MidNumLet and Single_Quote of WordBreakProperty.txt: what may stand inside a word.
constexpr std::array<char32_t, 17> inside_words{0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
                                                0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};

static bool case_ignorable(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return std::find(inside_words.begin(), inside_words.end(), c) != inside_words.end();
  }
}

// Final_Sigma of SpecialCasing.txt: a cased letter stands before it and none after it, ignorable ones between left out.
static bool ends_word(std::u32string_view text, size_t at) {
  const auto known = [](char32_t c) { return c != CodePoint::none; };
  size_t before = at, after = at + 1;
  while (before > 0 && known(text[before - 1]) && case_ignorable(text[before - 1])) --before;
  if (before == 0 || !known(text[before - 1]) || !cased(text[before - 1])) return false;
  while (after < text.size() && known(text[after]) && case_ignorable(text[after])) ++after;
  return after == text.size() || !known(text[after]) || !cased(text[after]);
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (ascii(text)) {
    for (const char c : text) out += 'A' <= c && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
    return out;
  }
  std::u32string all;
  for_each_code_point(text, [&](CodePoint c, std::string_view) { all += c.value; });
  size_t at = 0;
  for_each_code_point(text, [&](CodePoint c, std::string_view bytes) {
    constexpr char32_t capital_i_with_dot = 0x130, dot_above = 0x307, capital_sigma = 0x3A3, final_sigma = 0x3C2;
    if (c.value == CodePoint::none) {
      out += bytes;
    } else if (c.value == capital_i_with_dot) {
      append_utf8(out += 'i', dot_above);
    } else if (c.value == capital_sigma && ends_word(all, at)) {
      append_utf8(out, final_sigma);
    } else {
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    ++at;
  });
  return out;
}

std::string capitalize_first(std::string_view text) {
  if (text.empty()) return "";
  const CodePoint c = first_code_point(text);
  constexpr char32_t sharp_s = 0xDF;  // utf8proc has its capital here, which begins no word
  if (c.value == CodePoint::none || c.value == sharp_s) return std::string(text);
  std::string out;
  append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c.value))));
  return out += text.substr(c.length);
}

// The canonical order of combining marks (UAX #15, D109). utf8proc's own takes the square of their number, and a line
// may be a megabyte of them.
static void order_marks(std::vector<utf8proc_int32_t>& points) {
  const auto order = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  const auto is_mark = [&](utf8proc_int32_t c) { return order(c) != 0; };
  const auto before = [&](utf8proc_int32_t a, utf8proc_int32_t b) { return order(a) < order(b); };
  for (auto begin = points.begin(); (begin = std::find_if(begin, points.end(), is_mark)) != points.end();) {
    const auto end = std::find_if_not(begin, points.end(), is_mark);
    if (!std::is_sorted(begin, end, before)) std::stable_sort(begin, end, before);
    begin = end;
  }
}

static std::string normalized(std::string_view well_formed, Form form) {
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (form == Form::nfd ? UTF8PROC_DECOMPOSE : UTF8PROC_COMPOSE) |
                                     (form == Form::nfkc ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> points;
  points.reserve(well_formed.size() + 1);  // the last for the byte that utf8proc sets behind its result
  for_each_code_point(well_formed, [&](CodePoint c, std::string_view) {
    std::array<utf8proc_int32_t, 32> parts{};  // no character has more than 18
    int no_graphemes = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), parts.data(),
                                               static_cast<utf8proc_ssize_t>(parts.size()), options, &no_graphemes);
    if (count < 0) refuse("a text of {} bytes: {}", well_formed.size(), utf8proc_errmsg(count));
    points.insert(points.end(), parts.begin(), parts.begin() + count);
  });
  order_marks(points);
  points.push_back(0);
  const auto length = utf8proc_reencode(points.data(), static_cast<utf8proc_ssize_t>(points.size()) - 1, options);
  if (length < 0) refuse("a text of {} bytes: {}", well_formed.size(), utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(points.data()), static_cast<size_t>(length)};
}

std::string normalize(std::string_view text, Form form) {
  if (ascii(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const size_t bad = utf8_error(text);
    if (bad > 0) out += normalized(text.substr(0, bad), form);
    if (bad < text.size()) out += text[bad];
    text.remove_prefix(std::min(text.size(), bad + 1));
  }
  return out;
}

std::string_view category(char32_t value) {
  return utf8proc_category_string(value > 0x10FFFF ? -1 : static_cast<utf8proc_int32_t>(value));
}

std::string_view unicode_version() { return utf8proc_unicode_version(); }

}  // namespace seqgrad
