// The kind `bpe`: pieces of words by byte-pair encoding (Sennrich et al. 2016), learned and applied by sentencepiece. A
// vocabulary lists the pieces in the order in which they were learned, and that is all encoding needs: no second file.
// U+2581 at the beginning of a piece says that a word begins there.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <mutex>
#include <protozero/pbf_writer.hpp>
#include <set>
#include <unordered_map>

#include "engine/core/error.h"
#include "engine/data/tokenizer.h"
#include "engine/data/vocabulary_file.h"
#include "engine/text/unicode.h"
#include "engine/text/utf8.h"
#include "engine/text/words.h"

namespace seqgrad {
namespace {

namespace sp = sentencepiece;

constexpr const char* kind = "bpe";
constexpr std::string_view word_begin = "\xE2\x96\x81";     // U+2581
constexpr std::string_view unknown_piece = "\xE2\x96\x85";  // U+2585, which sentencepiece keeps for itself
constexpr size_t longest_word = 10'000;                     // bytes; it counts characters of a word in 16 bits
constexpr size_t most_words = 50'000;  // learned from: the time grows with their number, and rarer ones teach little
constexpr int64_t usual_size = 8000;
constexpr size_t most_cached = 100'000;

// Whether sentencepiece takes the word for what it is. Others are unknown words, and nothing is learned from them.
bool ordinary(std::string_view word) {
  return word.size() <= longest_word && word.find('\0') == word.npos && word.find(word_begin) == word.npos &&
         word.find(unknown_piece) == word.npos && utf8_error(word) == word.size();
}

bool is_piece(std::string_view token) {
  if (token.substr(0, word_begin.size()) == word_begin) token.remove_prefix(word_begin.size());
  return ordinary(token) && token.find_first_of(" \t") == token.npos;
}

// sentencepiece's model, a message of sentencepiece_model.proto: no normalisation, and of two pieces that could be
// joined those whose piece was learned first.
std::string model_of(const std::vector<std::string>& pieces) {
  enum Model { piece_field = 1, trainer_field = 2, normalizer_field = 3 };
  enum Piece { text_field = 1, score_field = 2, type_field = 3 };
  enum { unknown_type = 2, bpe_type = 2 };
  std::string model;
  protozero::pbf_writer out(model);
  const auto add = [&](std::string_view text, float score, bool unknown) {
    protozero::pbf_writer piece(out, piece_field);
    piece.add_string(text_field, text.data(), text.size());
    piece.add_float(score_field, score);
    if (unknown) piece.add_enum(type_field, unknown_type);
  };
  add(unknown_piece, 0, true);
  for (size_t i = 0; i < pieces.size(); ++i) add(pieces[i], -static_cast<float>(i), false);
  {
    protozero::pbf_writer trainer(out, trainer_field);
    trainer.add_enum(3, bpe_type);
    trainer.add_string(45, unknown_piece.data(), unknown_piece.size());  // unk_piece
  }
  protozero::pbf_writer normalizer(out, normalizer_field);
  normalizer.add_string(1, "identity");
  normalizer.add_bool(3, true);   // add_dummy_prefix: each word begins with word_begin
  normalizer.add_bool(4, false);  // remove_extra_whitespaces
  return model;
}

// "word<tab>count" lines, as sentencepiece's trainer asks for its text.
class CountedWords : public sp::SentenceIterator {
 public:
  explicit CountedWords(const std::vector<std::string>& lines) : lines_(lines) {}
  bool done() const override { return at_ >= lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sp::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  size_t at_ = 0;
};

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

class BpeTokenizer : public Tokenizer {
 public:
  BpeTokenizer(Vocabulary vocabulary, bool lowercase) : Tokenizer(std::move(vocabulary)), lowercase_(lowercase) {
    if (!processor_.LoadFromSerializedProto(model_of(this->vocabulary().ordinary())).ok())
      refuse("vocabulary: these pieces make no {} vocabulary", kind);
  }

  static int64_t length(std::string_view line) {
    int64_t count = 0;
    for_each_word(line, [&](std::string_view) { ++count; });
    return count;
  }

  std::vector<int32_t> encode(std::string_view line, std::vector<int32_t>* units) const override {
    std::vector<int32_t> ids;
    if (units) units->clear();
    int32_t unit = 0;
    each(line, [&](std::string_view word) {
      append(word, ids);
      if (units) units->resize(ids.size(), unit);
      ++unit;
    });
    return ids;
  }

  std::vector<std::string> split(std::string_view line) const override {
    std::vector<std::string> pieces, of_word;
    each(line, [&](std::string_view word) {
      if (!ordinary(word) || !processor_.Encode(word, &of_word).ok()) {
        if (marks_begin()) pieces.emplace_back(word_begin);
        of_word = {std::string(word)};
      }
      pieces.insert(pieces.end(), of_word.begin(), of_word.end());
    });
    return pieces;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string line;
    bool gap = false;
    for (const int32_t id : ids) {
      if (id == eos_id) break;
      if (id == pad_id || id == bos_id) continue;
      std::string_view piece = vocabulary().token(id);
      if (id >= special_ids && piece.substr(0, word_begin.size()) == word_begin) {
        gap = true;
        piece.remove_prefix(word_begin.size());
      }
      if (piece.empty()) continue;
      if (gap && !line.empty()) line += ' ';
      gap = false;
      line += piece;
    }
    return line;
  }

  std::string serialized() const override { return vocabulary_text(kind, lowercase_, vocabulary()); }

  static std::shared_ptr<const Tokenizer> train(std::span<const CountedText> texts, const TokenizerOptions& o) {
    const int64_t size = o.size > 0 ? o.size : usual_size;
    TokenCounts counts;
    int64_t all = 0, pieces = 0;
    for (const CountedText& t : texts) {
      const std::string lower = o.lowercase ? to_lower(t.text) : "";
      for_each_word(o.lowercase ? lower : t.text, [&](std::string_view word) {
        if (ordinary(word)) add(counts, word, t.count);
        all += t.count;
        if (word.find(word_begin) != word.npos) pieces += t.count;
      });
    }
    if (4 * pieces > all)
      refuse(
          "data.vocabulary.kind: bpe cuts words into pieces, and this text is in pieces already ({} of {} words have "
          "a {}); write kind: word, or give the text itself",
          pieces, all, word_begin);
    auto words = by_frequency(counts, 1);
    if (words.empty()) refuse("data.vocabulary: the text has no word to learn from");
    words.resize(std::min(words.size(), most_words));
    std::vector<std::string> text;
    std::set<std::string, std::less<>> alphabet;
    for (const auto& [word, count] : words) {
      text.push_back(fmt::format("{}\t{}", word, count));
      for (std::string_view rest = word; !rest.empty(); rest.remove_prefix(utf8_length(rest)))
        alphabet.emplace(rest.substr(0, utf8_length(rest)));
    }
    const int64_t least = special_ids + static_cast<int64_t>(alphabet.size()) + 1;  // and word_begin
    if (size < least)
      refuse("data.vocabulary.size: {} is too small for bpe: the text has {} characters, so at least {} are needed",
             size, alphabet.size(), least);
    return std::make_shared<BpeTokenizer>(Vocabulary(learn(text, alphabet, size - special_ids)), o.lowercase);
  }

  static std::shared_ptr<const Tokenizer> load(const std::string& path, std::span<const std::string> lines) {
    VocabularyFile file = read_vocabulary(kind, path, lines, is_piece);
    return std::make_shared<BpeTokenizer>(std::move(file.vocabulary), file.lowercase);
  }

 private:
  // At most `size` pieces, all characters of the alphabet among them.
  static std::vector<std::string> learn(const std::vector<std::string>& text,
                                        const std::set<std::string, std::less<>>& alphabet, int64_t size) {
    std::string characters;
    for (const std::string& c : alphabet) characters += c;
    CountedWords words(text);
    std::string model;
    const auto status = sp::SentencePieceTrainer::Train({{"model_type", "bpe"},
                                                         {"input_format", "tsv"},
                                                         {"vocab_size", std::to_string(size + 1)},  // its unknown piece
                                                         {"hard_vocab_limit", "false"},
                                                         {"required_chars", characters},
                                                         {"character_coverage", "1.0"},
                                                         {"max_sentence_length", "1073741824"},
                                                         {"normalization_rule_name", "identity"},
                                                         {"remove_extra_whitespaces", "false"},
                                                         {"unk_piece", std::string(unknown_piece)},
                                                         {"bos_id", "-1"},
                                                         {"eos_id", "-1"},
                                                         {"pad_id", "-1"},
                                                         {"num_threads", "1"},
                                                         {"minloglevel", "3"}},
                                                        &words, &model);
    sp::SentencePieceProcessor learned;
    if (!status.ok() || !learned.LoadFromSerializedProto(model).ok())
      refuse("data.vocabulary: no pieces could be learned from this text; write kind: word or char");
    std::vector<std::string> pieces;
    for (int i = 1; i < learned.GetPieceSize(); ++i) pieces.push_back(learned.IdToPiece(i));
    return pieces;
  }

  template <class F>
  void each(std::string_view line, const F& f) const {
    lowercase_ ? for_each_word(to_lower(line), f) : for_each_word(line, f);
  }

  void append(std::string_view word, std::vector<int32_t>& ids) const {
    const std::lock_guard lock(mutex_);
    auto found = cache_.find(word);
    if (found == cache_.end()) {
      if (cache_.size() >= most_cached) cache_.clear();
      found = cache_.emplace(word, encode_word(word)).first;
    }
    ids.insert(ids.end(), found->second.begin(), found->second.end());
  }

  bool marks_begin() const { return vocabulary().id(word_begin) != unk_id; }  // an edited file may lack it

  std::vector<int32_t> encode_word(std::string_view word) const {
    std::vector<int> pieces;
    if (!ordinary(word) || !processor_.Encode(word, &pieces).ok()) {
      if (marks_begin()) return {vocabulary().id(word_begin), unk_id};
      return {unk_id};
    }
    std::vector<int32_t> ids;
    for (const int p : pieces) ids.push_back(p == 0 ? unk_id : static_cast<int32_t>(special_ids + p - 1));
    return ids;
  }

  const bool lowercase_;
  sp::SentencePieceProcessor processor_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::vector<int32_t>, StringHash, std::equal_to<>> cache_;
};

const bool registered = register_tokenizer({kind, "pieces of words, learned from the text", BpeTokenizer::length,
                                            BpeTokenizer::train, BpeTokenizer::load, true});

}  // namespace
}  // namespace seqgrad
