// The report: one located line a problem, the excerpt under it, and a last line with the count.
#include "engine/config/problems.h"

#include <algorithm>
#include <tuple>

#include "engine/config/section.h"

namespace seqgrad {

void Problems::add(const Location& at, std::string message, std::string hint) {
  problems_.push_back({at, std::move(message), std::move(hint)});
}

void Problems::add(const FieldBase& field, const std::string& message) {
  add(field.origin, field.path() + ": " + message);
}

void Problems::throw_if_any() const {
  if (problems_.empty()) return;
  std::vector<const Problem*> sorted;
  for (const Problem& p : problems_) sorted.push_back(&p);
  const auto rank = [](const Problem* p) {  // the file by line, then options, then defaults
    const int group = !p->at.source ? 2 : p->at.source->is_option ? 1 : 0;
    return std::tuple(group, p->at.line, p->at.column);
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Problem* a, const Problem* b) { return rank(a) < rank(b); });
  std::string report;
  for (const Problem* p : sorted) {
    const Source* source = p->at.source.get();
    if (!source)
      report += fmt::format("error: {}\n", p->message);
    else if (source->is_option)
      report += fmt::format("{}: error: {}\n", shown(source->name), p->message);
    else
      report += fmt::format("{}:{}:{}: error: {}\n", source->name, p->at.line, p->at.column, p->message);
    if (source && !source->is_option && p->at.line >= 1 && p->at.line <= static_cast<int>(source->lines.size())) {
      const std::string& line = source->lines[static_cast<size_t>(p->at.line - 1)];
      if (line.size() <= 120 && p->at.column + p->at.length <= 121)
        report += fmt::format("{:>5} | {}\n      | {}^{}\n", p->at.line, shown_line(line),
                              std::string(static_cast<size_t>(p->at.column - 1), ' '),
                              std::string(static_cast<size_t>(std::max(0, p->at.length - 1)), '~'));
    }
    if (!p->hint.empty()) report += fmt::format("      = {}\n", p->hint);
  }
  report += fmt::format("{} error{}; nothing was run", sorted.size(), sorted.size() == 1 ? "" : "s");
  throw ConfigError(report);
}

}  // namespace seqgrad
