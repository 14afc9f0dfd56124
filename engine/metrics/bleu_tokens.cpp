// A few passes over adjacent characters. What they look for is ASCII, so bytes of other characters pass as they are.
#include "engine/metrics/bleu_tokens.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "engine/core/error.h"
#include "engine/text/unicode.h"
#include "engine/text/words.h"

namespace seqgrad {

static const std::array<std::string, 4>& names() {
  static const std::array<std::string, 4> all{"13a", "none", "char", "zh"};  // in the order of BleuTokens
  return all;
}

std::vector<std::string> bleu_token_names() { return {names().begin(), names().end()}; }

const std::string& name_of(BleuTokens tokens) { return names()[static_cast<size_t>(tokens)]; }

BleuTokens bleu_tokens(std::string_view name) {
  const auto found = std::find(names().begin(), names().end(), name);
  if (found == names().end()) refuse("BLEU: no tokenizer '{}' (one of {})", shown(name), fmt::join(names(), ", "));
  return static_cast<BleuTokens>(found - names().begin());
}

static void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t i = 0; (i = text.find(from, i)) != text.npos; i += to.size()) text.replace(i, from.size(), to);
}

static bool digit(char c) { return '0' <= c && c <= '9'; }
static bool point(char c) { return c == '.' || c == ','; }
static bool symbol(char c) {  // ASCII punctuation but ' , - .
  return ('{' <= c && c <= '~') || ('[' <= c && c <= '`') || ('!' <= c && c <= '&') || ('(' <= c && c <= '+') ||
         (':' <= c && c <= '@') || c == '/';
}

// One left-to-right pass over adjacent characters: where match(a, b), both are consumed and `form` writes them.
template <class Match, class Form>
static std::string substitute(const std::string& text, const Match& match, const Form& form) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && match(text[i], text[i + 1])) {
      form(out, text[i], text[i + 1]);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

// What 13a and zh have in common.
static std::string punctuation_apart(std::string_view text) {
  std::string spaced;
  for (const char c : text) symbol(c) ? spaced.append({' ', c, ' '}) : spaced.append(1, c);
  const auto before_space = [](std::string& out, char a, char b) { out.append({a, ' ', b, ' '}); };
  const auto after_space = [](std::string& out, char a, char b) { out.append({' ', a, ' ', b}); };
  spaced = substitute(
      spaced, [](char a, char b) { return !digit(a) && point(b); }, before_space);
  spaced = substitute(
      spaced, [](char a, char b) { return point(a) && !digit(b); }, after_space);
  return substitute(
      spaced, [](char a, char b) { return digit(a) && b == '-'; }, before_space);
}

static std::string tokenize_13a(std::string_view line) {
  std::string text(line);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  return punctuation_apart(" " + text + " ");
}

// What sacreBLEU's tokenizer zh sets apart. Two of its ranges mean U+20000 to U+2A6D6 and U+2F800 to U+2FA1D, but are
// written so that they hold U+2001 to U+2A6D and U+2F81 to U+2FA1, dashes and quotation marks among them.
static bool chinese(char32_t c) {
  constexpr std::array<std::pair<char32_t, char32_t>, 22> ranges{
      {{0x3400, 0x4DB5}, {0x4E00, 0x9FA5}, {0x9FA6, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9},
       {0x2001, 0x2A6D}, {0x2F81, 0x2FA1}, {0xFF00, 0xFFEF}, {0x2E80, 0x2EFF}, {0x3000, 0x303F}, {0x31C0, 0x31EF},
       {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3100, 0x312F}, {0x31A0, 0x31BF}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F},
       {0x2600, 0x26FF}, {0x2700, 0x27BF}, {0x3200, 0x32FF}, {0x3300, 0x33FF}}};
  return std::any_of(ranges.begin(), ranges.end(), [&](const auto& r) { return r.first <= c && c <= r.second; });
}

static std::string tokenize_zh(std::string_view line) {
  line = strip_right(line);
  while (const size_t gap = whitespace_length(line)) line.remove_prefix(gap);
  std::string spaced;
  for_each_code_point(line, [&](CodePoint c, std::string_view bytes) {
    chinese(c.value) ? (spaced += ' ').append(bytes) += ' ' : spaced += bytes;
  });
  return punctuation_apart(spaced);
}

static std::string tokenize_characters(std::string_view line) {
  std::string out;
  for_each_code_point(line, [&](CodePoint, std::string_view bytes) { (out += bytes) += ' '; });
  return out;
}

std::string tokenize(std::string_view line, BleuTokens tokens) {
  switch (tokens) {
    case BleuTokens::mteval_13a: return tokenize_13a(strip_right(line));
    case BleuTokens::character: return tokenize_characters(line);
    case BleuTokens::chinese: return tokenize_zh(line);
    case BleuTokens::none: return std::string(line);
  }
  refuse("BLEU: unknown tokenizer");
}

}  // namespace seqgrad
