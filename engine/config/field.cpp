// The words and tests of ranges and choices.
#include "engine/config/field.h"

#include <cmath>

#include "engine/config/section.h"

namespace seqgrad {

FieldBase::FieldBase(Section* parent, const char* name, const char* doc) : parent(parent), name(name), doc(doc) {
  parent->fields_.push_back(this);
}

void FieldBase::note_refused_read() const { parent->root().has_read_refused_ = true; }

std::string FieldBase::path() const {
  const std::string above = parent->path();
  return above.empty() ? name : above + "." + name;
}

std::string words(const Bound& b) {
  return fmt::format("{} {}", b.lower ? (b.inclusive ? "at least" : "above") : (b.inclusive ? "at most" : "below"),
                     b.value);
}

std::string keyword(const Bound& b) {
  return fmt::format(
      R"("{}":{})",
      b.lower ? (b.inclusive ? "minimum" : "exclusiveMinimum") : (b.inclusive ? "maximum" : "exclusiveMaximum"),
      b.value);
}

bool holds(const Bound& b, double x) {
  if (b.lower) return b.inclusive ? x >= b.value : x > b.value;
  return b.inclusive ? x <= b.value : x < b.value;
}

Choice choice(std::vector<std::string> names, Aliases aliases) {
  return {[names = std::move(names)] { return names; }, std::move(aliases)};
}
Choice choice(std::function<std::vector<std::string>()> names, Aliases aliases) {
  return {std::move(names), std::move(aliases)};
}

std::string not_among(const std::vector<std::string>& names, const Node& node, const Aliases& aliases) {
  constexpr size_t longest = 160;  // bytes of the list of names
  std::string list;
  size_t listed = 0;
  for (const std::string& n : names) {
    if (!list.empty() && list.size() + n.size() > longest) break;
    list += (listed++ == 0 ? "" : ", ") + n;
  }
  if (listed < names.size()) list += fmt::format(" and {} more", names.size() - listed);
  const LikelyChoice meant = likely_choice(node, names, aliases);
  const std::string hint = meant.name.empty() ? ""
                           : meant.certain    ? fmt::format(" (write {})", meant.name)
                                              : fmt::format(" (did you mean '{}'?)", meant.name);
  return fmt::format("expected {}{}, got {}{}", names.size() == 1 ? "" : "one of ", list, node.describe(), hint);
}

std::string not_among(const std::vector<std::string>& names, const std::string& value) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.text = value;
  return not_among(names, node, {});
}

std::vector<std::string> numbers_around(const std::vector<Bound>& bounds, bool whole, double start, bool inside) {
  std::vector<double> candidates;
  if (inside) candidates = {2 * start, start / 2, start + 1, start - 1};
  for (const Bound& b : bounds) {
    const double step = whole ? 1 : 0.5;
    candidates.insert(candidates.end(), {b.value, b.value - step, b.value + step});
  }
  std::vector<std::string> out;
  for (const double x : candidates) {
    const bool fits = std::all_of(bounds.begin(), bounds.end(), [&](const Bound& b) { return holds(b, x); });
    if (fits != inside || (whole && x != std::floor(x))) continue;
    out.push_back(whole ? Codec<int64_t>::yaml(static_cast<int64_t>(x)) : Codec<double>::yaml(x));
  }
  return out;
}

template class Field<bool>;
template class Field<int64_t>;
template class Field<double>;
template class Field<std::string>;
template class Field<Path>;
template class Field<std::map<std::string, std::string>>;
template class Field<std::optional<int64_t>>;
template class Field<std::optional<double>>;
template class Field<std::optional<std::string>>;
template class Field<std::vector<int64_t>>;
template class Field<std::vector<double>>;
template class Field<std::vector<std::string>>;

}  // namespace seqgrad
