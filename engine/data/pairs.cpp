// Pairs as columns.
#include "engine/data/pairs.h"

namespace seqgrad {

static WordLines& own(std::shared_ptr<WordLines>& lines) {
  if (lines.use_count() > 1) lines = std::make_shared<WordLines>(*lines);
  return *lines;
}

Pairs::Pairs(const std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) push_back(pair);
}

Pairs::Pairs(WordLines source, WordLines target, WordLines given)
    : source_(std::make_shared<WordLines>(std::move(source))),
      target_(std::make_shared<WordLines>(std::move(target))),
      given_(std::move(given)) {}

void Pairs::push_back(const Pair& pair) {
  if (!pair.given.empty()) {
    given_.fill_up_to(source_->size());
    given_.push_back(pair.given);
  }
  if (!pair.tags.empty()) {
    tags_.resize(size());
    tags_.push_back(pair.tags);
  }
  own(source_).push_back(pair.source);
  own(target_).push_back(pair.target);
}

void Pairs::read(size_t i, Pair& pair) const {
  const auto row = static_cast<int64_t>(i);
  source_->read(row, pair.source);
  target_->read(row, pair.target);
  pair.given.clear();
  if (row < given_.size()) given_.read(row, pair.given);
  pair.tags.clear();
  if (i < tags_.size()) pair.tags = tags_[i];
}

const Pair Pairs::operator[](size_t i) const {
  Pair pair;
  read(i, pair);
  return pair;
}

void Pairs::select(std::span<const size_t> rows) {
  if (given_.size() > 0) {
    given_.fill_up_to(source_->size());
    given_.select(rows);
  }
  if (!tags_.empty()) {
    std::vector<std::vector<std::string>> tags;
    for (const size_t row : rows) tags.push_back(row < tags_.size() ? tags_[row] : std::vector<std::string>{});
    tags_ = std::move(tags);
  }
  own(source_).select(rows);
  own(target_).select(rows);
}

void Pairs::select_targets(std::span<const size_t> rows) { own(target_).select(rows); }

void Pairs::change_sources(const std::function<std::string(std::string_view)>& change) {
  auto changed = std::make_shared<WordLines>();
  std::string line;
  for (int64_t row = 0; row < source_->size(); ++row) {
    source_->read(row, line);
    changed->push_back(change(line));
  }
  source_ = std::move(changed);
}

}  // namespace seqgrad
