// The kinds `word` (what spaces and tabs separate) and `char` (every character, spaces included).
#include <algorithm>

#include "engine/data/tokenizer.h"
#include "engine/data/vocabulary_file.h"
#include "engine/text/unicode.h"
#include "engine/text/utf8.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

struct Words {
  static constexpr const char* name = "word";
  static constexpr std::string_view joint = " ";
  template <class F>
  static void each(std::string_view line, const F& f) {
    for_each_word(line, f);
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

  std::string serialized() const override { return vocabulary_text(Pieces::name, lowercase_, vocabulary()); }

  static std::shared_ptr<const Tokenizer> train(std::span<const CountedText> texts, const TokenizerOptions& options) {
    TokenCounts counts;
    for (const CountedText& t : texts) {
      const auto count = [&](std::string_view token) { add(counts, token, t.count); };
      options.lowercase ? Pieces::each(to_lower(t.text), count) : Pieces::each(t.text, count);
    }
    return std::make_shared<TextTokenizer>(Vocabulary::build(counts, options.size, options.min_frequency),
                                           options.lowercase);
  }

  static std::shared_ptr<const Tokenizer> load(const std::string& path, std::span<const std::string> lines) {
    VocabularyFile file =
        read_vocabulary(Pieces::name, path, lines, [](std::string_view token) { return length(token) == 1; });
    return std::make_shared<TextTokenizer>(std::move(file.vocabulary), file.lowercase);
  }

 private:
  template <class F>
  void each(std::string_view line, const F& f) const {
    lowercase_ ? Pieces::each(to_lower(line), f) : Pieces::each(line, f);
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
