// The kinds `word` (what spaces and tabs separate) and `char` (every character, spaces included), and their file:
//   seqgrad-vocabulary 1 word / lowercase false / size N / the specials, written \<pad> \<s> \</s> \<unk> / a token a
//   line
// In a token a backslash is written \\, a space \s, and any other byte below 0x20 or 0x7f \xHH, so that every token has
// one spelling and none is that of a special.
#include <charconv>

#include "engine/core/error.h"
#include "engine/core/utf8.h"
#include "engine/data/lowercase.h"
#include "engine/data/tokenizer.h"

namespace seqgrad {
namespace {

struct Words {
  static constexpr const char* name = "word";
  static constexpr std::string_view joint = " ";
  template <class F>
  static void each(std::string_view line, const F& f) {
    for (size_t i = 0; i < line.size();) {
      const size_t end = std::min(line.find_first_of(" \t", i), line.size());
      if (end > i) f(line.substr(i, end - i));
      i = end + 1;
    }
  }
};

struct Characters {
  static constexpr const char* name = "char";
  static constexpr std::string_view joint = "";
  template <class F>
  static void each(std::string_view line, const F& f) {
    for (size_t i = 0; i < line.size();) {
      const size_t length = std::max<size_t>(1, utf8_length(line.substr(i)));
      f(line.substr(i, length));
      i += length;
    }
  }
};

std::string escaped(std::string_view token) {
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
bool unescape(std::string_view text, std::string& token) {
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

template <class Pieces>
class TextTokenizer : public Tokenizer {
 public:
  TextTokenizer(Vocabulary vocabulary, bool lowercase) : Tokenizer(std::move(vocabulary)), lowercase_(lowercase) {}

  static int64_t length(std::string_view line) {
    int64_t count = 0;
    Pieces::each(line, [&](std::string_view) { ++count; });
    return count;
  }

  std::vector<int32_t> encode(std::string_view line, std::vector<int32_t>* units) const override {
    std::vector<int32_t> ids;
    each(line, [&](std::string_view token) { ids.push_back(vocabulary().id(token)); });
    if (units) {
      units->resize(ids.size());
      for (size_t i = 0; i < ids.size(); ++i) (*units)[i] = static_cast<int32_t>(i);
    }
    return ids;
  }

  std::vector<std::string> split(std::string_view line) const override {
    std::vector<std::string> tokens;
    each(line, [&](std::string_view token) { tokens.emplace_back(token); });
    return tokens;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string line;
    bool first = true;
    for (const int32_t id : ids) {
      if (id == eos_id) break;
      if (id == pad_id || id == bos_id) continue;
      if (!first) line += Pieces::joint;
      line += vocabulary().token(id);
      first = false;
    }
    return line;
  }

  std::string serialized() const override {
    std::string text =
        fmt::format("seqgrad-vocabulary 1 {}\nlowercase {}\nsize {}\n", Pieces::name, lowercase_, size());
    for (int32_t id = 0; id < special_ids; ++id) text += fmt::format("\\{}\n", vocabulary().token(id));
    for (const std::string& token : vocabulary().ordinary()) text += escaped(token) + "\n";
    return text;
  }

  static std::shared_ptr<const Tokenizer> train(std::span<const std::string_view> lines,
                                                const TokenizerOptions& options) {
    TokenCounts counts;
    const auto count = [&](std::string_view token) {
      if (const auto found = counts.find(token); found != counts.end())
        ++found->second;
      else
        counts.emplace(token, 1);
    };
    for (const std::string_view line : lines)
      options.lowercase ? Pieces::each(lowercase(line), count) : Pieces::each(line, count);
    return std::make_shared<TextTokenizer>(Vocabulary::build(counts, options.size, options.min_frequency),
                                           options.lowercase);
  }

  static std::shared_ptr<const Tokenizer> load(const std::string& path, std::span<const std::string> lines) {
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
      if (!unescape(lines[i], token) || length(token) != 1)
        refuse("{}:{}: '{}' is not a {} token as this file writes it (space \\s, backslash \\\\, control byte \\xHH)",
               path, i + 1, shown(lines[i]), Pieces::name);
      if (const auto [first, fresh] = seen.emplace(lines[i], i + 1); !fresh)
        refuse("{}:{}: token '{}' stands already in line {}", path, i + 1, shown(lines[i]), first->second);
      tokens.push_back(std::move(token));
    }
    return std::make_shared<TextTokenizer>(Vocabulary(std::move(tokens)), line(1) == "lowercase true");
  }

 private:
  template <class F>
  void each(std::string_view line, const F& f) const {
    lowercase_ ? Pieces::each(lowercase(line), f) : Pieces::each(line, f);
  }

  bool lowercase_;
};

template <class Pieces>
TokenizerKind kind(const char* doc) {
  using T = TextTokenizer<Pieces>;
  return {Pieces::name, doc, T::length, T::train, T::load};
}

const bool registered = register_tokenizer(kind<Words>("words, separated by spaces and tabs")) &&
                        register_tokenizer(kind<Characters>("characters, spaces included"));

}  // namespace
}  // namespace seqgrad
