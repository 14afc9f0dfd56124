// The n-grams of a text, of all lengths at once: its suffixes in order, so that those that begin alike stand together.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace seqgrad {

template <class Symbol>  // characters or words, which outlive this
class Ngrams {
 public:
  using Text = std::span<const Symbol>;
  Ngrams(Text text, size_t longest) {
    suffixes_.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) suffixes_.push_back(text.subspan(i, std::min(longest, text.size() - i)));
    std::sort(suffixes_.begin(), suffixes_.end(), before);
  }

  // f(n-gram, how often it is there) for each different one of n symbols.
  template <class F>
  void each(size_t n, const F& f) const {
    for (auto at = suffixes_.begin(); at != suffixes_.end();) {
      if (at->size() < n) {
        ++at;
        continue;
      }
      const Text ngram = at->first(n);
      const auto begin = at;
      while (at != suffixes_.end() && begins_with(*at, ngram)) ++at;
      f(ngram, static_cast<int64_t>(at - begin));
    }
  }

  int64_t count(Text ngram) const {
    auto at = std::lower_bound(suffixes_.begin(), suffixes_.end(), ngram, before);
    int64_t count = 0;
    for (; at != suffixes_.end() && begins_with(*at, ngram); ++at) ++count;
    return count;
  }

 private:
  static bool before(Text a, Text b) { return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end()); }
  static bool begins_with(Text text, Text ngram) {
    return text.size() >= ngram.size() && std::equal(ngram.begin(), ngram.end(), text.begin());
  }

  std::vector<Text> suffixes_;
};

}  // namespace seqgrad
