// Choosing tokens by frequency, and finding those that look like another.
#include "engine/data/vocabulary.h"

#include <algorithm>
#include <array>

#include "engine/core/error.h"
#include "engine/text/utf8.h"

namespace seqgrad {

Vocabulary::Vocabulary(const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens) {
    longest_ = std::max(longest_, token.size());
    const size_t before = ordinary().size();
    if (static_cast<size_t>(index_.add(token)) < before) refuse("vocabulary: token '{}' stands twice", shown(token));
  }
}

void add(TokenCounts& counts, std::string_view token, int64_t times) {
  const auto number = static_cast<size_t>(counts.index.add(token));
  counts.counts.resize(counts.index.tokens().size());
  counts.counts[number] += times;
}

std::vector<std::pair<std::string_view, int64_t>> by_frequency(const TokenCounts& counts, int64_t min_frequency) {
  std::vector<std::pair<std::string_view, int64_t>> kept;
  for (size_t i = 0; i < counts.counts.size(); ++i)
    if (counts.counts[i] >= min_frequency) kept.emplace_back(counts.index.tokens()[i], counts.counts[i]);
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return kept;
}

Vocabulary Vocabulary::build(const TokenCounts& counts, int64_t max_size, int64_t min_frequency) {
  auto kept = by_frequency(counts, min_frequency);
  if (max_size > 0) kept.resize(std::min<size_t>(kept.size(), std::max<int64_t>(0, max_size - special_ids)));
  std::vector<std::string> tokens;
  tokens.reserve(kept.size());
  for (const auto& [token, count] : kept) tokens.emplace_back(token);
  return Vocabulary(tokens);
}

int32_t Vocabulary::id(std::string_view token) const {
  if (token.size() > longest_) return unk_id;  // a word of a megabyte is not even hashed
  const int32_t number = index_.find(token);
  return number < 0 ? unk_id : special_ids + number;
}

std::string_view Vocabulary::token(int32_t id) const {
  static constexpr std::array<std::string_view, special_ids> specials{"<pad>", "<s>", "</s>", "<unk>"};
  if (id < 0 || id >= size()) refuse("vocabulary: id {} is outside [0,{})", id, size());
  return id < special_ids ? specials[id] : std::string_view(ordinary()[static_cast<size_t>(id - special_ids)]);
}

static std::u32string characters(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = std::max<size_t>(1, utf8_length(text.substr(i)));
    char32_t packed = 0;  // any one-to-one code serves: characters are only compared
    for (size_t k = 0; k < length; ++k) packed = packed << 8 | static_cast<unsigned char>(text[i + k]);
    out += packed;
    i += length;
  }
  return out;
}

// Optimal string alignment distance, or `limit` + 1 when it is larger than `limit`.
static int distance(const std::u32string& a, const std::u32string& b, int limit) {
  const int n = static_cast<int>(a.size()), m = static_cast<int>(b.size());
  if (std::abs(n - m) > limit) return limit + 1;
  std::vector<int> before(m + 1), last(m + 1), row(m + 1);
  for (int j = 0; j <= m; ++j) last[j] = j;
  for (int i = 1; i <= n; ++i) {
    row[0] = i;
    int smallest = i;
    for (int j = 1; j <= m; ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
      smallest = std::min(smallest, row[j]);
    }
    if (smallest > limit) return limit + 1;
    before.swap(last);
    last.swap(row);
  }
  return std::min(last[m], limit + 1);
}

std::vector<std::string> Vocabulary::nearest(std::string_view word, size_t count) const {
  constexpr size_t longest = 64;  // characters; nobody mistypes a longer word
  if (word.size() > 4 * longest) return {};
  const std::u32string wanted = characters(word);
  const int limit = wanted.size() < 2 ? 0 : wanted.size() < 5 ? 1 : wanted.size() < 8 ? 2 : 3;
  std::vector<std::vector<const std::string*>> found(limit + 1);
  for (const std::string& token : ordinary()) {
    if (token.size() > 4 * (wanted.size() + limit)) continue;
    const int d = distance(wanted, characters(token), limit);
    if (d <= limit && found[d].size() < count) found[d].push_back(&token);
  }
  std::vector<std::string> out;
  for (const auto& tokens : found)
    for (const std::string* token : tokens)
      if (out.size() < count) out.push_back(*token);
  return out;
}

}  // namespace seqgrad
