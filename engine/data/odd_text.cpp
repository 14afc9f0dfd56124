// Code points by hand, not by category: what is odd in a line of a corpus is narrower than "format" or "control".
#include "engine/data/odd_text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "engine/core/error.h"

namespace seqgrad {
namespace {

constexpr int not_normal = 6;  // after the kinds of enum Odd: lines in another normal form
constexpr size_t most_named = 4;

bool plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

// What is said of a kind: its name for one and for several, and what helps.
struct Words {
  const char *one, *several, *cure;
};
Words words_for(int kind, bool kept) {
  switch (kind) {
    case static_cast<int>(Odd::space):
      return {"space that separates no words", "spaces that separate no words",
              "data.normalize: nfkc makes plain spaces of them"};
    case static_cast<int>(Odd::invisible):
      return {"invisible character", "invisible characters", "words with and without them are different words"};
    case static_cast<int>(Odd::line_end):
      return {"foreign line end", "foreign line ends", "here only a line feed ends a line"};
    case static_cast<int>(Odd::control):
      return {"control character", "control characters", "they are text like any other"};
    case static_cast<int>(Odd::direction):
      return {"mark of writing direction", "marks of writing direction",
              "words with and without them are different words"};
    case static_cast<int>(Odd::replacement):
      return {"replacement character", "replacement characters", "text was lost where they stand"};
    default:
      return {
          "line that is not in the form NFC", "lines that are not in the form NFC",
          kept ? "data.normalize: nfc joins letters and accents" : "letters and accents are joined (data.normalize)"};
  }
}

}  // namespace

std::optional<Odd> odd(char32_t c) {
  const auto in = [c](char32_t first, char32_t last) { return first <= c && c <= last; };
  if (in(0x20, 0x7E) || c == '\t') return std::nullopt;
  if (c == '\r' || c == 0xB || c == 0xC || c == 0x85 || c == 0x2028 || c == 0x2029) return Odd::line_end;
  if (c < 0x20 || in(0x7F, 0x9F)) return Odd::control;
  if (c == 0xA0 || c == 0x1680 || in(0x2000, 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000) return Odd::space;
  if (c == 0xAD || c == 0x180E || in(0x200B, 0x200D) || in(0x2060, 0x2064) || c == 0xFEFF) return Odd::invisible;
  if (c == 0x61C || c == 0x200E || c == 0x200F || in(0x202A, 0x202E) || in(0x2066, 0x2069)) return Odd::direction;
  if (c == 0xFFFD) return Odd::replacement;
  return std::nullopt;
}

bool blank(std::string_view line) {
  if (std::any_of(line.begin(), line.end(), [](char c) { return c > ' ' && c <= '~'; })) return false;
  bool seen = false;
  for_each_code_point(line, [&](const CodePoint& c, std::string_view) {
    const auto kind = odd(c.value);
    seen |= kind ? *kind == Odd::replacement : c.value != ' ' && c.value != '\t';
  });
  return !seen;
}

std::string code_point(char32_t c) { return fmt::format("U+{:04X}", static_cast<uint32_t>(c)); }

std::string with_code_points(std::string_view text) {
  std::string out;
  for_each_code_point(text, [&](const CodePoint& c, std::string_view bytes) {
    if (c.value >= ' ' && c.value <= '~')
      out += bytes;
    else if (c.value == CodePoint::none)
      out += fmt::format("<byte {:02X}>", static_cast<unsigned char>(bytes[0]));
    else
      out += "<" + code_point(c.value) + ">";
  });
  return out;
}

bool OddText::begin(const std::string& file) {
  if (std::find(files_.begin(), files_.end(), file) != files_.end()) return false;
  files_.push_back(file);
  line_ = 0;
  return true;
}

void OddText::look(std::string_view line) {
  ++line_;
  if (plain(line)) return;
  int64_t column = 0;
  for_each_code_point(line, [&](const CodePoint& c, std::string_view bytes) {
    ++column;
    const auto kind = odd(c.value);
    if (!kind || (form_ == Form::nfkc && normalize(bytes, Form::nfkc) == " ")) return;
    count(static_cast<int>(*kind), c.value, column);
  });
  const std::string normal = normalize(line, Form::nfc);
  if (normal == line) return;
  const auto differ = std::mismatch(line.begin(), line.end(), normal.begin(), normal.end()).first;
  column = 0;  // of the last character that begins before or at the first byte that differs
  auto rest = line;
  while (!rest.empty() && rest.data() <= line.data() + (differ - line.begin())) {
    rest.remove_prefix(first_code_point(rest).length);
    ++column;
  }
  count(not_normal, CodePoint::none, std::max<int64_t>(1, column));
}

void OddText::count(int kind, char32_t character, int64_t column) {
  auto entry = std::find_if(found_.rbegin(), found_.rend(),
                            [&](const Found& f) { return f.kind == kind && f.file == files_.back(); });
  if (entry == found_.rend()) {
    found_.push_back({kind, files_.back(), 0, line_, column, {}});
    entry = found_.rbegin();
  }
  ++entry->count;
  auto& named = entry->characters;
  if (character != CodePoint::none && named.size() <= most_named &&
      std::find(named.begin(), named.end(), character) == named.end())
    named.push_back(character);
}

void OddText::add(const OddText& other) {
  const auto own = files_;
  const auto is_new = [&](const std::string& file) { return std::find(own.begin(), own.end(), file) == own.end(); };
  std::copy_if(other.files_.begin(), other.files_.end(), std::back_inserter(files_), is_new);
  std::copy_if(other.found_.begin(), other.found_.end(), std::back_inserter(found_),
               [&](const Found& f) { return is_new(f.file); });
}

std::vector<std::string> OddText::notes() const {
  std::vector<std::string> out;
  for (int kind = 0; kind <= not_normal; ++kind) {
    int64_t count = 0;
    std::vector<std::string> places, named;
    for (const Found& f : found_) {
      if (f.kind != kind) continue;
      count += f.count;
      places.push_back(fmt::format("{}{}:{}:{}", f.count == 1 ? "" : fmt::format("{} from ", f.count),
                                   shown_path(f.file), f.line, f.column));
      for (const char32_t c : f.characters)
        if (const std::string name = code_point(c); std::find(named.begin(), named.end(), name) == named.end())
          named.push_back(name);
    }
    if (count == 0) continue;
    if (named.size() > most_named) {
      named.resize(most_named);
      named.emplace_back("…");
    }
    const Words words = words_for(kind, !form_);
    out.push_back(fmt::format("text: {} {}{}: {}; {}", count, count == 1 ? words.one : words.several,
                              named.empty() ? "" : fmt::format(" ({})", fmt::join(named, ", ")),
                              fmt::join(places, ", "), words.cure));
  }
  return out;
}

}  // namespace seqgrad
