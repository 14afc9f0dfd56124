// Tokens with one spelling each, and a reader that takes no other.
#include "engine/data/vocabulary_file.h"

#include <charconv>

#include "engine/core/error.h"

namespace seqgrad {

static std::string escaped(std::string_view token) {
  std::string out;
  for (const char c : token) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\')
      out += "\\\\";
    else if (c == ' ')
      out += "\\s";
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

// False when the text is not one that escaped() writes.
static bool unescape(std::string_view text, std::string& token) {
  token.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      token += text[i];
    } else if (const char kind = i + 1 < text.size() ? text[i + 1] : '\0'; kind == '\\' || kind == 's') {
      token += kind == 's' ? ' ' : '\\';
      i += 1;
    } else {
      unsigned byte = 0;
      if (kind != 'x' || i + 4 > text.size()) return false;
      const auto read = std::from_chars(text.data() + i + 2, text.data() + i + 4, byte, 16);
      if (read.ptr != text.data() + i + 4) return false;
      token += static_cast<char>(byte);
      i += 3;
    }
  }
  return !token.empty() && escaped(token) == text;
}

std::string vocabulary_text(const std::string& kind, bool lowercase, const Vocabulary& v) {
  std::string text = fmt::format("seqgrad-vocabulary 1 {}\nlowercase {}\nsize {}\n", kind, lowercase, v.size());
  for (int32_t id = 0; id < special_ids; ++id) text += fmt::format("\\{}\n", v.token(id));
  for (const std::string& token : v.ordinary()) text += escaped(token) + "\n";
  return text;
}

VocabularyFile read_vocabulary(const std::string& kind, const std::string& path, std::span<const std::string> lines,
                               const std::function<bool(std::string_view)>& is_token) {
  const auto line = [&](size_t i) { return i < lines.size() ? std::string_view(lines[i]) : std::string_view(); };
  if (line(1) != "lowercase true" && line(1) != "lowercase false")
    refuse("{}:2: expected 'lowercase true' or 'lowercase false', got '{}'", path, shown(line(1)));
  int64_t size = 0;
  const std::string_view number = line(2).substr(0, 5) == "size " ? line(2).substr(5) : std::string_view();
  const auto read = std::from_chars(number.data(), number.data() + number.size(), size);
  if (number.empty() || fmt::format("size {}", size) != line(2) || read.ec != std::errc())
    refuse("{}:3: expected 'size N', got '{}'", path, shown(line(2)));
  constexpr size_t header = 3;
  if (size != static_cast<int64_t>(lines.size() - header))
    refuse("{}: size is {} but {} tokens follow; the file is cut or was edited", path, size, lines.size() - header);
  const Vocabulary specials;
  if (size < special_ids) refuse("{}:3: size {} leaves no room for the {} specials", path, size, +special_ids);
  for (int32_t id = 0; id < special_ids; ++id)
    if (line(header + id) != fmt::format("\\{}", specials.token(id)))
      refuse("{}:{}: expected the special \\{}, got '{}'", path, header + id + 1, specials.token(id),
             shown(line(header + id)));
  std::vector<std::string> tokens;
  std::unordered_map<std::string_view, size_t> seen;
  for (size_t i = header + special_ids; i < lines.size(); ++i) {
    std::string token;
    if (!unescape(lines[i], token) || !is_token(token))
      refuse("{}:{}: '{}' is not a {} token as this file writes it (space \\s, backslash \\\\, control byte \\xHH)",
             path, i + 1, shown(lines[i]), kind);
    if (const auto [first, fresh] = seen.emplace(lines[i], i + 1); !fresh)
      refuse("{}:{}: token '{}' stands already in line {}", path, i + 1, shown(lines[i]), first->second);
    tokens.push_back(std::move(token));
  }
  return {Vocabulary(tokens), line(1) == "lowercase true"};
}

}  // namespace seqgrad
