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

Corpus encode(ParallelText text, const Tokenizer& source, const Tokenizer& target, int64_t max_length,
              const std::string& loss_from) {
  Corpus corpus;
  corpus.name = text.name;
  corpus.skipped = text.skipped;
  corpus.weight_column = text.weight_column;
  const std::vector<int32_t> end = loss_from.empty() ? std::vector<int32_t>{} : prompt_end(loss_from, target);
  std::vector<int32_t> units;
  size_t kept = 0;
  for (size_t i = 0; i < text.pairs.size(); ++i) {
    const Pair& pair = text.pairs[i];
    units.clear();
    const std::vector<int32_t> from = blank(pair.source) ? std::vector<int32_t>{} : source.encode(pair.source);
    const std::vector<int32_t> to = blank(pair.target) ? std::vector<int32_t>{} : target.encode(pair.target, &units);
    if (max_length > 0 && static_cast<int64_t>(std::max(from.size(), to.size())) > max_length) {
      corpus.skipped.add_too_long(text.lines[i]);
      continue;
    }
    if (!text.mask.empty() || !loss_from.empty()) {
      std::vector<uint8_t> mask =
          text.mask.empty() ? std::vector<uint8_t>(to.size() + 1, 1) : spread(text.mask[i], units);
      if (!loss_from.empty() && !to.empty()) {
        const size_t prompt = prompt_length(to, units, end);
        if (prompt == 0)
          refuse("{}: the target has no token '{}' (data.loss_from): '{}'", text.place(text.lines[i]), shown(loss_from),
                 shown(text.pairs[i].target));
        std::fill_n(mask.begin(), prompt, uint8_t{0});
      }
      corpus.mask.push_back(mask);
    }
    if (!text.token_weight.empty()) corpus.token_weight.push_back(spread(text.token_weight[i], units));
    if (!text.example_weight.empty()) corpus.example_weight.push_back(text.example_weight[i]);
    corpus.unknown_source += std::count(from.begin(), from.end(), unk_id);
    corpus.unknown_target += std::count(to.begin(), to.end(), unk_id);
    corpus.source.push_back(from);
    corpus.target.push_back(to);
    text.lines[kept] = text.lines[i];
    if (kept != i) text.pairs[kept] = std::move(text.pairs[i]);
    ++kept;
  }
  text.pairs.resize(kept);
  text.lines.resize(kept);
  corpus.pairs = std::move(text.pairs);
  corpus.lines = std::move(text.lines);
  if (corpus.size() == 0)
    refuse("{}: no pair left: {} blank on a side, {} longer than data.max_length {}", corpus.name, corpus.skipped.blank,
           corpus.skipped.too_long, max_length);
  return corpus;
}

}  // namespace seqgrad
