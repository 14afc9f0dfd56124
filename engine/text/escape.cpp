// One walk over characters; each form says what becomes of one.
#include "engine/text/escape.h"

#include "engine/core/error.h"
#include "engine/text/utf8.h"

namespace seqgrad {
namespace {

constexpr char32_t no_character = 0xFFFFFFFF;  // a byte that is not UTF-8

struct Character {
  std::string_view bytes;
  char32_t code;
};

// Takes the next character, or a byte that begins none, from the front of `rest`.
Character take(std::string_view& rest) {
  const size_t length = utf8_length(rest);
  Character c{rest.substr(0, length ? length : 1), no_character};
  if (length == 1) c.code = static_cast<unsigned char>(rest[0]);
  if (length > 1) {
    c.code = static_cast<unsigned char>(rest[0]) & (0xFFU >> (length + 1));
    for (const char byte : c.bytes.substr(1)) c.code = c.code << 6 | (static_cast<unsigned char>(byte) & 0x3F);
  }
  rest.remove_prefix(c.bytes.size());
  return c;
}

struct Range {
  char32_t first, last;
};

// What a terminal obeys, what cannot be seen, and what reorders its line.
constexpr Range hidden[] = {
    {0x00, 0x1F},        // C0 controls
    {0x7F, 0x9F},        // DEL and C1 controls
    {0xAD, 0xAD},        // soft hyphen
    {0x61C, 0x61C},      // Arabic letter mark
    {0x180E, 0x180E},    // Mongolian vowel separator
    {0x200B, 0x200B},    // zero-width space
    {0x200E, 0x200F},    // left-to-right and right-to-left mark
    {0x2028, 0x202E},    // line and paragraph separator, bidirectional embeddings and overrides
    {0x2060, 0x206F},    // word joiner, invisible operators, bidirectional isolates
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFF9, 0xFFFB},    // interlinear annotation
    {0xE0000, 0xE007F},  // tags
};

bool is_hidden(char32_t code) {
  if (code >= 0x20 && code < 0x7F) return false;
  for (const Range& r : hidden)
    if (code >= r.first && code <= r.last) return true;
  return code == no_character;
}

std::string escape_of(const Character& c) {
  switch (c.code) {
    case '\n': return "\\n";
    case '\t': return "\\t";
    case '\r': return "\\r";
    default: break;
  }
  if (c.bytes.size() == 1) return fmt::format("\\x{:02x}", static_cast<unsigned char>(c.bytes[0]));
  const auto code = static_cast<uint32_t>(c.code);
  return code > 0xFFFF ? fmt::format("\\U{:08x}", code) : fmt::format("\\u{:04x}", code);
}

// At most `limit` characters, escapes counted as they are shown; what is longer ends in "…".
std::string cut(std::string_view text, size_t limit) {
  std::string out;
  for (size_t count = 0; !text.empty();) {
    const Character c = take(text);
    const std::string escape = is_hidden(c.code) ? escape_of(c) : "";
    count += escape.empty() ? 1 : escape.size();
    if (count > limit) return out + "…";
    out += escape.empty() ? c.bytes : escape;
  }
  return out;
}

}  // namespace

std::string for_terminal(std::string_view text) { return cut(text, std::string::npos); }

std::string lines_for_terminal(std::string_view text) {
  std::string out;
  for (;;) {
    const size_t end = text.find('\n');
    out += for_terminal(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string shown(std::string_view value) { return cut(value, 60); }

std::string shown_path(std::string_view path) {
  constexpr size_t longest = 200;  // bytes
  constexpr size_t most = 240;     // characters, when escapes make it longer
  if (path.size() <= longest) return cut(path, most);
  size_t begin = path.size() - longest;
  while (begin < path.size() && (static_cast<unsigned char>(path[begin]) & 0xC0) == 0x80) ++begin;
  return "…" + cut(path.substr(begin), most);
}

static const char* entity_of(char32_t code) {
  switch (code) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return nullptr;
  }
}

constexpr const char* replacement = "\xEF\xBF\xBD";  // U+FFFD

std::string for_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = take(text);
    if (const char* entity = entity_of(c.code))
      out += entity;
    else if (c.code < 0x20 && c.code != '\n' && c.code != '\t')
      out += {'\xE2', '\x90', static_cast<char>(0x80 + c.code)};  // its sign, U+2400 + code
    else if (c.code == 0x7F)
      out += "\xE2\x90\xA1";
    else if (c.code == no_character || (c.code >= 0x80 && c.code < 0xA0))
      out += replacement;
    else
      out += c.bytes;
  }
  return out;
}

std::string for_url(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string for_xml(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = take(text);
    if (const char* entity = entity_of(c.code))
      out += entity;
    else if (c.code == '\n' || c.code == '\t' || c.code == '\r')
      out += fmt::format("&#{};", static_cast<int>(c.code));  // attributes would lose them
    else if (c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0) || c.code == 0xFFFE || c.code == 0xFFFF ||
             c.code == no_character)
      out += replacement;
    else
      out += c.bytes;
  }
  return out;
}

}  // namespace seqgrad
