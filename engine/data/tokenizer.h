// From a line of text to ids and back; a kind of tokeniser registers itself from its own file.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/vocabulary.h"

namespace seqgrad {

struct TokenizerOptions {
  std::string kind = "word";
  int64_t size = 0;  // ids at most, specials included; 0: no limit (bpe: 8000)
  int64_t min_frequency = 1;
  bool lowercase = false;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of the line, without bos and eos. `units` gets for each id the unit that it belongs to (TokenizerKind::length).
  virtual std::vector<int32_t> encode(std::string_view line, std::vector<int32_t>* units = nullptr) const = 0;
  // The tokens that encode() numbers, as text.
  virtual std::vector<std::string> split(std::string_view line) const = 0;
  // Text of the ids before the first eos; pad and bos are left out, unk reads "<unk>".
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // What a vocabulary file holds: UTF-8 lines, the first of which is "seqgrad-vocabulary 1 KIND".
  virtual std::string serialized() const = 0;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  int64_t size() const { return vocabulary_.size(); }
  std::string fingerprint() const;  // 16 hexadecimal digits, a hash of serialized()

 protected:
  explicit Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

 private:
  Vocabulary vocabulary_;
};

// A space ends whatever comes before it: a kind reads "a b" as it reads "a", " " and "b", one after the other.
struct TokenizerKind {
  const char* name;
  const char* doc;
  // Units of a line: what data.max_length counts and what has one number in a token weight file (words for sub-words).
  int64_t (*length)(std::string_view line);
  std::shared_ptr<const Tokenizer> (*train)(std::span<const CountedText> texts, const TokenizerOptions& options);
  std::shared_ptr<const Tokenizer> (*load)(const std::string& path, std::span<const std::string> lines);
  bool learns_pieces = false;  // then TokenizerOptions::min_frequency has no meaning
};

const std::map<std::string, TokenizerKind>& tokenizer_kinds();
bool register_tokenizer(const TokenizerKind& kind);
const TokenizerKind& tokenizer_kind(const std::string& name);  // refuses an unknown one

// Reads a file that holds what serialized() gives; anything else is refused with its line.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path);
std::shared_ptr<const Tokenizer> parse_tokenizer(std::span<const std::string> lines, const std::string& name);

}  // namespace seqgrad
