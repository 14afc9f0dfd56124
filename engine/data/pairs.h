// Many sentence pairs in little memory.
#pragma once
#include <functional>
#include <iterator>
#include <memory>

#include "engine/data/task.h"
#include "engine/data/word_lines.h"

namespace seqgrad {

class Pairs {
 public:
  Pairs() = default;
  Pairs(const std::vector<Pair>& pairs);                       // NOLINT(google-explicit-constructor)
  Pairs(WordLines source, WordLines target, WordLines given);  // equally many, but for `given`, which may be fewer

  size_t size() const { return static_cast<size_t>(source_->size()); }
  bool empty() const { return size() == 0; }
  const Pair operator[](size_t i) const;  // NOLINT(readability-const-return-type): a change of it would go nowhere
  void push_back(const Pair& pair);
  void select(std::span<const size_t> rows);          // those pairs, in that order
  void select_targets(std::span<const size_t> rows);  // their targets alone
  void change_sources(const std::function<std::string(std::string_view)>& change);

  std::vector<Pair> all() const { return {begin(), end()}; }
  std::shared_ptr<const WordLines> source() const { return source_; }
  std::shared_ptr<const WordLines> target() const { return target_; }

  // One pair after the other, each in the memory of the one before.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Pair;
    using difference_type = std::ptrdiff_t;
    using pointer = const Pair*;
    using reference = const Pair&;
    Iterator(const Pairs& pairs, size_t at) : pairs_(&pairs), at_(at) { read(); }
    const Pair& operator*() const { return pair_; }
    const Pair* operator->() const { return &pair_; }
    Iterator& operator++() { return ++at_, read(), *this; }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    void read() {
      if (at_ < pairs_->size()) pairs_->read(at_, pair_);
    }
    const Pairs* pairs_;
    size_t at_;
    Pair pair_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  void read(size_t i, Pair& pair) const;

  // Shared with the ids that are made of them (EncodedLines), and copied before they change.
  std::shared_ptr<WordLines> source_ = std::make_shared<WordLines>(), target_ = std::make_shared<WordLines>();
  WordLines given_;                             // as far as there are any; an empty line: none
  std::vector<std::vector<std::string>> tags_;  // the same
};

}  // namespace seqgrad
