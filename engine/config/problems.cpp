// The report: one located line a problem, where it helps the excerpt under it, and a last line with the count.
#include "engine/config/problems.h"

#include <algorithm>
#include <tuple>

#include "engine/config/section.h"
#include "engine/text/numbers.h"
#include "engine/text/utf8.h"

namespace seqgrad {
namespace {

constexpr size_t most_kept = 200;
constexpr size_t longest_message = 400;  // bytes of the first line of a problem
constexpr int widest_excerpt = 100;      // characters

std::string cut(std::string text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes - 3;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

// The line, or the part of it around the column, with the place underlined.
std::string excerpt_of(const Location& at) {
  const std::string_view line = at.source->line(at.line);
  std::vector<std::string> characters;
  for (size_t i = 0; i < line.size();) {
    const size_t length = utf8_length(line.substr(i));
    const bool printable = length > 1 || (length == 1 && line[i] >= 0x20 && line[i] != 0x7f);
    characters.push_back(printable ? std::string(line.substr(i, length)) : " ");
    i += std::max<size_t>(1, length);
  }
  const int all = static_cast<int>(characters.size());
  const int column = std::min(at.column - 1, all);
  const int begin = all <= widest_excerpt ? 0 : std::max(0, column - widest_excerpt / 3);
  const int end = std::min(all, begin + widest_excerpt);
  std::string text = begin > 0 ? "…" : "";
  for (int i = begin; i < end; ++i) text += characters[static_cast<size_t>(i)];
  if (end < all) text += "…";
  const int tildes = std::clamp(at.length - 1, 0, std::max(0, end - column - 1));
  return fmt::format("{:>5} | {}\n      | {:{}}^{:~<{}}\n", at.line, text, "", column - begin + (begin > 0 ? 1 : 0), "",
                     tildes);
}

}  // namespace

void Problems::keep(Problem problem) {
  if (++count_ <= most_kept) problems_.push_back(std::move(problem));
}

void Problems::add(const Location& at, std::string message, std::string kind) {
  keep({at, std::move(message), "", std::move(kind), false});
}

void Problems::add_excerpt(const Location& at, std::string message, std::string hint) {
  keep({at, std::move(message), std::move(hint), "", true});
}

void Problems::add(const FieldBase& field, const std::string& message, const std::string& kind) {
  if (checked_ && checked_->has_read_refused()) return;
  add(field.origin, field.path() + ": " + message, kind);
}

void Problems::begin_check(const Section& root) {
  checked_ = &root;
  root.forget_refused_reads();
}

void Problems::throw_if_any() const {
  if (problems_.empty()) return;
  std::vector<const Problem*> sorted;
  for (const Problem& p : problems_) sorted.push_back(&p);
  const auto rank = [](const Problem* p) {  // the file by line, then options, then defaults
    const int group = !p->at.source ? 2 : p->at.source->is_option ? 1 : 0;
    return group == 0 ? std::tuple(group, p->at.line, p->at.column) : std::tuple(group, 0, 0);
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Problem* a, const Problem* b) { return rank(a) < rank(b); });
  std::string report;
  for (const Problem* p : sorted) {
    const Source* source = p->at.source.get();
    std::string where;
    if (source && source->is_option)
      where = shown(source->name) + ": ";
    else if (source)
      where = fmt::format("{}:{}:{}: ", shown_path(source->name), p->at.line, p->at.column);
    report += cut(fmt::format("{}error: {}", where, p->message), longest_message) + "\n";
    if (p->excerpt && source && !source->is_option && !source->text.empty()) report += excerpt_of(p->at);
    if (!p->hint.empty()) report += fmt::format("      = {}\n", p->hint);
  }
  if (count_ > problems_.size()) report += fmt::format("and {} more\n", count_ - problems_.size());
  report += counted(static_cast<int64_t>(count_), "error") + "; nothing was run";
  ConfigError error(report);
  for (const Problem& p : problems_)
    if (!p.kind.empty()) error.kinds.push_back(p.kind);
  throw error;
}

}  // namespace seqgrad
