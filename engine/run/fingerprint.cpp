// Lengths are hashed with what they measure, so that no two corpora give the same bytes.
#include "engine/run/fingerprint.h"

#include <span>

#include "engine/text/numbers.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace seqgrad {
namespace {

class Hash {
 public:
  Hash() { XXH64_reset(&state_, 0); }
  template <class T>
  void add(std::span<const T> values) {
    const auto count = static_cast<int64_t>(values.size());
    XXH64_update(&state_, &count, sizeof count);
    XXH64_update(&state_, values.data(), values.size_bytes());
  }
  void add(const std::string& text) { add(std::span<const char>(text)); }
  template <class Rows>
  void add_rows(const Rows& rows) {
    const int64_t count = rows.size();
    add(std::span(&count, 1));
    for (int64_t i = 0; i < rows.size(); ++i) {
      const auto row = rows[i];
      add(std::span(row));
    }
  }
  std::string digits() const { return fmt::format("{:016x}", XXH64_digest(&state_)); }

 private:
  XXH64_state_t state_;
};

}  // namespace

std::string fingerprint(const Corpus& corpus) {
  Hash hash;
  hash.add_rows(corpus.source);
  hash.add_rows(corpus.target);
  hash.add(std::span<const double>(corpus.example_weight));
  hash.add_rows(corpus.token_weight);
  hash.add_rows(corpus.mask);
  for (const Pair& pair : corpus.pairs) {  // what references are made of, and what unknown words were
    hash.add(pair.source);
    hash.add(pair.target);
  }
  return hash.digits();
}

std::string Content::text() const {
  return fmt::format("{}, content {}", counted(count, is_split ? "pair" : "number"), digits);
}

std::vector<Content> contents_of(const Data& data, const LossSetup& loss) {
  std::vector<Content> out;
  const auto add = [&](const std::string& name, const Corpus& corpus) {
    if (corpus.size() > 0) out.push_back({name, corpus.size(), true, fingerprint(corpus)});
  };
  const auto add_numbers = [&](const char* key, const std::optional<std::vector<double>>& numbers) {
    if (!numbers) return;
    Hash hash;
    hash.add(std::span<const double>(*numbers));
    out.push_back({key, static_cast<int64_t>(numbers->size()), false, hash.digits()});
  };
  add("train", data.train);
  add("dev", data.dev);
  add("test", data.test);
  for (const auto& [name, corpus] : data.reported) add(name, corpus);
  add_numbers("loss.weights.class.file", loss.class_weight);
  add_numbers("loss.smoothing.prior", loss.prior);
  return out;
}

}  // namespace seqgrad
