// Text to ids, and weights of words to weights of ids.
#include "engine/data/corpus.h"

#include <algorithm>

#include "engine/core/error.h"
#include "engine/data/odd_text.h"

namespace seqgrad {

// The ids of the word or character that ends a prompt.
static std::vector<int32_t> prompt_end(const std::string& token, const Tokenizer& tokenizer) {
  std::vector<int32_t> units, ids = tokenizer.encode(token, &units);
  const bool one = !ids.empty() && units.back() == 0, known = std::find(ids.begin(), ids.end(), unk_id) == ids.end();
  if (!one || !known)
    refuse("data.loss_from: '{}' is {} of the target vocabulary; write one token that the targets contain",
           shown(token), one ? "not a token" : "not one token");
  return ids;
}

// How many ids of a target its prompt has; 0 when nothing ends one.
static size_t prompt_length(const std::vector<int32_t>& ids, const std::vector<int32_t>& units,
                            const std::vector<int32_t>& end) {
  const auto whole = [&](size_t from, size_t to) {  // not a part of a word
    return (from == 0 || units[from - 1] != units[from]) && (to == ids.size() || units[to] != units[to - 1]);
  };
  for (auto at = ids.begin(); (at = std::search(at, ids.end(), end.begin(), end.end())) != ids.end(); ++at) {
    const size_t from = static_cast<size_t>(at - ids.begin()), to = from + end.size();
    if (whole(from, to)) return to;
  }
  return 0;
}

// A row given per unit, with one more for the end, as one per id.
template <class T>
static std::vector<T> spread(const std::vector<T>& row, const std::vector<int32_t>& units) {
  std::vector<T> out;
  out.reserve(units.size() + 1);
  for (const int32_t unit : units) out.push_back(row[unit]);
  out.push_back(row.back());
  return out;
}

// Both sides as ids, without the pairs that are too long.
static void encode_sides(Corpus& corpus, ParallelText& text, const Tokenizer& source, const Tokenizer& target,
                         int64_t max_length) {
  const auto both = [&] {
    corpus.source = {text.pairs.source(), [&](std::string_view word) { return source.encode(word); }};
    corpus.target = {text.pairs.target(), [&](std::string_view word) { return target.encode(word); }};
  };
  both();
  std::vector<size_t> kept;
  for (int64_t i = 0; i < corpus.size(); ++i) {
    if (max_length > 0 && std::max(corpus.source.length(i), corpus.target.length(i)) > max_length)
      corpus.skipped.add_too_long(text.lines[static_cast<size_t>(i)]);
    else
      kept.push_back(static_cast<size_t>(i));
  }
  if (kept.empty())
    refuse("{}: no pair left: {} blank on a side, {} longer than data.max_length {}", corpus.name, corpus.skipped.blank,
           corpus.skipped.too_long, max_length);
  if (kept.size() == text.pairs.size()) return;
  text.select(kept);
  both();
}

Corpus encode(ParallelText text, const Tokenizer& source, const Tokenizer& target, int64_t max_length,
              const std::string& loss_from) {
  Corpus corpus;
  corpus.name = text.name;
  corpus.skipped = text.skipped;
  corpus.weight_column = text.weight_column;
  const std::vector<int32_t> end = loss_from.empty() ? std::vector<int32_t>{} : prompt_end(loss_from, target);
  encode_sides(corpus, text, source, target, max_length);
  if (!text.mask.empty() || !text.token_weight.empty() || !loss_from.empty()) {
    std::vector<int32_t> units;
    for (size_t i = 0; i < text.pairs.size(); ++i) {
      const std::string line = text.pairs[i].target;
      units.clear();
      const std::vector<int32_t> ids = blank(line) ? std::vector<int32_t>{} : target.encode(line, &units);
      std::vector<uint8_t> mask =
          text.mask.empty() ? std::vector<uint8_t>(ids.size() + 1, 1) : spread(text.mask[i], units);
      if (!loss_from.empty() && !ids.empty()) {
        const size_t prompt = prompt_length(ids, units, end);
        if (prompt == 0)
          refuse("{}: the target has no token '{}' (data.loss_from): '{}'", text.place(text.lines[i]), shown(loss_from),
                 shown(line));
        std::fill_n(mask.begin(), prompt, uint8_t{0});
      }
      if (!text.mask.empty() || !loss_from.empty()) corpus.mask.push_back(mask);
      if (!text.token_weight.empty()) corpus.token_weight.push_back(spread(text.token_weight[i], units));
    }
  }
  corpus.pairs = std::move(text.pairs);
  corpus.lines = std::move(text.lines);
  corpus.example_weight = std::move(text.example_weight);
  return corpus;
}

}  // namespace seqgrad
