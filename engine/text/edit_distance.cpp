// Three rows of the table of distances are enough: a swap looks two rows back.
#include "engine/text/edit_distance.h"

#include <algorithm>
#include <utility>

namespace seqgrad {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name)
    if (c != '_' && c != '-' && c != '.' && c != ' ')
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

size_t largest_slip(size_t letters) { return letters <= 2 ? 0 : letters <= 5 ? 1 : letters <= 8 ? 2 : letters / 3; }

std::string closest(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  if (word.size() > 60) return best;
  const std::string mine = folded(word);
  for (const std::string& name : names)
    if (name == word) return name;
  size_t least = std::string::npos;
  for (const std::string& name : names) {
    const std::string theirs = folded(name);
    if (mine == theirs && !mine.empty()) return name;
    const size_t distance = edit_distance(mine, theirs);
    if (distance < least && distance <= largest_slip(std::max(mine.size(), theirs.size()))) {
      least = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace seqgrad
